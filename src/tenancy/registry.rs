//! The one list of this crate's tenant tables and of the relations between them.

use crate::id::{
    AnalyticsEventId, ConversationId, DatasourceId, DocumentChunkId, DocumentId, FeedbackId, JobId, MessageId,
    WebhookSubscriptionId, WorkspaceAdminId,
};
use crate::schema::{
    analytics_events, chunk_reembeddings, conversations, datasources, document_chunks, documents, feedback, jobs,
    messages, webhook_subscriptions, workspace_admins, workspace_settings,
};

crate::tenant_tables! {
    analytics_events: AnalyticsEventId,
    chunk_reembeddings,
    conversations: ConversationId,
    datasources: DatasourceId,
    document_chunks: DocumentChunkId,
    documents: DocumentId,
    feedback: FeedbackId,
    jobs: JobId,
    messages: MessageId,
    webhook_subscriptions: WebhookSubscriptionId,
    workspace_admins: WorkspaceAdminId,
    workspace_settings,
}

crate::relations! {
    documents.datasource_id => datasources;
    document_chunks.document_id => documents;
    chunk_reembeddings.chunk_id => document_chunks;
    messages.conversation_id => conversations;
    feedback.message_id => messages;
    analytics_events.conversation_id => conversations;
    analytics_events.message_id => messages;
}
