//! Table `webhook_subscriptions`: addresses that a workspace sends its events to.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{WebhookSubscriptionId, WorkspaceId};
use crate::schema::webhook_subscriptions;
use crate::sql_types::{SealedSecret, StatementTime, TextArray};

/// An address that events are sent to.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = webhook_subscriptions)]
pub struct WebhookSubscription {
    /// Identity within the workspace.
    pub id: WebhookSubscriptionId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The address, unique within the workspace.
    pub url: String,
    /// Sealed secret that signs deliveries: XChaCha20-Poly1305, bound to the workspace.
    #[serde(skip)]
    pub secret: Option<SealedSecret>,
    /// Names of the events that are sent.
    pub events: TextArray,
    /// Further headers of a delivery, as a JSON object of strings.
    pub headers: Value,
    /// Whether anything is sent.
    pub is_active: bool,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
}

/// A row of `webhook_subscriptions` to insert. The workspace is not in it: the statement supplies it.
///
/// `None` leaves a column to its default, or to NULL where it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = webhook_subscriptions)]
pub struct NewWebhookSubscription {
    /// Identity within the workspace.
    pub id: WebhookSubscriptionId,
    /// The address, unique within the workspace.
    pub url: String,
    /// Sealed secret that signs deliveries: XChaCha20-Poly1305, bound to the workspace.
    pub secret: Option<SealedSecret>,
    /// Names of the events that are sent.
    pub events: Option<TextArray>,
    /// Further headers of a delivery, as a JSON object of strings.
    pub headers: Option<Value>,
    /// Whether anything is sent.
    pub is_active: Option<bool>,
}

impl NewWebhookSubscription {
    /// What is needed; everything else has its default, and the id is fresh.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            id: WebhookSubscriptionId::generate(),
            url: url.into(),
            secret: None,
            events: None,
            headers: None,
            is_active: None,
        }
    }
}

/// What may change in a row of `webhook_subscriptions`; `None` leaves a column as it is, `Some(None)` sets it to NULL.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = webhook_subscriptions)]
pub struct WebhookSubscriptionChanges {
    /// The address, unique within the workspace.
    pub url: Option<String>,
    /// Sealed secret that signs deliveries: XChaCha20-Poly1305, bound to the workspace.
    pub secret: Option<Option<SealedSecret>>,
    /// Names of the events that are sent.
    pub events: Option<TextArray>,
    /// Further headers of a delivery, as a JSON object of strings.
    pub headers: Option<Value>,
    /// Whether anything is sent.
    pub is_active: Option<bool>,
    /// Time of the last change: the statement's own, always.
    pub updated_at: StatementTime,
}

crate::tenant_rows! {
    webhook_subscriptions: NewWebhookSubscription, WebhookSubscriptionChanges;
}
