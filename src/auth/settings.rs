//! Settings of a workspace: the input of a request, and the effective values.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::config::Retention;
use crate::error::{Error, ErrorKind, Result};
use crate::models::{NewAuditEntry, NewWorkspaceSettings, Workspace, WorkspaceSettings, WorkspaceSettingsChanges};
use crate::schema::workspace_settings;
use crate::sql_types::{LanguageTag, LanguageTags, Metadata, TextArray};
use crate::tenancy::{Access, Administer, Database, PlatformExecutor, WorkspaceScope};

/// Tone of the answers if the workspace sets none.
const TONE: &str = "professional";
/// Sampling temperature if the workspace sets none.
const TEMPERATURE: f64 = 0.7;
/// Maximum number of days for which data is kept: 100 years.
const MAX_DAYS: i32 = 36_500;
/// Maximum number of event names for one webhook.
const MAX_EVENTS: usize = 100;

/// Effective settings of a workspace. A setting without a value falls back to the workspace's row, then to the
/// platform.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "each other field is the setting, or the workspace's column, of its name")]
pub struct EffectiveSettings {
    pub name: String,
    pub default_language: LanguageTag,
    pub fallback_language: LanguageTag,
    /// All languages that the workspace offers, the default first.
    pub languages: Vec<LanguageTag>,
    pub confidence_threshold: f64,
    pub temperature: f64,
    pub tone: String,
    pub is_published: bool,
    pub watermark_enabled: bool,
    pub primary_color: Option<String>,
    pub accent_color: Option<String>,
    pub background_color: Option<String>,
    pub welcome_message: Option<String>,
    pub logo_url: Option<String>,
    pub banner_url: Option<String>,
    pub support_email: Option<String>,
    pub webhook_url: Option<String>,
    pub webhook_events: Vec<String>,
    pub metadata: Value,
    pub retention: Retention,
}

impl EffectiveSettings {
    /// Resolves the settings from the rows. Only this function defines their precedence.
    pub(crate) fn resolve(workspace: Workspace, settings: Option<&WorkspaceSettings>, platform: Retention) -> Self {
        let own = settings.map_or_else(Retention::default, |own| Retention {
            audit_days: days(own.audit_retention_days),
            conversation_days: days(own.conversation_retention_days),
            event_days: days(own.event_retention_days),
            job_days: days(own.job_retention_days),
        });
        let others = settings.map(|own| own.languages.as_slice()).unwrap_or_default().iter();
        let mut languages = vec![workspace.default_language.clone()];
        for language in others {
            if !languages.iter().any(|known| known.as_str().eq_ignore_ascii_case(language.as_str())) {
                languages.push(language.clone());
            }
        }
        let text = |of: fn(&WorkspaceSettings) -> &Option<String>| settings.and_then(|own| of(own).clone());
        Self {
            languages,
            fallback_language: settings
                .and_then(|own| own.fallback_language.clone())
                .unwrap_or_else(|| workspace.default_language.clone()),
            temperature: settings.and_then(|own| own.temperature).unwrap_or(TEMPERATURE),
            tone: text(|own| &own.tone).unwrap_or_else(|| TONE.to_owned()),
            watermark_enabled: settings.is_some_and(|own| own.watermark_enabled),
            primary_color: text(|own| &own.primary_color),
            accent_color: text(|own| &own.accent_color),
            background_color: text(|own| &own.background_color),
            welcome_message: text(|own| &own.welcome_message),
            logo_url: text(|own| &own.logo_url),
            banner_url: text(|own| &own.banner_url),
            support_email: text(|own| &own.support_email),
            webhook_url: text(|own| &own.webhook_url),
            webhook_events: settings.map(|own| own.webhook_events.0.clone()).unwrap_or_default(),
            metadata: settings.map_or_else(|| Value::Object(serde_json::Map::new()), |own| own.metadata.clone()),
            retention: own.over(platform),
            name: workspace.name,
            default_language: workspace.default_language,
            confidence_threshold: workspace.confidence_threshold,
            is_published: workspace.is_published,
        }
    }
}

fn days(stored: Option<i32>) -> Option<u32> {
    stored.and_then(|days| u32::try_from(days).ok())
}

/// Returns the effective settings of the scope's workspace.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the scope no longer grants access.
///
/// ```no_run
/// use workspace_db::auth;
/// use workspace_db::tenancy::{Database, WorkspaceScope};
///
/// # async fn example(db: &Database, scope: &WorkspaceScope) -> workspace_db::Result<()> {
/// let settings = auth::settings(db, scope).await?;
/// println!("answer in {} tone, at {}", settings.tone, settings.temperature);
/// # Ok(())
/// # }
/// ```
pub async fn settings<A: Access>(db: &Database, scope: &WorkspaceScope<A>) -> Result<EffectiveSettings> {
    db.reauthorize(scope).await?;
    let workspace = scope.workspace();
    db.platform(async |conn| {
        let row: Option<Workspace> = Workspace::query().find(workspace).first(conn).await.optional()?;
        let row = row.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no workspace {workspace}")))?;
        let own: Option<WorkspaceSettings> = WorkspaceSettings::query().find(workspace).first(conn).await.optional()?;
        Ok(EffectiveSettings::resolve(row, own.as_ref(), db.retention()))
    })
    .await
}

/// Changes the settings of the scope's workspace and returns them.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input), with the field, if a number is out of bounds;
/// [`is_not_found`](Error::is_not_found) and [`is_forbidden`](Error::is_forbidden) if the scope's administrator may no
/// longer administer the workspace.
///
/// ```no_run
/// use workspace_db::auth::{SettingsInput, change_settings};
/// use workspace_db::tenancy::{Administer, Database, WorkspaceScope};
///
/// # async fn example(db: &Database, scope: &WorkspaceScope<Administer>, body: &str) -> workspace_db::Result<()> {
/// let input: SettingsInput = serde_json::from_str(body).expect("a form of your own");
/// change_settings(db, scope, &input.checked()?).await?;
/// # Ok(())
/// # }
/// ```
pub async fn change_settings(
    db: impl PlatformExecutor,
    scope: &WorkspaceScope<Administer>,
    changes: &WorkspaceSettingsChanges,
) -> Result<WorkspaceSettings> {
    check_bounds(&SettingsBounds::from(changes))?;
    let workspace = scope.workspace();
    let database = db.token()?;
    db.run(async |conn| {
        let actor = scope.actor(conn, database).await?;
        // A workspace without a row of settings gets one with the defaults.
        diesel::insert_into(workspace_settings::table)
            .values(workspace_settings::workspace_id.eq(workspace))
            .on_conflict_do_nothing()
            .execute(conn)
            .await?;
        let query = WorkspaceSettings::query().find(workspace).for_no_key_update();
        let before: WorkspaceSettings = query.first(conn).await?;
        let after = diesel::update(workspace_settings::table.find(workspace))
            .set(changes)
            .returning(WorkspaceSettings::as_returning())
            .get_result(conn)
            .await?;
        let mut entry = NewAuditEntry::new(actor, "settings.change", "workspace_settings", Some(*workspace.as_uuid()))
            .for_workspace(workspace)
            .change(&before, &after);
        if changes.webhook_secret.is_some() {
            entry = entry.and_changed("webhook_secret");
        }
        entry.insert(conn).await?;
        Ok(after)
    })
    .await
}

/// Settings whose bounds their types do not check.
pub(super) struct SettingsBounds<'a> {
    temperature: Option<f64>,
    days: [(&'static str, Option<i32>); 4],
    events: Option<&'a TextArray>,
}

impl<'a> From<&'a NewWorkspaceSettings> for SettingsBounds<'a> {
    fn from(new: &'a NewWorkspaceSettings) -> Self {
        Self {
            temperature: new.temperature,
            days: [
                ("audit_retention_days", new.audit_retention_days),
                ("conversation_retention_days", new.conversation_retention_days),
                ("event_retention_days", new.event_retention_days),
                ("job_retention_days", new.job_retention_days),
            ],
            events: new.webhook_events.as_ref(),
        }
    }
}

impl<'a> From<&'a WorkspaceSettingsChanges> for SettingsBounds<'a> {
    fn from(changes: &'a WorkspaceSettingsChanges) -> Self {
        Self {
            temperature: changes.temperature.flatten(),
            days: [
                ("audit_retention_days", changes.audit_retention_days.flatten()),
                ("conversation_retention_days", changes.conversation_retention_days.flatten()),
                ("event_retention_days", changes.event_retention_days.flatten()),
                ("job_retention_days", changes.job_retention_days.flatten()),
            ],
            events: changes.webhook_events.as_ref(),
        }
    }
}

pub(super) fn check_bounds(settings: &SettingsBounds<'_>) -> Result<()> {
    if settings.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
        return Err(Error::invalid("must be between 0 and 2").of_field("temperature"));
    }
    for (field, days) in settings.days {
        if days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
            return Err(Error::invalid(format!("must be between 1 and {MAX_DAYS} days")).of_field(field));
        }
    }
    let is_wrong = |event: &String| event.is_empty() || event.len() > 200 || event.chars().any(char::is_control);
    match settings.events {
        Some(events) if events.0.len() > MAX_EVENTS || events.0.iter().any(is_wrong) => {
            Err(Error::invalid("must be a list of at most 100 event names").of_field("webhook_events"))
        }
        _ => Ok(()),
    }
}

/// Settings of a request, in JSON. A missing field keeps its value, and `null` resets it to the default.
/// `languages`, `watermark_enabled`, `webhook_events` and `metadata` are never empty, so `null` keeps them.
///
/// [`checked`](Self::checked) returns a changeset, or an error that names the invalid field.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is the column of its name")]
pub struct SettingsInput {
    #[serde(deserialize_with = "present")]
    pub tone: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub primary_color: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub accent_color: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub background_color: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub welcome_message: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub logo_url: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub banner_url: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub support_email: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    pub fallback_language: Option<Option<String>>,
    pub languages: Option<Vec<String>>,
    pub watermark_enabled: Option<bool>,
    #[serde(deserialize_with = "present")]
    pub webhook_url: Option<Option<String>>,
    pub webhook_events: Option<Vec<String>>,
    #[serde(deserialize_with = "present")]
    pub temperature: Option<Option<f64>>,
    pub metadata: Option<Value>,
    #[serde(deserialize_with = "present")]
    pub audit_retention_days: Option<Option<i32>>,
    #[serde(deserialize_with = "present")]
    pub conversation_retention_days: Option<Option<i32>>,
    #[serde(deserialize_with = "present")]
    pub event_retention_days: Option<Option<i32>>,
    #[serde(deserialize_with = "present")]
    pub job_retention_days: Option<Option<i32>>,
}

impl SettingsInput {
    /// Returns the changeset.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input), with the invalid [`field`](Error::field).
    pub fn checked(self) -> Result<WorkspaceSettingsChanges> {
        let metadata = self.metadata.map(Metadata::try_from).transpose();
        let changes = WorkspaceSettingsChanges {
            tone: parse_patch("tone", self.tone)?,
            primary_color: parse_patch("primary_color", self.primary_color)?,
            accent_color: parse_patch("accent_color", self.accent_color)?,
            background_color: parse_patch("background_color", self.background_color)?,
            welcome_message: parse_patch("welcome_message", self.welcome_message)?,
            logo_url: parse_patch("logo_url", self.logo_url)?,
            banner_url: parse_patch("banner_url", self.banner_url)?,
            support_email: parse_patch("support_email", self.support_email)?,
            fallback_language: parse_patch("fallback_language", self.fallback_language)?,
            languages: parse_languages(self.languages)?,
            watermark_enabled: self.watermark_enabled,
            webhook_url: parse_patch("webhook_url", self.webhook_url)?,
            webhook_events: self.webhook_events.map(|events| events.into_iter().collect()),
            temperature: self.temperature,
            metadata: metadata.map_err(|error| error.of_field("metadata"))?,
            audit_retention_days: self.audit_retention_days,
            conversation_retention_days: self.conversation_retention_days,
            event_retention_days: self.event_retention_days,
            job_retention_days: self.job_retention_days,
            ..WorkspaceSettingsChanges::default()
        };
        check_bounds(&SettingsBounds::from(&changes))?;
        Ok(changes)
    }
}

type Patch<T> = Option<Option<T>>;

fn parse_patch<T: std::str::FromStr<Err = Error>>(field: &'static str, text: Patch<String>) -> Result<Patch<T>> {
    let parse = |text: String| text.parse().map_err(|error: Error| error.of_field(field));
    text.map(|text| text.map(parse).transpose()).transpose()
}

fn parse_languages(tags: Option<Vec<String>>) -> Result<Option<LanguageTags>> {
    let parse = |tags: Vec<String>| {
        let tags = tags.iter().map(|tag| tag.parse()).collect::<Result<Vec<LanguageTag>>>();
        tags.and_then(LanguageTags::try_from).map_err(|error| error.of_field("languages"))
    };
    tags.map(parse).transpose()
}

/// Distinguishes `null` from a missing field: a present `null` is `Some(None)`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
