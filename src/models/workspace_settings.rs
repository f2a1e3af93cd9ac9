//! Table `workspace_settings`: appearance and behaviour of a workspace, one row each.
//! Language, threshold and publication are columns of workspaces.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::WorkspaceId;
use crate::schema::workspace_settings;
use crate::sql_types::{
    Email, HexColor, ImageUrl, LanguageTag, LanguageTags, Metadata, Name, Prose, SealedSecret, StatementTime,
    TextArray, WebUrl,
};

/// Appearance and behaviour of a workspace.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = workspace_settings)]
pub struct WorkspaceSettings {
    /// The workspace, and the primary key.
    pub workspace_id: WorkspaceId,
    /// Tone of the answers.
    pub tone: Option<String>,
    /// Main colour of the branding.
    pub primary_color: Option<String>,
    /// Accent colour of the branding.
    pub accent_color: Option<String>,
    /// Background colour of the branding.
    pub background_color: Option<String>,
    /// Greeting for a visitor.
    pub welcome_message: Option<String>,
    /// URL of the logo.
    pub logo_url: Option<String>,
    /// URL of the banner.
    pub banner_url: Option<String>,
    /// Email address for visitors who need a person.
    pub support_email: Option<String>,
    /// Language if the visitor's own is not available, a BCP 47 tag.
    pub fallback_language: Option<LanguageTag>,
    /// True if answers show the platform's watermark.
    pub watermark_enabled: bool,
    /// Default URL for webhooks.
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
    /// Days that audit entries are kept, if more than the platform's default.
    pub audit_retention_days: Option<i32>,
    /// Days that closed conversations are kept; NULL for the platform's default.
    pub conversation_retention_days: Option<i32>,
    /// Days that analytics events are kept; NULL for the platform's default.
    pub event_retention_days: Option<i32>,
    /// Days that finished jobs are kept; NULL for the platform's default.
    pub job_retention_days: Option<i32>,
    /// Languages that the workspace offers besides its default, at most 100.
    pub languages: LanguageTags,
}

/// A row of `workspace_settings` to insert. It has no workspace: [`auth`](crate::auth) inserts both together.
///
/// `None` gives a column its default, or NULL if it has none.
#[derive(Clone, Debug, Default, PartialEq, Insertable)]
#[diesel(table_name = workspace_settings)]
pub struct NewWorkspaceSettings {
    /// Tone of the answers.
    pub tone: Option<Name>,
    /// Main colour of the branding.
    pub primary_color: Option<HexColor>,
    /// Accent colour of the branding.
    pub accent_color: Option<HexColor>,
    /// Background colour of the branding.
    pub background_color: Option<HexColor>,
    /// Greeting for a visitor.
    pub welcome_message: Option<Prose>,
    /// URL of the logo.
    pub logo_url: Option<ImageUrl>,
    /// URL of the banner.
    pub banner_url: Option<ImageUrl>,
    /// Email address for visitors who need a person.
    pub support_email: Option<Email>,
    /// Language if the visitor's own is not available, a BCP 47 tag.
    pub fallback_language: Option<LanguageTag>,
    /// True if answers show the platform's watermark.
    pub watermark_enabled: Option<bool>,
    /// Default URL for webhooks.
    pub webhook_url: Option<WebUrl>,
    /// Sealed secret that signs the default webhook: XChaCha20-Poly1305, bound to the workspace.
    pub webhook_secret: Option<SealedSecret>,
    /// Names of the events that the default webhook receives.
    pub webhook_events: Option<TextArray>,
    /// Sampling temperature of the model, 0 to 2.
    pub temperature: Option<f64>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Metadata>,
    /// Days that audit entries are kept, if more than the platform's default.
    pub audit_retention_days: Option<i32>,
    /// Days that closed conversations are kept; NULL for the platform's default.
    pub conversation_retention_days: Option<i32>,
    /// Days that analytics events are kept; NULL for the platform's default.
    pub event_retention_days: Option<i32>,
    /// Days that finished jobs are kept; NULL for the platform's default.
    pub job_retention_days: Option<i32>,
    /// Languages that the workspace offers besides its default, at most 100.
    pub languages: Option<LanguageTags>,
}

/// Changes to a row of `workspace_settings`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = workspace_settings)]
pub struct WorkspaceSettingsChanges {
    /// Tone of the answers.
    pub tone: Option<Option<Name>>,
    /// Main colour of the branding.
    pub primary_color: Option<Option<HexColor>>,
    /// Accent colour of the branding.
    pub accent_color: Option<Option<HexColor>>,
    /// Background colour of the branding.
    pub background_color: Option<Option<HexColor>>,
    /// Greeting for a visitor.
    pub welcome_message: Option<Option<Prose>>,
    /// URL of the logo.
    pub logo_url: Option<Option<ImageUrl>>,
    /// URL of the banner.
    pub banner_url: Option<Option<ImageUrl>>,
    /// Email address for visitors who need a person.
    pub support_email: Option<Option<Email>>,
    /// Language if the visitor's own is not available, a BCP 47 tag.
    pub fallback_language: Option<Option<LanguageTag>>,
    /// True if answers show the platform's watermark.
    pub watermark_enabled: Option<bool>,
    /// Default URL for webhooks.
    pub webhook_url: Option<Option<WebUrl>>,
    /// Sealed secret that signs the default webhook: XChaCha20-Poly1305, bound to the workspace.
    pub webhook_secret: Option<Option<SealedSecret>>,
    /// Names of the events that the default webhook receives.
    pub webhook_events: Option<TextArray>,
    /// Sampling temperature of the model, 0 to 2.
    pub temperature: Option<Option<f64>>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Metadata>,
    /// Days that audit entries are kept, if more than the platform's default.
    pub audit_retention_days: Option<Option<i32>>,
    /// Days that closed conversations are kept; NULL for the platform's default.
    pub conversation_retention_days: Option<Option<i32>>,
    /// Days that analytics events are kept; NULL for the platform's default.
    pub event_retention_days: Option<Option<i32>>,
    /// Days that finished jobs are kept; NULL for the platform's default.
    pub job_retention_days: Option<Option<i32>>,
    /// Languages that the workspace offers besides its default, at most 100.
    pub languages: Option<LanguageTags>,
    /// Time of the last change, which every update sets.
    pub updated_at: StatementTime,
}
