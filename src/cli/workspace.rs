//! The workspace that a command names.

use anyhow::Result;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use workspace_db::models::Workspace;
use workspace_db::schema::workspaces;
use workspace_db::tenancy::{Database, WorkspaceScope};

/// Slugs that an error message lists.
const LISTED: i64 = 10;

/// The scope of the workspace of that slug, made where there is none and `create` says so.
pub(super) async fn enter(db: &Database, slug: &str, create: bool) -> Result<WorkspaceScope> {
    let reason = "the operator names the workspace at the shell";
    let workspace = db
        .across_workspaces(reason, async |conn| {
            if create { Ok(Workspace::find_or_insert(conn, slug).await?) } else { named(conn, slug).await }
        })
        .await?;
    Ok(WorkspaceScope::vouched_for(workspace.id, reason))
}

/// The workspace of that slug. Where there is none, the error lists some: whoever is at this shell may see them all,
/// which a user of the library may not.
async fn named(conn: &mut AsyncPgConnection, slug: &str) -> Result<Workspace> {
    let error = match Workspace::find_by_slug(conn, slug).await {
        Err(error) if error.is_not_found() => error,
        found => return Ok(found?),
    };
    let slugs: Vec<String> =
        workspaces::table.select(workspaces::slug).order(workspaces::slug).limit(LISTED).load(conn).await?;
    let known =
        if slugs.is_empty() { "there are none yet".to_owned() } else { format!("some are {}", slugs.join(", ")) };
    let remedy = format!("{error}; {known}; `workspace-db ingest --create-workspace` makes one");
    Err(anyhow::Error::new(error).context(remedy))
}
