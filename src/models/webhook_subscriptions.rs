//! Table `webhook_subscriptions`: URLs to which a workspace sends its events.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{WebhookSubscriptionId, WorkspaceId};
use crate::schema::webhook_subscriptions;
use crate::sql_types::{SealedSecret, StatementTime, TextArray};

/// A URL to which events are sent.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = webhook_subscriptions)]
pub struct WebhookSubscription {
    /// Identity within the workspace.
    pub id: WebhookSubscriptionId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The URL, unique within the workspace.
    pub url: String,
    /// Sealed secret that signs deliveries: XChaCha20-Poly1305, bound to the workspace.
    #[serde(skip)]
    pub secret: Option<SealedSecret>,
    /// Names of the events to send.
    pub events: TextArray,
    /// Additional headers of a delivery, as a JSON object of strings.
    pub headers: Value,
    /// True if events are sent.
    pub is_active: bool,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
}

/// A row of `webhook_subscriptions` to insert. It has no workspace: the statement supplies it.
///
/// `None` gives a column its default, or NULL if it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = webhook_subscriptions)]
pub struct NewWebhookSubscription {
    /// Identity within the workspace.
    pub id: WebhookSubscriptionId,
    /// The URL, unique within the workspace.
    pub url: String,
    /// Sealed secret that signs deliveries: XChaCha20-Poly1305, bound to the workspace.
    pub secret: Option<SealedSecret>,
    /// Names of the events to send.
    pub events: Option<TextArray>,
    /// Additional headers of a delivery, as a JSON object of strings.
    pub headers: Option<Value>,
    /// True if events are sent.
    pub is_active: Option<bool>,
}

impl NewWebhookSubscription {
    /// Returns a row with these values and a new id; all other columns keep their defaults.
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

/// Changes to a row of `webhook_subscriptions`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = webhook_subscriptions)]
pub struct WebhookSubscriptionChanges {
    /// The URL, unique within the workspace.
    pub url: Option<String>,
    /// Sealed secret that signs deliveries: XChaCha20-Poly1305, bound to the workspace.
    pub secret: Option<Option<SealedSecret>>,
    /// Names of the events to send.
    pub events: Option<TextArray>,
    /// Additional headers of a delivery, as a JSON object of strings.
    pub headers: Option<Value>,
    /// True if events are sent.
    pub is_active: Option<bool>,
    /// Time of the last change, which every update sets.
    pub updated_at: StatementTime,
}

crate::tenant_rows! {
    webhook_subscriptions: NewWebhookSubscription, WebhookSubscriptionChanges;
}
