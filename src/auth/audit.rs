//! Queries of the audit log.

use diesel::prelude::*;

use crate::error::Result;
use crate::id::{AdminUserId, AuditEntryId, WorkspaceId};
use crate::models::AuditEntry;
use crate::schema::audit_log;
use crate::tenancy::{Database, PageKey, PlatformScope, load_readable};

/// Maximum number of entries on one page.
const MOST: u32 = 1_000;

/// Filter of the audit log. A field that is `None` does not restrict the entries.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Workspace of the entries; [`WorkspaceId::PLATFORM`] for entries of the platform as a whole.
    pub workspace: Option<WorkspaceId>,
    /// Administrator who acted.
    pub admin: Option<AdminUserId>,
    /// Action, such as `workspace.publish`.
    pub action: Option<String>,
    /// Start of the next page: the [`page_key`](crate::tenancy::Keyset::page_key) of the last entry. Only entries
    /// before it are listed.
    pub before: Option<PageKey>,
}

/// Lists at most `limit` entries, up to 1,000, of all workspaces and the platform, newest first.
///
/// A scope also reads the entries of its workspace:
/// `audit_log::table.in_workspace(&scope).order(audit_log::occurred_at.desc())`.
///
/// # Errors
///
/// [`is_forbidden`](crate::Error::is_forbidden) if the scope's administrator is no longer a superadmin.
///
/// ```no_run
/// use workspace_db::auth::{AuditFilter, audit_log};
/// use workspace_db::tenancy::{Database, PlatformScope};
///
/// # async fn example(db: &Database, platform: &PlatformScope) -> workspace_db::Result<()> {
/// for entry in audit_log(db, platform, &AuditFilter::default(), 50).await? {
///     println!("{} {} {:?}", entry.occurred_at, entry.action, entry.admin_user_id);
/// }
/// # Ok(())
/// # }
/// ```
pub async fn audit_log(
    db: &Database,
    platform: &PlatformScope,
    filter: &AuditFilter,
    limit: u32,
) -> Result<Vec<AuditEntry>> {
    let mut query = AuditEntry::query()
        .order((audit_log::occurred_at.desc(), audit_log::id.desc()))
        .limit(limit.min(MOST).into())
        .into_boxed();
    if let Some(workspace) = filter.workspace {
        query = query.filter(audit_log::workspace_id.eq(workspace));
    }
    if let Some(admin) = filter.admin {
        query = query.filter(audit_log::admin_user_id.eq(admin));
    }
    if let Some(action) = &filter.action {
        query = query.filter(audit_log::action.eq(action.clone()));
    }
    if let Some(PageKey { created_at, id }) = filter.before {
        let at_once = audit_log::occurred_at.eq(created_at).and(audit_log::id.lt(AuditEntryId::from(id)));
        query = query
            .filter(audit_log::occurred_at.le(created_at))
            .filter(audit_log::occurred_at.lt(created_at).or(at_once));
    }
    db.platform(async |conn| {
        platform.actor(conn, db).await?;
        load_readable(query, conn).await
    })
    .await
}
