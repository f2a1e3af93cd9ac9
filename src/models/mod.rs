//! One file per table: its row, the row to insert, the changes, and the queries that more than one caller needs.
//!
//! | table | row | to insert | to change |
//! |---|---|---|---|
//! | `admin_users` | [`AdminUser`] | [`NewAdminUser`] | [`AdminUserChanges`] |
//! | `workspaces` | [`Workspace`] | [`NewWorkspace`] | [`WorkspaceChanges`] |
//! | `workspace_settings` | [`WorkspaceSettings`] | [`NewWorkspaceSettings`] | [`WorkspaceSettingsChanges`] |
//! | `workspace_admins` | [`WorkspaceAdmin`] | [`NewWorkspaceAdmin`] | by [`auth`](crate::auth) |
//! | `datasources` | [`Datasource`] | [`NewDatasource`] | [`DatasourceChanges`] |
//! | `documents` | [`Document`] | [`NewDocument`] | [`DocumentChanges`] |
//! | `document_chunks` | [`DocumentChunk`] | [`NewDocumentChunk`] | [`DocumentChunkChanges`] |
//! | `chunk_reembeddings` | [`ChunkReembedding`] | [`NewChunkReembedding`] | [`ChunkReembeddingChanges`] |
//! | `conversations` | [`Conversation`] | [`NewConversation`] | [`ConversationChanges`] |
//! | `messages` | [`Message`] | [`NewMessage`] | [`MessageChanges`] |
//! | `message_deltas` | [`MessageDelta`] | by `conversations` | by `conversations` |
//! | `message_sources` | [`MessageSource`] | [`NewMessageSource`] | [`MessageSourceChanges`] |
//! | `model_calls` | [`ModelCall`] | [`NewModelCall`] | [`ModelCallChanges`] |
//! | `feedback` | [`Feedback`] | [`NewFeedback`] | [`FeedbackChanges`] |
//! | `analytics_events` | [`AnalyticsEvent`] | [`NewAnalyticsEvent`] | [`AnalyticsEventChanges`] |
//! | `webhook_subscriptions` | [`WebhookSubscription`] | [`NewWebhookSubscription`] | [`WebhookSubscriptionChanges`] |
//! | `jobs` | [`Job`] | by [`jobs`](crate::jobs) | by [`jobs`](crate::jobs) |
//! | `job_schedules` | [`JobSchedule`] | by [`jobs`](crate::jobs) | by [`jobs`](crate::jobs) |
//! | `job_queues` | [`JobQueue`] | by [`jobs`](crate::jobs) | by [`jobs`](crate::jobs) |
//! | `admin_tokens` | [`AdminToken`] | by [`auth`](crate::auth) | by [`auth`](crate::auth) |
//! | `service_tokens` | [`ServiceToken`] | by [`auth`](crate::auth) | by [`auth`](crate::auth) |
//! | `audit_log` | [`AuditEntry`] | with the action | never |
//!
//! A `New...` of a tenant table has no `workspace_id`: the scope supplies it, see [`tenancy`](crate::tenancy).

mod admin_tokens;
mod admin_users;
mod analytics_events;
mod audit_log;
mod chunk_reembeddings;
mod conversations;
mod datasources;
mod document_chunks;
mod documents;
mod feedback;
mod job_queues;
mod job_schedules;
mod jobs;
mod message_deltas;
mod message_sources;
mod messages;
mod model_calls;
mod service_tokens;
mod webhook_subscriptions;
mod workspace_admins;
mod workspace_languages;
mod workspace_settings;
mod workspaces;

pub use self::admin_tokens::AdminToken;
pub(crate) use self::admin_tokens::NewAdminToken;
pub use self::admin_users::{AdminUser, AdminUserChanges, NewAdminUser};
pub use self::analytics_events::{AnalyticsEvent, AnalyticsEventChanges, NewAnalyticsEvent};
pub use self::audit_log::AuditEntry;
pub(crate) use self::audit_log::NewAuditEntry;
pub use self::chunk_reembeddings::{ChunkReembedding, ChunkReembeddingChanges, NewChunkReembedding};
pub use self::conversations::{Conversation, ConversationChanges, NewConversation};
pub use self::datasources::{Datasource, DatasourceChanges, NewDatasource};
pub use self::document_chunks::{DocumentChunk, DocumentChunkChanges, NewDocumentChunk};
pub use self::documents::INGEST_PIPELINE;
pub use self::documents::{Document, DocumentChanges, NewDocument};
pub use self::feedback::{Feedback, FeedbackChanges, NewFeedback};
pub use self::job_queues::JobQueue;
pub use self::job_schedules::JobSchedule;
pub(crate) use self::job_schedules::NewJobSchedule;
pub use self::jobs::Job;
pub use self::message_deltas::MessageDelta;
pub use self::message_sources::{MessageSource, MessageSourceChanges, NewMessageSource};
pub use self::messages::{Message, MessageChanges, NewMessage};
pub use self::model_calls::{ModelCall, ModelCallChanges, NewModelCall};
pub(crate) use self::service_tokens::NewServiceToken;
pub use self::service_tokens::ServiceToken;
pub use self::webhook_subscriptions::{NewWebhookSubscription, WebhookSubscription, WebhookSubscriptionChanges};
pub use self::workspace_admins::{NewWorkspaceAdmin, WorkspaceAdmin};
pub use self::workspace_languages::WorkspaceLanguages;
pub use self::workspace_settings::{NewWorkspaceSettings, WorkspaceSettings, WorkspaceSettingsChanges};
pub use self::workspaces::{NewWorkspace, Workspace, WorkspaceChanges};

use crate::tenancy::{Keyset, PageKey};

macro_rules! pages_of {
    ($($model:ty),+ $(,)?) => {$(
        #[diagnostic::do_not_recommend]
        impl Keyset for $model {
            fn page_key(&self) -> PageKey {
                PageKey { created_at: self.created_at, id: *self.id.as_uuid() }
            }
        }
    )+};
}

#[diagnostic::do_not_recommend]
impl Keyset for AuditEntry {
    fn page_key(&self) -> PageKey {
        PageKey { created_at: self.occurred_at, id: *self.id.as_uuid() }
    }
}

pages_of!(
    AnalyticsEvent,
    Conversation,
    Datasource,
    Document,
    DocumentChunk,
    Feedback,
    Job,
    JobSchedule,
    Message,
    WebhookSubscription,
    WorkspaceAdmin,
);
