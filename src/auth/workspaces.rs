//! Workspaces: creation with settings and a first administrator, publication, archiving.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::invitations::{Invitation, invite_to};
use super::password;
use super::settings::{SettingsBounds, check_bounds};
use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::models::{
    NewAuditEntry, NewWorkspace, NewWorkspaceSettings, Workspace, WorkspaceChanges, WorkspaceSettings,
};
use crate::schema::{workspace_settings, workspaces};
use crate::sql_types::{AdminRole, Email, StatementTime};
use crate::tenancy::{Actor, Administer, PlatformExecutor, PlatformScope, WorkspaceScope, load_readable};

/// Workspace that was created.
#[derive(Clone, Debug)]
pub struct CreatedWorkspace {
    /// Row of the workspace.
    pub workspace: Workspace,
    /// The invitation of its first administrator, where one was named.
    pub first_admin: Option<Invitation>,
}

/// Makes a workspace with its settings and invites its first administrator, all or nothing.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict), with the field `slug`, where the slug is taken;
/// [`is_invalid_input`](Error::is_invalid_input), with the field, where a number is out of bounds;
/// [`is_forbidden`](Error::is_forbidden) where the scope's superadmin is none any more.
///
/// ```no_run
/// use workspace_db::auth::create_workspace;
/// use workspace_db::models::{NewWorkspace, NewWorkspaceSettings};
/// use workspace_db::tenancy::{Database, PlatformScope};
///
/// # async fn example(db: &Database, platform: &PlatformScope) -> workspace_db::Result<()> {
/// let new = NewWorkspace::new("acme".parse()?, "Acme".parse()?);
/// let jane = "jane@example.com".parse()?;
/// let made = create_workspace(db, platform, &new, &NewWorkspaceSettings::default(), Some(&jane)).await?;
/// # drop(made);
/// # Ok(())
/// # }
/// ```
pub async fn create_workspace(
    db: impl PlatformExecutor,
    platform: &PlatformScope,
    new: &NewWorkspace,
    settings: &NewWorkspaceSettings,
    first_admin: Option<&Email>,
) -> Result<CreatedWorkspace> {
    check_threshold(new.confidence_threshold)?;
    check_bounds(&SettingsBounds::from(settings))?;
    let unusable = match first_admin {
        Some(_) => Some(password::unusable().await?),
        None => None,
    };
    let database = db.token()?;
    db.run(async |conn| {
        let actor = platform.actor(conn, database).await?;
        let made: Option<Workspace> = diesel::insert_into(workspaces::table)
            .values(new)
            .on_conflict(workspaces::slug)
            .do_nothing()
            .returning(Workspace::as_returning())
            .get_result(conn)
            .await
            .optional()?;
        let workspace = made.ok_or_else(|| slug_taken(new.slug.as_str()))?;
        let settings: WorkspaceSettings = diesel::insert_into(workspace_settings::table)
            .values((workspace_settings::workspace_id.eq(workspace.id), settings))
            .returning(WorkspaceSettings::as_returning())
            .get_result(conn)
            .await?;
        NewAuditEntry::new(actor.clone(), "workspace.create", "workspaces", Some(*workspace.id.as_uuid()))
            .for_workspace(workspace.id)
            .made(&json!({ "workspace": workspace, "settings": settings }))
            .insert(conn)
            .await?;
        let first_admin = match (first_admin, unusable) {
            (Some(email), Some(unusable)) => {
                Some(invite_to(conn, workspace.id, actor, email, AdminRole::Superadmin, unusable).await?)
            }
            _ => None,
        };
        Ok(CreatedWorkspace { workspace, first_admin })
    })
    .await
}

/// Every workspace, by slug, archived ones among them. One whose row can't be read is left out, and named in the log.
///
/// # Errors
///
/// [`is_forbidden`](Error::is_forbidden), [`is_unreachable`](Error::is_unreachable).
pub async fn workspaces(db: impl PlatformExecutor, platform: &PlatformScope) -> Result<Vec<Workspace>> {
    let database = db.token()?;
    db.run(async |conn| {
        platform.actor(conn, database).await?;
        load_readable(Workspace::query().order(workspaces::slug), conn).await
    })
    .await
}

/// Opens the public side of the scope's workspace.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) and [`is_forbidden`](Error::is_forbidden) where the scope's administrator may not
/// do so any more.
pub async fn publish(db: impl PlatformExecutor, scope: &WorkspaceScope<Administer>) -> Result<Workspace> {
    administer(
        db,
        scope,
        "workspace.publish",
        &WorkspaceAccessChanges { is_published: Some(true), ..WorkspaceAccessChanges::default() },
    )
    .await
}

/// Closes the public side of the scope's workspace; its scopes end within a second.
///
/// # Errors
///
/// As [`publish`].
pub async fn unpublish(db: impl PlatformExecutor, scope: &WorkspaceScope<Administer>) -> Result<Workspace> {
    administer(
        db,
        scope,
        "workspace.unpublish",
        &WorkspaceAccessChanges { is_published: Some(false), ..WorkspaceAccessChanges::default() },
    )
    .await
}

/// Changes of columns that [`WorkspaceChanges`] does not have.
#[derive(Default, AsChangeset)]
#[diesel(table_name = workspaces)]
struct WorkspaceAccessChanges {
    is_active: Option<bool>,
    is_published: Option<bool>,
    updated_at: StatementTime,
}

async fn administer(
    db: impl PlatformExecutor,
    scope: &WorkspaceScope<Administer>,
    action: &'static str,
    change: &WorkspaceAccessChanges,
) -> Result<Workspace> {
    let database = db.token()?;
    db.run(async |conn| {
        let row = locked(conn, scope.workspace()).await;
        let actor = scope.actor(conn, database).await?;
        change_access(conn, actor, action, &row?, change).await
    })
    .await
}

async fn change_access(
    conn: &mut AsyncPgConnection,
    actor: Actor,
    action: &'static str,
    before: &Workspace,
    change: &WorkspaceAccessChanges,
) -> Result<Workspace> {
    let after = diesel::update(workspaces::table.find(before.id))
        .set(change)
        .returning(Workspace::as_returning())
        .get_result(conn)
        .await?;
    record_change(conn, actor, action, before, &after).await?;
    Ok(after)
}

/// Changes the row of the scope's workspace: slug, name, description, language, threshold.
///
/// # Errors
///
/// [`is_conflict`](Error::is_conflict), with the field `slug`, where the slug is taken;
/// [`is_invalid_input`](Error::is_invalid_input), with the field, where the threshold is not within 0 to 1; as [`publish`].
pub async fn change_workspace(
    db: impl PlatformExecutor,
    scope: &WorkspaceScope<Administer>,
    changes: &WorkspaceChanges,
) -> Result<Workspace> {
    check_threshold(changes.confidence_threshold)?;
    let database = db.token()?;
    db.run(async |conn| {
        let row = locked(conn, scope.workspace()).await;
        let actor = scope.actor(conn, database).await?;
        let before = row?;
        let updated = diesel::update(workspaces::table.find(before.id))
            .set(changes)
            .returning(Workspace::as_returning())
            .get_result(conn)
            .await;
        let after = updated.map_err(Error::from).map_err(|error| match &changes.slug {
            Some(slug) if error.is_conflict() => slug_taken(slug.as_str()).caused_by(error),
            _ => error,
        })?;
        record_change(conn, actor, "workspace.change", &before, &after).await?;
        Ok(after)
    })
    .await
}

/// Takes the scope's workspace out of use: nobody enters it any more, its rows stay. [`restore`] takes it back.
///
/// # Errors
///
/// As [`publish`].
pub async fn archive(db: impl PlatformExecutor, scope: &WorkspaceScope<Administer>) -> Result<Workspace> {
    administer(
        db,
        scope,
        "workspace.archive",
        &WorkspaceAccessChanges { is_active: Some(false), ..WorkspaceAccessChanges::default() },
    )
    .await
}

/// Takes an archived workspace into use again.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) where there is none of that id; [`is_forbidden`](Error::is_forbidden).
pub async fn restore(db: impl PlatformExecutor, platform: &PlatformScope, workspace: WorkspaceId) -> Result<Workspace> {
    let database = db.token()?;
    db.run(async |conn| {
        let row = locked(conn, workspace).await;
        let actor = platform.actor(conn, database).await?;
        let active = WorkspaceAccessChanges { is_active: Some(true), ..WorkspaceAccessChanges::default() };
        change_access(conn, actor, "workspace.restore", &row?, &active).await
    })
    .await
}

/// Locks the row that an action changes. Callers check the actor after they have the lock.
async fn locked(conn: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<Workspace> {
    let found = Workspace::query().find(workspace).for_no_key_update().first(conn).await.optional()?;
    found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no workspace {workspace}")))
}

fn slug_taken(slug: &str) -> Error {
    Error::new(ErrorKind::Conflict, format!("a workspace with the slug {slug:?} already exists")).of_field("slug")
}

fn check_threshold(threshold: Option<f64>) -> Result<()> {
    if threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
        return Err(Error::invalid("must be between 0 and 1").of_field("confidence_threshold"));
    }
    Ok(())
}

async fn record_change(
    conn: &mut AsyncPgConnection,
    actor: Actor,
    action: &'static str,
    before: &Workspace,
    after: &Workspace,
) -> Result<()> {
    let id = after.id;
    let entry = NewAuditEntry::new(actor, action, "workspaces", Some(*id.as_uuid()));
    entry.for_workspace(id).change(before, after).insert(conn).await
}
