//! One row in every table.

use chrono::{TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use secrecy::SecretString;

use workspace_db::Result;
use workspace_db::id::{
    AdminUserId, AnalyticsEventId, ConversationId, DatasourceId, DocumentChunkId, DocumentId, FeedbackId, JobId,
    MessageId, WebhookSubscriptionId, WorkspaceAdminId, WorkspaceId,
};
use workspace_db::models::{
    NewAdminUser, NewAnalyticsEvent, NewChunkReembedding, NewConversation, NewDatasource, NewDocument,
    NewDocumentChunk, NewFeedback, NewMessage, NewMessageSource, NewModelCall, NewWebhookSubscription, NewWorkspace,
    NewWorkspaceAdmin, NewWorkspaceSettings, Workspace,
};
use workspace_db::schema::{
    admin_users, analytics_events, audit_log, chunk_reembeddings, conversations, datasources, document_chunks,
    documents, feedback, job_schedules, jobs, message_deltas, message_sources, messages, model_calls, service_tokens,
    webhook_subscriptions, workspace_admins, workspace_settings, workspaces,
};
use workspace_db::sql_types::{
    AuditActor, DIMENSIONS, DatasourceType, Embedding, FeedbackJudge, MessageRole, PasswordHash, ServiceAccess,
    TokenHash,
};

/// The ids of the rows that [`seed`] inserted.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each field is the id of the row in the table of its name")]
pub struct SeededWorkspace {
    pub workspace: WorkspaceId,
    pub admin_user: AdminUserId,
    pub workspace_admin: WorkspaceAdminId,
    pub datasource: DatasourceId,
    pub document: DocumentId,
    pub document_chunk: DocumentChunkId,
    pub conversation: ConversationId,
    pub message: MessageId,
    pub feedback: FeedbackId,
    pub analytics_event: AnalyticsEventId,
    pub webhook_subscription: WebhookSubscriptionId,
    pub job: JobId,
}

/// Inserts a workspace with that slug, one row in every tenant table and an administrator. The rows are linked with each
/// other.
///
/// Seed two, `a` and `b`, and query as `a`: the result must have only rows of `a`.
///
/// # Errors
///
/// [`is_conflict`](workspace_db::Error::is_conflict) if the slug is taken.
///
/// ```no_run
/// # async fn example(conn: &mut diesel_async::AsyncPgConnection) -> workspace_db::Result<()> {
/// let (a, b) = (workspace_db_testing::seed(conn, "a").await?, workspace_db_testing::seed(conn, "b").await?);
/// assert_ne!(a.workspace, b.workspace);
/// # Ok(())
/// # }
/// ```
pub async fn seed(conn: &mut AsyncPgConnection, slug: &str) -> Result<SeededWorkspace> {
    let new_workspace = NewWorkspace::new(slug.parse()?, slug.parse()?);
    let workspace = new_workspace.id;
    diesel::insert_into(workspaces::table).values(&new_workspace).execute(conn).await?;
    macro_rules! insert {
        ($table:ident, $new:expr) => {
            diesel::insert_into($table::table).values(($table::workspace_id.eq(workspace), $new)).execute(conn).await?
        };
    }
    let admin = NewAdminUser::new(
        format!("admin@{slug}.example").parse()?,
        PasswordHash::from_password(&SecretString::from("seeded"))?,
    );
    diesel::insert_into(admin_users::table).values(&admin).execute(conn).await?;
    insert!(workspace_settings, NewWorkspaceSettings::default());
    let membership = NewWorkspaceAdmin { joined_at: Some(Utc::now()), ..NewWorkspaceAdmin::new(admin.id) };
    insert!(workspace_admins, &membership);
    let datasource = NewDatasource::new("Handbook", DatasourceType::Manual);
    insert!(datasources, &datasource);
    let document = NewDocument { datasource_id: Some(datasource.id), ..NewDocument::new("Opening hours") };
    insert!(documents, &document);
    let vector = Embedding::try_from([0.5; DIMENSIONS])?;
    let chunk = NewDocumentChunk::new(document.id, 0, "We are open from nine to five.", vector, "seeded");
    insert!(document_chunks, &chunk);
    let waiting = NewChunkReembedding::new(chunk.id, &chunk.content, chunk.vector.clone(), "seeded-next");
    insert!(chunk_reembeddings, &waiting);
    let conversation = NewConversation::default();
    insert!(conversations, &conversation);
    let message = NewMessage::new(conversation.id, MessageRole::User, "When do you open?");
    insert!(messages, &message);
    insert!(
        message_deltas,
        (
            message_deltas::message_id.eq(message.id),
            message_deltas::position.eq(0),
            message_deltas::content.eq("From nine"),
        )
    );
    let source = NewMessageSource::new(message.id, 1, chunk.id, document.id, &chunk.content);
    insert!(message_sources, &source);
    insert!(model_calls, &NewModelCall::new(message.id, "seeded"));
    let judgement = NewFeedback {
        admin_user_id: Some(admin.id),
        judge: Some(FeedbackJudge::Reviewer),
        ..NewFeedback::new(message.id, 1)
    };
    insert!(feedback, &judgement);
    let event = NewAnalyticsEvent {
        conversation_id: Some(conversation.id),
        message_id: Some(message.id),
        ..NewAnalyticsEvent::new("message.created")
    };
    insert!(analytics_events, &event);
    let subscription = NewWebhookSubscription::new("https://example.com/hook");
    insert!(webhook_subscriptions, &subscription);
    let job = JobId::generate();
    insert!(jobs, (jobs::id.eq(job), jobs::job_type.eq("reindex")));
    insert!(
        job_schedules,
        (
            job_schedules::name.eq("nightly"),
            job_schedules::cron.eq("0 3 * * *"),
            job_schedules::job_type.eq("reindex"),
            job_schedules::next_at.eq(Utc::now() + TimeDelta::days(1)),
        )
    );
    insert!(
        audit_log,
        (
            audit_log::action.eq("workspace.create"),
            audit_log::actor.eq(AuditActor::Operator),
            audit_log::reason.eq("seeded"),
            audit_log::object_table.eq("workspaces"),
            audit_log::object_id.eq(*workspace.as_uuid()),
        )
    );
    insert!(
        service_tokens,
        (
            service_tokens::name.eq("seeded"),
            service_tokens::access.eq(ServiceAccess::Read),
            service_tokens::token_hash.eq(TokenHash::from_token(workspace.as_uuid().as_bytes())),
            service_tokens::expires_at.eq(Utc::now() + TimeDelta::days(1)),
        )
    );
    Ok(SeededWorkspace {
        workspace,
        admin_user: admin.id,
        workspace_admin: membership.id,
        datasource: datasource.id,
        document: document.id,
        document_chunk: chunk.id,
        conversation: conversation.id,
        message: message.id,
        feedback: judgement.id,
        analytics_event: event.id,
        webhook_subscription: subscription.id,
        job,
    })
}

/// Inserts an empty workspace with that slug, for tests that fill it themselves.
///
/// # Errors
///
/// [`is_conflict`](workspace_db::Error::is_conflict) if the slug is taken; [`is_invalid_input`](workspace_db::Error::is_invalid_input) if
/// it is not a valid slug.
///
/// ```no_run
/// # async fn example(conn: &mut diesel_async::AsyncPgConnection) -> workspace_db::Result<()> {
/// let acme = workspace_db_testing::workspace(conn, "acme").await?;
/// # drop(acme);
/// # Ok(())
/// # }
/// ```
pub async fn workspace(conn: &mut AsyncPgConnection, slug: &str) -> Result<Workspace> {
    let new = NewWorkspace::new(slug.parse()?, slug.parse()?);
    Ok(diesel::insert_into(workspaces::table)
        .values(&new)
        .returning(Workspace::as_returning())
        .get_result(conn)
        .await?)
}
