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
        /// What it is for.
        kind -> AdminTokenKind,
        /// What it is called in lists: of a session, the browser.
        name -> Text,
        /// SHA-256 of the token.
        token_hash -> Bytea,
        /// Network address that it was made from, where it is known.
        address -> Nullable<Text>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last use, to the minute.
        last_used_at -> Nullable<Timestamptz>,
        /// End of its validity.
        expires_at -> Timestamptz,
        /// Time from which it is no longer valid, or of its single use.
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
        /// Whether nothing but a change of password is allowed.
        must_change_password -> Bool,
        /// Given name.
        first_name -> Nullable<Text>,
        /// Family name.
        last_name -> Nullable<Text>,
        /// Reach: superadmin enters every workspace, admin those of workspace_admins.
        role -> AdminRole,
        /// Whether this administrator may log in.
        status -> AdminStatus,
        /// Time of the last successful login.
        last_login_at -> Nullable<Timestamptz>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
        /// Whether an invitation made the account and nobody has entered it yet.
        is_invited -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// What happened in a workspace; outlives the conversation it happened in.
    analytics_events (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The conversation, NULL once it is deleted.
        conversation_id -> Nullable<Uuid>,
        /// The message, NULL once it is deleted.
        message_id -> Nullable<Uuid>,
        /// Kind of event.
        event_type -> Text,
        /// Who, as the embedding application knows them.
        user_identifier -> Nullable<Text>,
        /// Which part of the platform reported it.
        source -> Nullable<Text>,
        /// Details of the event, as a JSON object.
        properties -> Jsonb,
        /// Time at which it happened.
        occurred_at -> Timestamptz,
        /// Time of insertion.
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Who did what. Append-only: nobody updates an entry, and only workspace_db_expire_audit_log deletes some.
    audit_log (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace, which may be gone; the nil UUID for the platform as a whole.
        workspace_id -> Uuid,
        /// What was done, such as workspace.publish.
        action -> Text,
        /// What kind of actor did it.
        actor -> AuditActor,
        /// The administrator, who may be gone.
        admin_user_id -> Nullable<Uuid>,
        /// What an operator gave as the reason.
        reason -> Nullable<Text>,
        /// Network address that it was done from, where it is known.
        address -> Nullable<Text>,
        /// Table of the row that it was done to.
        object_table -> Text,
        /// Id of that row.
        object_id -> Nullable<Uuid>,
        /// What changed, as it was; secrets are left out.
        before -> Nullable<Jsonb>,
        /// What changed, as it is now; secrets are left out.
        after -> Nullable<Jsonb>,
        /// Time of the transaction that did it.
        occurred_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Vectors of the model that a workspace is being switched to.
    chunk_reembeddings (workspace_id, chunk_id) {
        /// The workspace.
        workspace_id -> Uuid,
        /// The passage.
        chunk_id -> Uuid,
        /// What made the vector.
        embedding_model -> Text,
        /// SHA-256 of the text that the vector was made of, in hexadecimal: a passage that has changed since needs another.
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

    /// Talks between a visitor and the assistant of a workspace.
    conversations (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The visitor, as the embedding application knows them.
        external_user_id -> Nullable<Text>,
        /// Title for people.
        title -> Nullable<Text>,
        /// Stage.
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
        /// Time at which it was closed.
        closed_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Where a workspace's documents come from.
    datasources (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// Name for people.
        name -> Text,
        /// What is in it.
        description -> Nullable<Text>,
        /// Kind of source.
        #[sql_name = "type"]
        type_ -> DatasourceType,
        /// What the kind needs to read it, as a JSON object without secrets.
        config -> Jsonb,
        /// How the last synchronisation stands.
        sync_status -> DatasourceSyncStatus,
        /// Where the next synchronisation goes on.
        sync_cursor -> Nullable<Text>,
        /// Why the last synchronisation failed.
        error_message -> Nullable<Text>,
        /// Whether the platform keeps it up to date by itself.
        is_managed -> Bool,
        /// Time of the last completed synchronisation.
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

    /// Passages of documents with their embeddings.
    document_chunks (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The document.
        document_id -> Uuid,
        /// Place in the document, from 0.
        chunk_index -> Int4,
        /// The passage.
        content -> Text,
        /// Length of the passage in tokens of cl100k_base.
        token_count -> Nullable<Int4>,
        /// What made the vector; vectors of two models can't be compared.
        embedding_model -> Text,
        /// The embedding, 1536 dimensions.
        vector -> Vector,
        /// Signs of the embedding's components, generated from vector.
        #[max_length = 1536]
        vector_bits -> Bit,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// BCP 47 language of the passage, which decides how its words are stemmed; without one they are taken as they are.
        language -> Nullable<Text>,
        /// Words of the passage, generated from workspace_id, language and content.
        search_text -> Tsvector,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Texts that a workspace answers from.
    documents (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The datasource that brought it, if one did.
        datasource_id -> Nullable<Uuid>,
        /// Its name in the datasource, unique there.
        external_id -> Nullable<Text>,
        /// Title for people.
        title -> Text,
        /// Name in addresses.
        slug -> Nullable<Text>,
        /// A few sentences on what is in it.
        summary -> Nullable<Text>,
        /// SHA-256 of the source bytes in hexadecimal, by which a change is noticed.
        content_hash -> Nullable<Text>,
        /// Anything else, as a JSON object.
        metadata -> Jsonb,
        /// Stage; only a ready document is searched.
        status -> DocumentStatus,
        /// Whether the public side may quote it.
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

    /// Judgements of messages, at most one each.
    feedback (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The message that is judged.
        message_id -> Uuid,
        /// The administrator who judged, NULL for a visitor.
        admin_user_id -> Nullable<Uuid>,
        /// Bad -1, neither 0, good 1.
        score -> Int2,
        /// Kind of fault or merit.
        label -> Nullable<Text>,
        /// The judge's own words.
        comment -> Nullable<Text>,
        /// Time of insertion.
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// What operators have set for a queue; one without a row is neither paused nor capped.
    job_queues (name) {
        /// Name of the queue.
        name -> Text,
        /// Time from which nothing is claimed from it.
        paused_at -> Nullable<Timestamptz>,
        /// How many jobs of one workspace run from it at once, over all workers.
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

    /// Jobs that are enqueued again and again, by the calendar.
    job_schedules (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace that the jobs are for.
        workspace_id -> Uuid,
        /// What it is known by in the workspace.
        name -> Text,
        /// When it fires, as five fields of cron, or six with seconds first.
        cron -> Text,
        /// Time zone of those fields, by its name in the IANA database.
        time_zone -> Text,
        /// Kind of the jobs.
        job_type -> Text,
        /// Queue of the jobs.
        queue -> Text,
        /// Arguments of the jobs, as a JSON object.
        payload -> Jsonb,
        /// Priority of the jobs.
        priority -> Int4,
        /// How often each may be started.
        max_attempts -> Int4,
        /// The next occurrence, which is the first that has no job yet; NULL where there is none.
        next_at -> Nullable<Timestamptz>,
        /// Time at which the last occurrence got its job.
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

    /// Work to be done in the background, each for one workspace.
    jobs (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace that the work is for.
        workspace_id -> Uuid,
        /// Kind of work.
        job_type -> Text,
        /// State.
        status -> JobStatus,
        /// Arguments, as a JSON object.
        payload -> Jsonb,
        /// How often it was started.
        attempts -> Int4,
        /// How often it may be started.
        max_attempts -> Int4,
        /// Order among those that are due, the smallest first.
        priority -> Int4,
        /// Earliest time to start.
        scheduled_at -> Nullable<Timestamptz>,
        /// Time of the last start.
        started_at -> Nullable<Timestamptz>,
        /// Time of completion.
        completed_at -> Nullable<Timestamptz>,
        /// Time of the last failure.
        failed_at -> Nullable<Timestamptz>,
        /// What the last failure said.
        last_error -> Nullable<Text>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
        /// The queue that it waits in.
        queue -> Text,
        /// What no other job of this kind may have in this workspace, for as long as uniqueness says.
        unique_key -> Nullable<Text>,
        /// For how long unique_key is taken.
        uniqueness -> Nullable<JobUniqueness>,
        /// Drawn by the claim; whatever the worker does must show it. Set while the job runs.
        lease_token -> Nullable<Uuid>,
        /// Until when the worker has the job, unless a heartbeat comes.
        lease_expires_at -> Nullable<Timestamptz>,
        /// Time of the claim or of the last heartbeat.
        heartbeat_at -> Nullable<Timestamptz>,
        /// Name of the worker that has it.
        leased_by -> Nullable<Text>,
        /// Time at which the worker was asked to stop.
        cancel_requested_at -> Nullable<Timestamptz>,
        /// Time of cancellation.
        cancelled_at -> Nullable<Timestamptz>,
        /// What the handler returned.
        result -> Nullable<Jsonb>,
        /// Every failure: a list of {attempt, at, error}.
        errors -> Jsonb,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// How many logins were tried of late, by account and by address: one row is one bucket.
    login_throttles (key) {
        /// SHA-256 of what is counted, so that nobody reads here who tried what.
        key -> Bytea,
        /// When the bucket will be empty: the theoretical arrival time of the generic cell rate algorithm.
        free_at -> Timestamptz,
        /// Time of the last attempt, where the bucket was full.
        refused_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// What was said in a conversation.
    messages (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The conversation.
        conversation_id -> Uuid,
        /// Who speaks.
        role -> MessageRole,
        /// The words.
        content -> Text,
        /// Length in tokens of the model that read or wrote it.
        tokens -> Nullable<Int4>,
        /// How sure the assistant was, 0 to 1.
        confidence -> Nullable<Float8>,
        /// Anything else, as a JSON object.
        metadata -> Jsonb,
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
        /// What it is called in lists.
        name -> Text,
        /// What the service may do.
        access -> ServiceAccess,
        /// SHA-256 of the token.
        token_hash -> Bytea,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last use, to the minute.
        last_used_at -> Nullable<Timestamptz>,
        /// End of its validity.
        expires_at -> Timestamptz,
        /// Time from which it is no longer valid.
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Addresses that a workspace sends its events to.
    webhook_subscriptions (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The address, unique within the workspace.
        url -> Text,
        /// Sealed secret that signs deliveries: XChaCha20-Poly1305, bound to the workspace.
        secret -> Nullable<Bytea>,
        /// Names of the events that are sent.
        events -> Array<Nullable<Text>>,
        /// Further headers of a delivery, as a JSON object of strings.
        headers -> Jsonb,
        /// Whether anything is sent.
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

    /// Which administrators may enter a workspace, and as what.
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
        /// Time of the acceptance, NULL while it is open.
        joined_at -> Nullable<Timestamptz>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// SHA-256 of the token that accepts the invitation, once.
        invitation_hash -> Nullable<Bytea>,
        /// Time until which the invitation can be accepted.
        invitation_expires_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// Look and behaviour of a workspace, one row each. Language, threshold and publication live in workspaces alone.
    workspace_settings (workspace_id) {
        /// The workspace, and the primary key.
        workspace_id -> Uuid,
        /// Manner of the answers.
        tone -> Nullable<Text>,
        /// Main colour of the branding.
        primary_color -> Nullable<Text>,
        /// Accent colour of the branding.
        accent_color -> Nullable<Text>,
        /// Background colour of the branding.
        background_color -> Nullable<Text>,
        /// First words to a visitor.
        welcome_message -> Nullable<Text>,
        /// Address of the logo.
        logo_url -> Nullable<Text>,
        /// Address of the banner.
        banner_url -> Nullable<Text>,
        /// Where a visitor finds a person.
        support_email -> Nullable<Text>,
        /// Language where the visitor's own is not served, a BCP 47 tag.
        fallback_language -> Nullable<Text>,
        /// Whether answers carry the platform's mark.
        watermark_enabled -> Bool,
        /// Default address for webhooks.
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
        /// Days that entries of the audit log are kept, where that is more than the platform's.
        audit_retention_days -> Nullable<Int4>,
        /// Days that closed conversations are kept; NULL for the platform's.
        conversation_retention_days -> Nullable<Int4>,
        /// Days that analytics events are kept; NULL for the platform's.
        event_retention_days -> Nullable<Int4>,
        /// Days that finished jobs are kept; NULL for the platform's.
        job_retention_days -> Nullable<Int4>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::sql_types::*;
    use crate::sql_types::Bit;

    /// The tenants. Every other table but admin_users belongs to one of them.
    workspaces (id) {
        /// The workspace_id of every tenant table.
        id -> Uuid,
        /// Name in addresses and on the command line, unique on the platform.
        slug -> Text,
        /// Name for people.
        name -> Text,
        /// What the workspace is for.
        description -> Nullable<Text>,
        /// Language of its content and answers, a BCP 47 tag such as en or pt-BR.
        default_language -> Text,
        /// Whether the workspace is in use.
        is_active -> Bool,
        /// Whether the public side may be entered by slug.
        is_published -> Bool,
        /// Least confidence, 0 to 1, at which an answer is given.
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
diesel::joinable!(messages -> workspaces (workspace_id));
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
    messages,
    service_tokens,
    webhook_subscriptions,
    workspace_admins,
    workspace_settings,
    workspaces,
);
