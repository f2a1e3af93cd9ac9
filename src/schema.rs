// @generated automatically by Diesel CLI.

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Sessions, API tokens and password secrets of administrators.
    admin_tokens (id) {
        /// Identity, by which it is listed and revoked.
        id -> Uuid,
        /// The administrator.
        admin_user_id -> Uuid,
        /// Purpose.
        kind -> AdminTokenKind,
        /// Display name; the browser, for a session.
        name -> Text,
        /// SHA-256 of the token.
        token_hash -> Bytea,
        /// Network address of the client that created it, if known.
        address -> Nullable<Text>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last use, to the minute.
        last_used_at -> Nullable<Timestamptz>,
        /// End of its validity.
        expires_at -> Timestamptz,
        /// Time of revocation, or of the single use.
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// People who administer the platform. Global: an administrator may enter several workspaces.
    admin_users (id) {
        /// Identity, UUID v7 when made by this crate.
        id -> Uuid,
        /// Login name, unique without regard to case.
        email -> Text,
        /// Hash in PHC string format: argon2id, or bcrypt in an adopted row until its first login.
        password_hash -> Text,
        /// True if the administrator may only change the password.
        must_change_password -> Bool,
        /// Given name.
        first_name -> Nullable<Text>,
        /// Family name.
        last_name -> Nullable<Text>,
        /// Reach: superadmin enters every workspace, admin those of workspace_admins.
        role -> AdminRole,
        /// Active or disabled.
        status -> AdminStatus,
        /// Time of the last successful login.
        last_login_at -> Nullable<Timestamptz>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
        /// True until the first login to an account that an invitation created.
        is_invited -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Events of a workspace; an event outlives its conversation.
    analytics_events (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The conversation; NULL after its deletion.
        conversation_id -> Nullable<Uuid>,
        /// The message; NULL after its deletion.
        message_id -> Nullable<Uuid>,
        /// Kind of event.
        event_type -> Text,
        /// Id of the user in the embedding application.
        user_identifier -> Nullable<Text>,
        /// Part of the platform that reported it.
        source -> Nullable<Text>,
        /// Details of the event, as a JSON object.
        properties -> Jsonb,
        /// Time of the event.
        occurred_at -> Timestamptz,
        /// Time of insertion.
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Audit entries. Append-only: no role updates an entry, and only workspace_db_expire_audit_log deletes entries.
    audit_log (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace, which may have been erased; the nil UUID for the platform as a whole.
        workspace_id -> Uuid,
        /// Action, such as workspace.publish.
        action -> Text,
        /// Kind of actor.
        actor -> AuditActor,
        /// The administrator, who may have been deleted.
        admin_user_id -> Nullable<Uuid>,
        /// Reason that an operator gave.
        reason -> Nullable<Text>,
        /// Network address of the client, if known.
        address -> Nullable<Text>,
        /// Table of the changed row.
        object_table -> Text,
        /// Id of the changed row.
        object_id -> Nullable<Uuid>,
        /// Changed values before the action, without secrets.
        before -> Nullable<Jsonb>,
        /// Changed values after the action, without secrets.
        after -> Nullable<Jsonb>,
        /// Time of the transaction.
        occurred_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Vectors of the model to which a workspace is being switched.
    chunk_reembeddings (workspace_id, chunk_id) {
        /// The workspace.
        workspace_id -> Uuid,
        /// The chunk.
        chunk_id -> Uuid,
        /// Model that made the vector.
        embedding_model -> Text,
        /// SHA-256 of the embedded text in hexadecimal; a chunk that has changed since needs a new vector.
        content_hash -> Text,
        /// The embedding, 1536 dimensions.
        vector -> Vector,
        /// Time of insertion.
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Conversations between a visitor and the assistant of a workspace.
    conversations (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// Id of the visitor in the embedding application.
        external_user_id -> Nullable<Text>,
        /// Title for people.
        title -> Nullable<Text>,
        /// State.
        status -> ConversationStatus,
        /// Anything else, as a JSON object.
        metadata -> Jsonb,
        /// Time of the first message.
        first_message_at -> Nullable<Timestamptz>,
        /// Time of the last message.
        last_message_at -> Nullable<Timestamptz>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
        /// Time of closing.
        closed_at -> Nullable<Timestamptz>,
        /// Number of the last message; workspace_db_append_message counts it.
        last_seq -> Int8,
        /// Last message of the active branch. No foreign key: a reader checks that the message is of this conversation.
        head_id -> Nullable<Uuid>,
        /// Who answers the visitor.
        speaker -> ConversationSpeaker,
        /// Number of the last message when a person was asked for or took over; an answer that was begun before is withheld.
        hand_over_seq -> Int8,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Sources of a workspace's documents.
    datasources (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// Name for people.
        name -> Text,
        /// Description of its content.
        description -> Nullable<Text>,
        /// Kind of source.
        #[sql_name = "type"]
        type_ -> DatasourceType,
        /// Settings of the source, as a JSON object without secrets.
        config -> Jsonb,
        /// State of the last synchronization.
        sync_status -> DatasourceSyncStatus,
        /// Position at which the next synchronization resumes.
        sync_cursor -> Nullable<Text>,
        /// Error of the last synchronization.
        error_message -> Nullable<Text>,
        /// True if the platform synchronizes it automatically.
        is_managed -> Bool,
        /// Time of the last completed synchronization.
        last_synced_at -> Nullable<Timestamptz>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Chunks (passages) of documents with their embeddings.
    document_chunks (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The document.
        document_id -> Uuid,
        /// Position in the document, from 0.
        chunk_index -> Int4,
        /// Text of the chunk.
        content -> Text,
        /// Length in tokens of cl100k_base.
        token_count -> Nullable<Int4>,
        /// Model that made the vector; vectors of different models can't be compared.
        embedding_model -> Text,
        /// The embedding, 1536 dimensions.
        vector -> Vector,
        /// Signs of the embedding's components, generated from vector.
        #[max_length = 1536]
        vector_bits -> Bit,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Language of the text, a BCP 47 tag, which selects the stemmer; NULL for no stemming.
        language -> Nullable<Text>,
        /// Lexemes for full-text search, generated from workspace_id, language and content.
        search_text -> Tsvector,
        /// Facts about the chunk, such as its page, which a search can filter by.
        metadata -> Jsonb,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Texts from which a workspace answers.
    documents (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The datasource of the document, if any.
        datasource_id -> Nullable<Uuid>,
        /// Id in the datasource, unique there.
        external_id -> Nullable<Text>,
        /// Title for people.
        title -> Text,
        /// Name in URLs.
        slug -> Nullable<Text>,
        /// Summary in a few sentences.
        summary -> Nullable<Text>,
        /// SHA-256 of the source bytes in hexadecimal, which detects a change.
        content_hash -> Nullable<Text>,
        /// Anything else, as a JSON object.
        metadata -> Jsonb,
        /// State; searches find only ready documents.
        status -> DocumentStatus,
        /// True if public answers may quote it.
        is_published -> Bool,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Ratings of messages, at most one each.
    feedback (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The rated message.
        message_id -> Uuid,
        /// The administrator who rated it; NULL for a visitor.
        admin_user_id -> Nullable<Uuid>,
        /// Rating: -1 bad, 0 neutral, 1 good.
        score -> Int2,
        /// Category of the rating.
        label -> Nullable<Text>,
        /// Comment in free text.
        comment -> Nullable<Text>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Who rated it: a visitor, or a person who reviews answers.
        judge -> FeedbackJudge,
        /// What the answer should have been.
        better_answer -> Nullable<Text>,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Settings of a queue; a queue without a row is neither paused nor capped.
    job_queues (name) {
        /// Name of the queue.
        name -> Text,
        /// Time from which no job is claimed.
        paused_at -> Nullable<Timestamptz>,
        /// Maximum number of jobs of one workspace that run at once, over all workers.
        max_running_per_workspace -> Nullable<Int4>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Schedules by which jobs are enqueued repeatedly.
    job_schedules (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// Name, unique in the workspace.
        name -> Text,
        /// Cron expression of five fields, or six with seconds first.
        cron -> Text,
        /// Time zone of the expression, a name of the IANA database.
        time_zone -> Text,
        /// Kind of the jobs.
        job_type -> Text,
        /// Queue of the jobs.
        queue -> Text,
        /// Arguments of the jobs, as a JSON object.
        payload -> Jsonb,
        /// Priority of the jobs.
        priority -> Int4,
        /// Maximum number of attempts of each job.
        max_attempts -> Int4,
        /// The next occurrence, the first without a job; NULL if there is none.
        next_at -> Nullable<Timestamptz>,
        /// Time at which the last occurrence was enqueued.
        fired_at -> Nullable<Timestamptz>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Background jobs, each of one workspace.
    jobs (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// Kind of job.
        job_type -> Text,
        /// State.
        status -> JobStatus,
        /// Arguments, as a JSON object.
        payload -> Jsonb,
        /// Number of attempts so far.
        attempts -> Int4,
        /// Maximum number of attempts.
        max_attempts -> Int4,
        /// Order among due jobs, the smallest first.
        priority -> Int4,
        /// Earliest start.
        scheduled_at -> Nullable<Timestamptz>,
        /// Time of the last start.
        started_at -> Nullable<Timestamptz>,
        /// Time of completion.
        completed_at -> Nullable<Timestamptz>,
        /// Time of the last failure.
        failed_at -> Nullable<Timestamptz>,
        /// Error of the last failure.
        last_error -> Nullable<Text>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
        /// Queue of the job.
        queue -> Text,
        /// Key that no other job of this kind in the workspace may have, in the states of uniqueness.
        unique_key -> Nullable<Text>,
        /// States in which the job reserves unique_key.
        uniqueness -> Nullable<JobUniqueness>,
        /// Random token of the claim, which every change by the worker must present. Set while the job runs.
        lease_token -> Nullable<Uuid>,
        /// End of the lease, unless a heartbeat extends it.
        lease_expires_at -> Nullable<Timestamptz>,
        /// Time of the claim or of the last heartbeat.
        heartbeat_at -> Nullable<Timestamptz>,
        /// Name of the worker that runs it.
        leased_by -> Nullable<Text>,
        /// Time of the request to cancel it.
        cancel_requested_at -> Nullable<Timestamptz>,
        /// Time of cancellation.
        cancelled_at -> Nullable<Timestamptz>,
        /// Value that the handler returned.
        result -> Nullable<Jsonb>,
        /// All failures: a list of {attempt, at, error}.
        errors -> Jsonb,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Recent login attempts by account and by address; each row is a bucket.
    login_throttles (key) {
        /// SHA-256 of the account or address, which hides who tried to log in.
        key -> Bytea,
        /// Time at which the bucket is empty: the theoretical arrival time of the generic cell rate algorithm.
        free_at -> Timestamptz,
        /// Time of the last attempt that a full bucket refused.
        refused_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Pieces of answers that are being made, until the answer ends.
    message_deltas (workspace_id, message_id, position) {
        /// The workspace.
        workspace_id -> Uuid,
        /// The answer.
        message_id -> Uuid,
        /// Number of bytes of the answer before the piece.
        position -> Int8,
        /// Text of the piece.
        content -> Text,
        /// Time of insertion.
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Passages that were retrieved for an answer, as they were then.
    message_sources (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The answer.
        message_id -> Uuid,
        /// Position in the result of the search, from 1.
        rank -> Int4,
        /// The chunk, which may be gone.
        chunk_id -> Uuid,
        /// The document, which may be gone.
        document_id -> Uuid,
        /// Title of the document.
        title -> Text,
        /// Id of the document in its datasource.
        external_id -> Nullable<Text>,
        /// SHA-256 of the chunk's text in hexadecimal.
        content_hash -> Text,
        /// Text that the model was shown; NULL if the passage was retrieved only.
        shown_text -> Nullable<Text>,
        /// Score in the search.
        score -> Float8,
        /// How the passage was found, such as hybrid or bits.
        method -> Text,
        /// Number by which the answer cites the passage, perhaps with others; NULL if it does not.
        citation -> Nullable<Int4>,
        /// Time of insertion.
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Messages of conversations.
    messages (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The conversation.
        conversation_id -> Uuid,
        /// Author.
        role -> MessageRole,
        /// Text.
        content -> Text,
        /// Length in tokens of the model.
        tokens -> Nullable<Int4>,
        /// Confidence of the assistant, 0 to 1.
        confidence -> Nullable<Float8>,
        /// Anything else, as a JSON object.
        metadata -> Jsonb,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Position in the conversation, from 1; NULL until the next append numbers the message.
        seq -> Nullable<Int8>,
        /// The message of the same conversation that this one follows; NULL for a first message.
        parent_id -> Nullable<Uuid>,
        /// Id that the sender gave the message, so that it can be sent again.
        client_id -> Nullable<Text>,
        /// Language of the text, a BCP 47 tag, which selects the stemmer of a search; NULL for no stemming.
        language -> Nullable<Text>,
        /// State.
        state -> MessageState,
        /// True if a person wrote the answer.
        by_human -> Bool,
        /// True if the confidence was below review_threshold when the message was stored.
        needs_review -> Bool,
        /// The workspace's confidence_threshold when the message was stored.
        review_threshold -> Nullable<Float8>,
        /// Proof of the writer that makes the answer.
        lease_token -> Nullable<Uuid>,
        /// End of the writer's lease; afterwards the answer is interrupted.
        lease_expires_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Calls of models for answers, with their tokens and cost.
    model_calls (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The answer.
        message_id -> Uuid,
        /// The call of the same answer that contains this one, as the run of an agent does.
        parent_id -> Nullable<Uuid>,
        /// Name of the model.
        model -> Text,
        /// Tokens of the input, with those from the cache; NULL if the provider does not say.
        input_tokens -> Nullable<Int4>,
        /// Those of the input that came from the provider's cache.
        cached_tokens -> Nullable<Int4>,
        /// Tokens of the output, with those of the reasoning.
        output_tokens -> Nullable<Int4>,
        /// Those of the output that were reasoning.
        reasoning_tokens -> Nullable<Int4>,
        /// Price list by which the cost was computed.
        price_version -> Nullable<Text>,
        /// Cost in US dollars; NULL if the price or the tokens are unknown.
        cost_usd -> Nullable<Numeric>,
        /// Time from the request to the end of the output, in milliseconds.
        latency_ms -> Nullable<Int4>,
        /// Time from the request to the first token of the output, in milliseconds.
        first_token_ms -> Nullable<Int4>,
        /// Why the output ended, in the provider's word.
        stop_reason -> Nullable<Text>,
        /// Time of insertion.
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Tokens of services, each bound to one workspace.
    service_tokens (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// Display name.
        name -> Text,
        /// Read, or read and write.
        access -> ServiceAccess,
        /// SHA-256 of the token.
        token_hash -> Bytea,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last use, to the minute.
        last_used_at -> Nullable<Timestamptz>,
        /// End of its validity.
        expires_at -> Timestamptz,
        /// Time of revocation.
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// URLs to which a workspace sends its events.
    webhook_subscriptions (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The URL, unique within the workspace.
        url -> Text,
        /// Sealed secret that signs deliveries: XChaCha20-Poly1305, bound to the workspace.
        secret -> Nullable<Bytea>,
        /// Names of the events to send.
        events -> Array<Nullable<Text>>,
        /// Additional headers of a delivery, as a JSON object of strings.
        headers -> Jsonb,
        /// True if events are sent.
        is_active -> Bool,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Members: the administrators of a workspace and their roles.
    workspace_admins (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The administrator.
        admin_user_id -> Uuid,
        /// Role in this workspace.
        role -> AdminRole,
        /// Time of the invitation.
        invited_at -> Timestamptz,
        /// Time of acceptance; NULL for an open invitation.
        joined_at -> Nullable<Timestamptz>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// SHA-256 of the token that accepts the invitation once.
        invitation_hash -> Nullable<Bytea>,
        /// Expiry of the invitation.
        invitation_expires_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Appearance and behaviour of a workspace, one row each. Language, threshold and publication are columns of workspaces.
    workspace_settings (workspace_id) {
        /// The workspace, and the primary key.
        workspace_id -> Uuid,
        /// Tone of the answers.
        tone -> Nullable<Text>,
        /// Main colour of the branding.
        primary_color -> Nullable<Text>,
        /// Accent colour of the branding.
        accent_color -> Nullable<Text>,
        /// Background colour of the branding.
        background_color -> Nullable<Text>,
        /// Greeting for a visitor.
        welcome_message -> Nullable<Text>,
        /// URL of the logo.
        logo_url -> Nullable<Text>,
        /// URL of the banner.
        banner_url -> Nullable<Text>,
        /// Email address for visitors who need a person.
        support_email -> Nullable<Text>,
        /// Language if the visitor's own is not available, a BCP 47 tag.
        fallback_language -> Nullable<Text>,
        /// True if answers show the platform's watermark.
        watermark_enabled -> Bool,
        /// Default URL for webhooks.
        webhook_url -> Nullable<Text>,
        /// Sealed secret that signs the default webhook: XChaCha20-Poly1305, bound to the workspace.
        webhook_secret -> Nullable<Bytea>,
        /// Names of the events that the default webhook receives.
        webhook_events -> Array<Nullable<Text>>,
        /// Sampling temperature of the model, 0 to 2.
        temperature -> Nullable<Float8>,
        /// Anything else, as a JSON object.
        metadata -> Jsonb,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
        /// Days that audit entries are kept, if more than the platform's default.
        audit_retention_days -> Nullable<Int4>,
        /// Days that closed conversations are kept; NULL for the platform's default.
        conversation_retention_days -> Nullable<Int4>,
        /// Days that analytics events are kept; NULL for the platform's default.
        event_retention_days -> Nullable<Int4>,
        /// Days that finished jobs are kept; NULL for the platform's default.
        job_retention_days -> Nullable<Int4>,
        /// Languages that the workspace offers besides default_language, as BCP 47 tags.
        languages -> Array<Nullable<Text>>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Tenants. Every tenant table refers to one of them.
    workspaces (id) {
        /// The workspace_id of every tenant table.
        id -> Uuid,
        /// Name in URLs and on the command line, unique on the platform.
        slug -> Text,
        /// Name for people.
        name -> Text,
        /// Purpose of the workspace.
        description -> Nullable<Text>,
        /// Language of its content and answers, a BCP 47 tag such as en or pt-BR.
        default_language -> Text,
        /// False if the workspace is archived.
        is_active -> Bool,
        /// True if the public may read the workspace by its slug.
        is_published -> Bool,
        /// Minimum confidence of an answer, 0 to 1.
        confidence_threshold -> Float8,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
    }
}

diesel::joinable!(admin_tokens -> admin_users (admin_user_id));
diesel::joinable!(analytics_events -> workspaces (workspace_id));
diesel::joinable!(chunk_reembeddings -> workspaces (workspace_id));
diesel::joinable!(conversations -> workspaces (workspace_id));
diesel::joinable!(datasources -> workspaces (workspace_id));
diesel::joinable!(document_chunks -> workspaces (workspace_id));
diesel::joinable!(documents -> workspaces (workspace_id));
diesel::joinable!(feedback -> admin_users (admin_user_id));
diesel::joinable!(feedback -> workspaces (workspace_id));
diesel::joinable!(job_schedules -> workspaces (workspace_id));
diesel::joinable!(jobs -> workspaces (workspace_id));
diesel::joinable!(message_deltas -> workspaces (workspace_id));
diesel::joinable!(message_sources -> workspaces (workspace_id));
diesel::joinable!(messages -> workspaces (workspace_id));
diesel::joinable!(model_calls -> workspaces (workspace_id));
diesel::joinable!(service_tokens -> workspaces (workspace_id));
diesel::joinable!(webhook_subscriptions -> workspaces (workspace_id));
diesel::joinable!(workspace_admins -> admin_users (admin_user_id));
diesel::joinable!(workspace_admins -> workspaces (workspace_id));
diesel::joinable!(workspace_settings -> workspaces (workspace_id));

diesel::allow_tables_to_appear_in_same_query!(
    admin_tokens,
    admin_users,
    analytics_events,
    audit_log,
    chunk_reembeddings,
    conversations,
    datasources,
    document_chunks,
    documents,
    feedback,
    job_queues,
    job_schedules,
    jobs,
    login_throttles,
    message_deltas,
    message_sources,
    messages,
    model_calls,
    service_tokens,
    webhook_subscriptions,
    workspace_admins,
    workspace_settings,
    workspaces,
);
