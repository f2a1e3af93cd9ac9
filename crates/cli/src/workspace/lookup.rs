//! The workspace that a command names.

use anyhow::Result;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use workspace_db::auth;
use workspace_db::models::{self, NewWorkspace, NewWorkspaceSettings};
use workspace_db::schema::workspaces;
use workspace_db::tenancy::{Database, PlatformScope, RawConnection, WorkspaceScope};

use crate::context::OPERATOR;
use crate::error::NotFound;

/// Number of slugs that an error message lists.
const LISTED: i64 = 10;

/// Returns the scope of the workspace with that slug. If there is none and `create` is true, it creates the workspace. Rejects
/// an archived workspace.
pub(crate) async fn enter(db: &Database, slug: &str, create: bool) -> Result<WorkspaceScope> {
    Ok(enter_or_create(db, slug, create).await?.0)
}

/// Returns the scope as [`enter`] does, and true if this call has created the workspace.
pub(crate) async fn enter_or_create(db: &Database, slug: &str, create: bool) -> Result<(WorkspaceScope, bool)> {
    let reason = "the operator names the workspace at the shell";
    let mut is_new = false;
    let workspace = match find(db, slug).await {
        Err(error) if create && is_not_found(&error) => {
            let new = NewWorkspace::new(slug.parse()?, slug.parse()?);
            let platform = PlatformScope::unchecked(OPERATOR);
            let made = auth::create_workspace(db, &platform, &new, &NewWorkspaceSettings::default(), None).await;
            match made {
                Ok(made) => {
                    is_new = true;
                    made.workspace
                }
                // Another session has created it meanwhile.
                Err(error) if error.is_conflict() => find(db, slug).await?,
                Err(error) => return Err(error.into()),
            }
        }
        found => found?,
    };
    if !workspace.is_active {
        let remedy = format!("`workspace-db workspace restore {slug}` restores it");
        return Err(NotFound(format!("the workspace {slug:?} is archived; {remedy}")).into());
    }
    Ok((WorkspaceScope::unchecked(workspace.id, reason), is_new))
}

fn is_not_found(error: &anyhow::Error) -> bool {
    error.downcast_ref::<workspace_db::Error>().is_some_and(workspace_db::Error::is_not_found)
}

/// Returns the workspace with that slug.
pub(crate) async fn find(db: &Database, slug: &str) -> Result<models::Workspace> {
    db.across_workspaces("the operator names the workspace at the shell", async |conn| find_by_slug(conn, slug).await)
        .await
}

/// Returns the workspace with that slug. If there is none, the error lists some slugs. The operator at the shell may see all
/// of them, unlike a user of the library.
async fn find_by_slug(conn: &mut RawConnection, slug: &str) -> Result<models::Workspace> {
    let error = match models::Workspace::find_by_slug(conn, slug).await {
        Err(error) if error.is_not_found() => error,
        found => return Ok(found?),
    };
    let slugs: Vec<String> =
        workspaces::table.select(workspaces::slug).order(workspaces::slug).limit(LISTED).load(conn).await?;
    let known = if slugs.is_empty() {
        "there are no workspaces yet".to_owned()
    } else {
        format!("some workspaces are {}", slugs.join(", "))
    };
    let remedy = format!("{error}; {known}; `workspace-db workspace create` creates one");
    Err(anyhow::Error::new(error).context(remedy))
}
