//! What has been kept for as long as its workspace keeps it goes: entries of the audit log, closed conversations, events,
//! finished jobs; and tokens that have ended.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;

use crate::auth::EffectiveSettings;
use crate::error::Result;
use crate::id::WorkspaceId;
use crate::models::{NewAuditEntry, Workspace, WorkspaceSettings};
use crate::schema::{workspace_settings, workspaces};
use crate::tenancy::{Database, PlatformScope};

/// Rows that one statement deletes, so that none holds its locks for long.
const BATCH: i32 = 5_000;

/// Days that ended tokens are kept: for that long a device or an address is known for its account.
const ENDED_TOKENS_DAYS: i32 = 90;

/// How many rows went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Expired {
    /// Entries of the audit log.
    pub audit_log: i64,
    /// Closed conversations, each with its messages and feedback.
    pub conversations: i64,
    /// Analytics events.
    pub analytics_events: i64,
    /// Jobs that were completed, had failed or were cancelled.
    pub jobs: i64,
    /// Sessions, API tokens, password secrets and tokens of services.
    pub tokens: i64,
}

/// Deletes in every workspace what is older than its settings keep, and returns how much it was.
///
/// A batch is a transaction, so that what is done stays done where a later one fails; the next run goes on. Nothing of the
/// audit log goes within a day.
///
/// # Errors
///
/// [`is_forbidden`](crate::Error::is_forbidden) where the scope's superadmin is none any more;
/// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::retention::expire;
/// use workspace_db::tenancy::{Database, PlatformScope};
///
/// # async fn example(db: &Database) -> workspace_db::Result<()> {
/// let nightly = PlatformScope::vouched_for("retention runs each night");
/// println!("{:?}", expire(db, &nightly).await?);
/// # Ok(())
/// # }
/// ```
pub async fn expire(db: &Database, platform: &PlatformScope) -> Result<Expired> {
    let all: Vec<(Workspace, Option<WorkspaceSettings>)> = db
        .platform(async |conn| {
            platform.actor(conn, db).await?;
            let query = workspaces::table
                .left_join(workspace_settings::table)
                .select((Workspace::as_select(), Option::<WorkspaceSettings>::as_select()))
                .order(workspaces::id);
            Ok::<_, crate::Error>(query.load(conn).await?)
        })
        .await?;
    let mut expired = Expired::default();
    for (workspace, settings) in all {
        let id = workspace.id;
        let kept = EffectiveSettings::resolve(workspace, settings, db.retention()).retention;
        let mut of_workspace = Expired::default();
        for (days, table, count) in [
            (kept.conversation_days, CONVERSATIONS, &mut of_workspace.conversations),
            (kept.event_days, EVENTS, &mut of_workspace.analytics_events),
            (kept.job_days, JOBS, &mut of_workspace.jobs),
            (kept.audit_days, AUDIT_LOG, &mut of_workspace.audit_log),
        ] {
            if let Some(days) = days {
                *count = in_batches(db, table, Some(id), i32::try_from(days).unwrap_or(i32::MAX)).await?;
            }
        }
        record(db, platform, id, of_workspace).await?;
        expired.audit_log += of_workspace.audit_log;
        expired.conversations += of_workspace.conversations;
        expired.analytics_events += of_workspace.analytics_events;
        expired.jobs += of_workspace.jobs;
    }
    if let Some(days) = db.retention().audit_days {
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        expired.audit_log += in_batches(db, AUDIT_LOG, Some(WorkspaceId::PLATFORM), days).await?;
    }
    for tokens in [ADMIN_TOKENS, SERVICE_TOKENS] {
        expired.tokens += in_batches(db, tokens, None, ENDED_TOKENS_DAYS).await?;
    }
    in_batches(db, THROTTLES, None, 0).await?;
    record(db, platform, WorkspaceId::PLATFORM, Expired { tokens: expired.tokens, ..Expired::default() }).await?;
    Ok(expired)
}

// Each deletes a batch of rows, by its key, and says how many: $1 the workspace, $2 days, $3 the size of the batch.
const CONVERSATIONS: &str = "WITH gone AS (DELETE FROM conversations WHERE (workspace_id, id) IN (
    SELECT workspace_id, id FROM conversations WHERE workspace_id = $1 AND closed_at < now() - make_interval(days => $2)
    LIMIT $3) RETURNING 1) SELECT count(*) AS rows FROM gone";
const EVENTS: &str = "WITH gone AS (DELETE FROM analytics_events WHERE (workspace_id, id) IN (
    SELECT workspace_id, id FROM analytics_events WHERE workspace_id = $1 AND occurred_at < now() - make_interval(days => $2)
    LIMIT $3) RETURNING 1) SELECT count(*) AS rows FROM gone";
const JOBS: &str = "WITH gone AS (DELETE FROM jobs WHERE (workspace_id, id) IN (
    SELECT workspace_id, id FROM jobs WHERE workspace_id = $1 AND status IN ('completed', 'failed', 'cancelled')
      AND coalesce(completed_at, failed_at, updated_at) < now() - make_interval(days => $2)
    LIMIT $3) RETURNING 1) SELECT count(*) AS rows FROM gone";
// The one that may delete there; it takes all at once, and $3 is not asked.
const AUDIT_LOG: &str =
    "SELECT workspace_db_expire_audit_log($1, now() - make_interval(days => $2)) AS rows WHERE $3 > 0";
const ADMIN_TOKENS: &str = "WITH gone AS (DELETE FROM admin_tokens WHERE id IN (
    SELECT id FROM admin_tokens WHERE least(revoked_at, expires_at) < now() - make_interval(days => $2) AND $1 IS NULL
    LIMIT $3) RETURNING 1) SELECT count(*) AS rows FROM gone";
const SERVICE_TOKENS: &str = "WITH gone AS (DELETE FROM service_tokens WHERE (workspace_id, id) IN (
    SELECT workspace_id, id FROM service_tokens
    WHERE least(revoked_at, expires_at) < now() - make_interval(days => $2) AND $1 IS NULL
    LIMIT $3) RETURNING 1) SELECT count(*) AS rows FROM gone";
const THROTTLES: &str = "WITH gone AS (DELETE FROM login_throttles WHERE key IN (
    SELECT key FROM login_throttles WHERE free_at < now() - make_interval(days => $2) AND $1 IS NULL
    LIMIT $3) RETURNING 1) SELECT count(*) AS rows FROM gone";

#[derive(QueryableByName)]
struct Deleted {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

async fn in_batches(db: &Database, delete: &str, workspace: Option<WorkspaceId>, days: i32) -> Result<i64> {
    let mut total = 0;
    loop {
        let batch = async |conn: &mut AsyncPgConnection| {
            let query = diesel::sql_query(delete)
                .bind::<diesel::sql_types::Nullable<SqlUuid>, _>(workspace)
                .bind::<Integer, _>(days)
                .bind::<Integer, _>(BATCH);
            Ok::<_, crate::Error>(query.get_result::<Deleted>(conn).await?.rows)
        };
        let rows = db.platform(batch).await?;
        total += rows;
        if rows != i64::from(BATCH) {
            return Ok(total);
        }
    }
}

async fn record(db: &Database, platform: &PlatformScope, of: WorkspaceId, expired: Expired) -> Result<()> {
    if expired == Expired::default() {
        return Ok(());
    }
    db.platform(async |conn| {
        let actor = platform.actor(conn, db).await?;
        let row = (of != WorkspaceId::PLATFORM).then(|| *of.as_uuid());
        NewAuditEntry::new(actor, "retention.expire", "workspaces", row).of(of).made(&expired).insert(conn).await
    })
    .await
}
