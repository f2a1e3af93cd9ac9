//! Queries of the audit log, and entries for changes that a program makes itself.

use diesel::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use crate::error::Result;
use crate::id::{AdminUserId, AuditEntryId, WorkspaceId};
use crate::models::{AuditEntry, NewAuditEntry};
use crate::schema::audit_log;
use crate::tenancy::{Database, PageKey, PlatformExecutor, PlatformScope, load_readable};

/// Maximum number of entries on one page.
const MAX_ENTRIES: u32 = 1_000;

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
/// `audit_log::table.in_workspace(&ws).order(audit_log::occurred_at.desc())`.
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
        .limit(limit.min(MAX_ENTRIES).into())
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

/// Change that a program makes itself, by a scoped query or by raw SQL.
#[derive(Clone, Debug)]
pub struct AuditedChange {
    /// Workspace of the row; [`WorkspaceId::PLATFORM`] for the platform as a whole.
    pub workspace: WorkspaceId,
    /// Action of two words with a point between them, such as `invoice.cancel`: lower-case letters and underscores. Choose
    /// other words than this crate's own actions, so that a reader can tell them apart.
    pub action: &'static str,
    /// Table of the row.
    pub table: String,
    /// Id of the row, if it has one.
    pub row: Option<Uuid>,
    /// Row before the change, without secrets; null if there was none.
    pub before: Value,
    /// Row after the change, without secrets; null if there is none.
    pub after: Value,
}

/// Adds an audit entry for a change that the caller makes itself. On `&Database`, it commits the entry in its own
/// transaction.
///
/// The entry says what the caller says: neither the workspace, the action nor the values are compared with the change.
/// The actor is that of the scope: the superadmin, or an operator with the reason of [`PlatformScope::unchecked`]. Of
/// two objects, only the fields that differ are recorded. Call it within the transaction of the change, after its last
/// statement: then a failed change may have an entry, but no change lacks one.
///
/// # Errors
///
/// [`is_invalid_input`](crate::Error::is_invalid_input) if the action has another form, a value can't be stored as JSON,
/// or the scope is of another database;
/// [`is_forbidden`](crate::Error::is_forbidden) if the scope's administrator is no longer a superadmin;
/// [`is_missing_prerequisite`](crate::Error::is_missing_prerequisite) if the database was opened without a platform
/// login; [`is_unreachable`](crate::Error::is_unreachable).
///
/// ```no_run
/// use diesel::prelude::*;
/// use serde_json::{Value, json};
/// use workspace_db::auth::{AuditedChange, record_change};
/// use workspace_db::id::DocumentId;
/// use workspace_db::schema::documents;
/// use workspace_db::tenancy::{Database, InWorkspace, PlatformScope, WorkspaceConnection};
///
/// # async fn example(db: &Database, ws: &mut WorkspaceConnection, id: DocumentId) -> workspace_db::Result<()> {
/// let support = PlatformScope::unchecked("ticket 4711: the customer asked for it");
/// ws.transaction(async |tx| {
///     let document = documents::table.in_workspace(&tx).find(id);
///     document.update().set(documents::title.eq("Opening hours")).execute(tx).await?;
///     let change = AuditedChange {
///         workspace: tx.workspace(),
///         action: "support.rename",
///         table: "documents".to_owned(),
///         row: Some(*id.as_uuid()),
///         before: Value::Null,
///         after: json!({ "title": "Opening hours" }),
///     };
///     record_change(db, &support, change).await
/// })
/// .await
/// # }
/// ```
pub async fn record_change(db: impl PlatformExecutor, platform: &PlatformScope, change: AuditedChange) -> Result<()> {
    let database = db.token()?;
    db.run(async |conn| {
        let actor = platform.actor(conn, database).await?;
        NewAuditEntry::new(actor, change.action, change.table, change.row)
            .for_workspace(change.workspace)
            .change(&change.before, &change.after)
            .insert(conn)
            .await
    })
    .await
}
