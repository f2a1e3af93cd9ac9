//! Typed ids: a document's id can't stand where a workspace's is asked for.

use std::fmt;
use std::str::FromStr;

use diesel_derive_newtype::DieselNewType;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Result};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $what:literal;)+) => {$(
        $(#[$doc])*
        ///
        /// A UUID underneath; [`generate`](Self::generate) makes version 7, whose order is the order of making.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DieselNewType,
        )]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, later in order than every one made before on this machine.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The same id as a plain UUID.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Uuid::parse_str(text).map(Self).map_err(|error| {
                    Error::invalid(format!("{text:?} is not the id of {}", $what))
                        .remedy("ids are UUIDs, such as 00000000-0000-7000-8000-000000000001")
                        .caused_by(error)
                })
            }
        }
    )+};
}

ids! {
    /// Names a row of `admin_users`.
    AdminUserId, "an administrator";
    /// Names a row of `analytics_events` within its workspace.
    AnalyticsEventId, "an event";
    /// Names a row of `conversations` within its workspace.
    ConversationId, "a conversation";
    /// Names a row of `datasources` within its workspace.
    DatasourceId, "a datasource";
    /// Names a row of `document_chunks` within its workspace.
    DocumentChunkId, "a chunk";
    /// Names a row of `documents` within its workspace.
    DocumentId, "a document";
    /// Names a row of `feedback` within its workspace.
    FeedbackId, "a feedback";
    /// Names a row of `jobs` within its workspace.
    JobId, "a job";
    /// Names a row of `messages` within its workspace.
    MessageId, "a message";
    /// Names a row of `webhook_subscriptions` within its workspace.
    WebhookSubscriptionId, "a webhook subscription";
    /// Names a row of `workspace_admins` within its workspace.
    WorkspaceAdminId, "a membership";
    /// Names a workspace, the tenant.
    WorkspaceId, "a workspace";
}
