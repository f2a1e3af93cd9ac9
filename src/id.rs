//! Typed ids: a document's id can't be passed as a workspace's.

use uuid::Uuid;

use crate::error::{Error, Result};

#[doc(hidden)]
pub fn parse(text: &str, what: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(|error| {
        Error::invalid(format!("{text:?} is not a valid id of {what}"))
            .remedy("use a UUID, such as 00000000-0000-7000-8000-000000000001")
            .caused_by(error)
    })
}

/// Declares types of ids. Each wraps a UUID, and no type converts into another.
///
/// `"a tag"` names the row in the error about a text that is not an id.
///
/// ```
/// workspace_db::typed_ids! {
///     /// Names a row of `document_tags` within its workspace.
///     pub DocumentTagId, "a tag";
/// }
/// let error = "red".parse::<DocumentTagId>().unwrap_err();
/// assert!(error.to_string().contains("a valid id of a tag"));
/// ```
#[macro_export]
macro_rules! typed_ids {
    ($($(#[$doc:meta])* $visibility:vis $name:ident, $what:literal;)+) => {$(
        $(#[$doc])*
        ///
        /// It wraps a UUID; [`generate`](Self::generate) creates version 7, which sorts by the time of creation.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, $crate::__private::DieselNewType,
        )]
        $visibility struct $name($crate::__private::Uuid);

        impl $name {
            /// Returns a new id, which sorts after every id created before on this machine.
            #[must_use]
            pub fn generate() -> Self {
                Self($crate::__private::Uuid::now_v7())
            }

            /// Returns the same id as a plain UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> &$crate::__private::Uuid {
                &self.0
            }
        }

        impl From<$crate::__private::Uuid> for $name {
            fn from(uuid: $crate::__private::Uuid) -> Self {
                Self(uuid)
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::core::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(text: &str) -> $crate::Result<Self> {
                $crate::id::parse(text, $what).map(Self)
            }
        }

        impl $crate::__private::serde::Serialize for $name {
            fn serialize<S: $crate::__private::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::__private::serde::Serialize::serialize(&self.0, serializer)
            }
        }

        impl<'de> $crate::__private::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::__private::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::__private::serde::Deserialize::deserialize(deserializer).map(Self)
            }
        }
    )+};
}

typed_ids! {
    /// Names a row of `admin_tokens`.
    pub AdminTokenId, "a token";
    /// Names a row of `admin_users`.
    pub AdminUserId, "an administrator";
    /// Names a row of `analytics_events` within its workspace.
    pub AnalyticsEventId, "an event";
    /// Names an entry of `audit_log` within its workspace.
    pub AuditEntryId, "an entry of the audit log";
    /// Names a row of `conversations` within its workspace.
    pub ConversationId, "a conversation";
    /// Names a row of `datasources` within its workspace.
    pub DatasourceId, "a datasource";
    /// Names a row of `document_chunks` within its workspace.
    pub DocumentChunkId, "a chunk";
    /// Names a row of `documents` within its workspace.
    pub DocumentId, "a document";
    /// Names a row of `feedback` within its workspace.
    pub FeedbackId, "a feedback";
    /// Names a row of `message_sources` within its workspace.
    pub MessageSourceId, "a source of a message";
    /// Names a row of `model_calls` within its workspace.
    pub ModelCallId, "a call of a model";
    /// Names a row of `job_schedules` within its workspace.
    pub JobScheduleId, "a schedule";
    /// Names a row of `jobs` within its workspace.
    pub JobId, "a job";
    /// Names a row of `messages` within its workspace.
    pub MessageId, "a message";
    /// Names a row of `service_tokens` within its workspace.
    pub ServiceTokenId, "a service's token";
    /// Names a row of `webhook_subscriptions` within its workspace.
    pub WebhookSubscriptionId, "a webhook subscription";
    /// Names a row of `workspace_admins` within its workspace.
    pub WorkspaceAdminId, "a membership";
    /// Names a workspace, the tenant.
    pub WorkspaceId, "a workspace";
}

impl WorkspaceId {
    /// Id of the platform as a whole in the audit log: the nil UUID, which no workspace has.
    pub const PLATFORM: Self = Self(Uuid::nil());
}
