//! Table `workspace_settings`: look and behaviour of a workspace, one row each. Language, threshold and publication live in workspaces alone.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::WorkspaceId;
use crate::schema::workspace_settings;
use crate::sql_types::{
    Email, HexColor, LanguageTag, Metadata, Name, Prose, SealedSecret, StatementTime, TextArray, WebUrl,
};

/// Look and behaviour of a workspace.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = workspace_settings)]
pub struct WorkspaceSettings {
    /// The workspace, and the primary key.
    pub workspace_id: WorkspaceId,
    /// Manner of the answers.
    pub tone: Option<String>,
    /// Main colour of the branding.
    pub primary_color: Option<String>,
    /// Accent colour of the branding.
    pub accent_color: Option<String>,
    /// Background colour of the branding.
    pub background_color: Option<String>,
    /// First words to a visitor.
    pub welcome_message: Option<String>,
    /// Address of the logo.
    pub logo_url: Option<String>,
    /// Address of the banner.
    pub banner_url: Option<String>,
    /// Where a visitor finds a person.
    pub support_email: Option<String>,
    /// Language where the visitor's own is not served, a BCP 47 tag.
    pub fallback_language: Option<LanguageTag>,
    /// Whether answers carry the platform's mark.
    pub watermark_enabled: bool,
    /// Default address for webhooks.
    pub webhook_url: Option<String>,
    /// Sealed secret that signs the default webhook: XChaCha20-Poly1305, bound to the workspace.
    #[serde(skip)]
    pub webhook_secret: Option<SealedSecret>,
    /// Names of the events that the default webhook receives.
    pub webhook_events: TextArray,
    /// Sampling temperature of the model, 0 to 2.
    pub temperature: Option<f64>,
    /// Anything else, as a JSON object.
    pub metadata: Value,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
    /// Days that entries of the audit log are kept, where that is more than the platform's.
    pub audit_retention_days: Option<i32>,
    /// Days that closed conversations are kept; NULL for the platform's.
    pub conversation_retention_days: Option<i32>,
    /// Days that analytics events are kept; NULL for the platform's.
    pub event_retention_days: Option<i32>,
    /// Days that finished jobs are kept; NULL for the platform's.
    pub job_retention_days: Option<i32>,
}

/// A row of `workspace_settings` to insert. The workspace is not in it: [`auth`](crate::auth) makes both together.
///
/// `None` leaves a column to its default, or to NULL where it has none.
#[derive(Clone, Debug, Default, PartialEq, Insertable)]
#[diesel(table_name = workspace_settings)]
pub struct NewWorkspaceSettings {
    /// Manner of the answers.
    pub tone: Option<Name>,
    /// Main colour of the branding.
    pub primary_color: Option<HexColor>,
    /// Accent colour of the branding.
    pub accent_color: Option<HexColor>,
    /// Background colour of the branding.
    pub background_color: Option<HexColor>,
    /// First words to a visitor.
    pub welcome_message: Option<Prose>,
    /// Address of the logo.
    pub logo_url: Option<WebUrl>,
    /// Address of the banner.
    pub banner_url: Option<WebUrl>,
    /// Where a visitor finds a person.
    pub support_email: Option<Email>,
    /// Language where the visitor's own is not served, a BCP 47 tag.
    pub fallback_language: Option<LanguageTag>,
    /// Whether answers carry the platform's mark.
    pub watermark_enabled: Option<bool>,
    /// Default address for webhooks.
    pub webhook_url: Option<WebUrl>,
    /// Sealed secret that signs the default webhook: XChaCha20-Poly1305, bound to the workspace.
    pub webhook_secret: Option<SealedSecret>,
    /// Names of the events that the default webhook receives.
    pub webhook_events: Option<TextArray>,
    /// Sampling temperature of the model, 0 to 2.
    pub temperature: Option<f64>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Metadata>,
    /// Days that entries of the audit log are kept, where that is more than the platform's.
    pub audit_retention_days: Option<i32>,
    /// Days that closed conversations are kept; NULL for the platform's.
    pub conversation_retention_days: Option<i32>,
    /// Days that analytics events are kept; NULL for the platform's.
    pub event_retention_days: Option<i32>,
    /// Days that finished jobs are kept; NULL for the platform's.
    pub job_retention_days: Option<i32>,
}

/// What may change in a row of `workspace_settings`; `None` leaves a column as it is, `Some(None)` sets it to NULL.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = workspace_settings)]
pub struct WorkspaceSettingsChanges {
    /// Manner of the answers.
    pub tone: Option<Option<Name>>,
    /// Main colour of the branding.
    pub primary_color: Option<Option<HexColor>>,
    /// Accent colour of the branding.
    pub accent_color: Option<Option<HexColor>>,
    /// Background colour of the branding.
    pub background_color: Option<Option<HexColor>>,
    /// First words to a visitor.
    pub welcome_message: Option<Option<Prose>>,
    /// Address of the logo.
    pub logo_url: Option<Option<WebUrl>>,
    /// Address of the banner.
    pub banner_url: Option<Option<WebUrl>>,
    /// Where a visitor finds a person.
    pub support_email: Option<Option<Email>>,
    /// Language where the visitor's own is not served, a BCP 47 tag.
    pub fallback_language: Option<Option<LanguageTag>>,
    /// Whether answers carry the platform's mark.
    pub watermark_enabled: Option<bool>,
    /// Default address for webhooks.
    pub webhook_url: Option<Option<WebUrl>>,
    /// Sealed secret that signs the default webhook: XChaCha20-Poly1305, bound to the workspace.
    pub webhook_secret: Option<Option<SealedSecret>>,
    /// Names of the events that the default webhook receives.
    pub webhook_events: Option<TextArray>,
    /// Sampling temperature of the model, 0 to 2.
    pub temperature: Option<Option<f64>>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Metadata>,
    /// Days that entries of the audit log are kept, where that is more than the platform's.
    pub audit_retention_days: Option<Option<i32>>,
    /// Days that closed conversations are kept; NULL for the platform's.
    pub conversation_retention_days: Option<Option<i32>>,
    /// Days that analytics events are kept; NULL for the platform's.
    pub event_retention_days: Option<Option<i32>>,
    /// Days that finished jobs are kept; NULL for the platform's.
    pub job_retention_days: Option<Option<i32>>,
    /// Time of the last change: the statement's own, always.
    pub updated_at: StatementTime,
}
