//! The only list of this crate's tenant tables and of the relations between them.

use crate::id::{
    AnalyticsEventId, AuditEntryId, ConversationId, DatasourceId, DocumentChunkId, DocumentId, FeedbackId, JobId,
    JobScheduleId, MessageId, MessageSourceId, ModelCallId, ServiceTokenId, WebhookSubscriptionId, WorkspaceAdminId,
};
use crate::schema::{
    analytics_events, audit_log, chunk_reembeddings, conversations, datasources, document_chunks, documents, feedback,
    job_schedules, jobs, message_deltas, message_sources, messages, model_calls, service_tokens, webhook_subscriptions,
    workspace_admins, workspace_settings,
};

/// Registers the tables, and defines the macro that permits each in one query with a table of another crate.
macro_rules! register {
    ($($table:ident $(: $id:ty)? $(=> $read_only:ident)?),+ $(,)?) => {
        crate::tenant_tables!(@register $($table $(: $id)? $(=> $read_only)?),+);

        #[doc(hidden)]
        #[macro_export]
        macro_rules! __appear_with_tenant_tables {
            ($mine:ident) => {
                $($crate::appear_together!(@pair $mine::table, $crate::schema::$table::table);)+
            };
        }
    };
}

register! {
    analytics_events: AnalyticsEventId,
    audit_log: AuditEntryId => read_only,
    chunk_reembeddings,
    conversations: ConversationId,
    datasources: DatasourceId,
    document_chunks: DocumentChunkId,
    documents: DocumentId,
    feedback: FeedbackId,
    job_schedules: JobScheduleId => read_only,
    jobs: JobId => read_only,
    message_deltas => read_only,
    message_sources: MessageSourceId,
    messages: MessageId,
    model_calls: ModelCallId,
    service_tokens: ServiceTokenId => read_only,
    webhook_subscriptions: WebhookSubscriptionId,
    workspace_admins: WorkspaceAdminId => read_only,
    workspace_settings => read_only,
}

crate::vector_columns! {
    chunk_reembeddings.vector: 1536;
    document_chunks.vector: 1536;
}

crate::relations! {
    documents.datasource_id => datasources;
    document_chunks.document_id => documents;
    chunk_reembeddings.chunk_id => document_chunks;
    messages.conversation_id => conversations;
    message_deltas.message_id => messages;
    message_sources.message_id => messages;
    model_calls.message_id => messages;
    feedback.message_id => messages;
    analytics_events.conversation_id => conversations;
    analytics_events.message_id => messages;
}
