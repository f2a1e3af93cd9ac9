//! Deletes rows after their workspace's retention period: audit entries, closed conversations, events and finished jobs.
//! It also deletes tokens that have ended.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use serde_json::json;

use crate::auth::EffectiveSettings;
use crate::config::Retention;
use crate::error::Result;
use crate::id::WorkspaceId;
use crate::models::{NewAuditEntry, Workspace, WorkspaceSettings};
use crate::schema::{audit_log, workspace_settings, workspaces};
use crate::tenancy::{Database, PlatformScope, load_readable};

/// Number of rows that one statement deletes, so that it doesn't hold its locks for long.
const BATCH: i32 = 5_000;

/// Number of days that ended tokens are kept. Until then, the throttle recognizes the device or address of an account.
const ENDED_TOKENS_DAYS: u32 = 90;

/// Numbers of deleted rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RetentionReport {
    /// Audit entries.
    pub audit_log: i64,
    /// Closed conversations, each with its messages and feedback.
    pub conversations: i64,
    /// Analytics events.
    pub analytics_events: i64,
    /// Completed, failed and cancelled jobs.
    pub jobs: i64,
    /// Sessions, API tokens, password secrets and tokens of services.
    pub tokens: i64,
}

/// Deletes the rows of every workspace that are older than its retention periods, and returns their numbers.
///
/// Each batch is a transaction with its audit entry. If a later batch fails, the earlier ones remain committed, and the
/// next run resumes. Audit entries are kept for at least a day.
///
/// # Errors
///
/// [`is_forbidden`](crate::Error::is_forbidden) if the scope's superadmin is no longer one;
/// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::retention::expire;
/// use workspace_db::tenancy::{Database, PlatformScope};
///
/// # async fn example(db: &Database) -> workspace_db::Result<()> {
/// let nightly = PlatformScope::unchecked("retention runs each night");
/// println!("{:?}", expire(db, &nightly).await?);
/// # Ok(())
/// # }
/// ```
pub async fn expire(db: &Database, platform: &PlatformScope) -> Result<RetentionReport> {
    let all: Vec<(Workspace, Option<WorkspaceSettings>)> = db
        .platform(async |conn| {
            platform.actor(conn, db).await?;
            let query = workspaces::table
                .left_join(workspace_settings::table)
                .select((Workspace::as_select(), Option::<WorkspaceSettings>::as_select()))
                .order(workspaces::id);
            load_readable(query, conn).await
        })
        .await?;
    let of_platform = db.retention();
    let mut report = RetentionReport::default();
    let mut failed = None;
    for (workspace, settings) in all {
        let id = workspace.id;
        let retention = EffectiveSettings::resolve(workspace, settings.as_ref(), of_platform).retention;
        let run = Run { db, platform, workspace: id, audit_workspace: id };
        match run.of_workspace(retention, &mut report).await {
            Err(error) if error.is_unreachable() || error.is_forbidden() => return Err(error),
            Err(error) => {
                tracing::error!(workspace = %id, %error, "retention failed for a workspace; continuing with the others");
                failed.get_or_insert(error);
            }
            Ok(()) => {}
        }
    }
    for workspace in erased_workspaces(db).await? {
        report.audit_log += Run { db, platform, workspace, audit_workspace: WorkspaceId::PLATFORM }
            .in_batches(&AUDIT_LOG, of_platform.audit_days)
            .await?;
    }
    let run = Run { db, platform, workspace: WorkspaceId::PLATFORM, audit_workspace: WorkspaceId::PLATFORM };
    report.audit_log += run.in_batches(&AUDIT_LOG, of_platform.audit_days).await?;
    report.tokens += run.in_batches(&ADMIN_TOKENS, Some(ENDED_TOKENS_DAYS)).await?;
    report.tokens += run.in_batches(&SERVICE_TOKENS, Some(ENDED_TOKENS_DAYS)).await?;
    run.in_batches(&THROTTLES, Some(0)).await?;
    failed.map_or(Ok(report), Err)
}

/// Returns the erased workspaces that still have audit entries. Their settings were deleted with them.
async fn erased_workspaces(db: &Database) -> Result<Vec<WorkspaceId>> {
    let query = audit_log::table
        .filter(audit_log::workspace_id.ne(WorkspaceId::PLATFORM))
        .filter(audit_log::workspace_id.ne_all(workspaces::table.select(workspaces::id)))
        .select(audit_log::workspace_id)
        .distinct();
    db.platform(async |conn| Ok(query.load(conn).await?)).await
}

/// A table and the statement that deletes a batch of its rows and returns their number: `$1` is the workspace, `$2` the
/// days, `$3` the size of the batch.
struct RetentionRule {
    table: &'static str,
    delete: &'static str,
}

const CONVERSATIONS: RetentionRule = RetentionRule {
    table: "conversations",
    delete: "WITH gone AS (DELETE FROM conversations WHERE (workspace_id, id) IN (
        SELECT workspace_id, id FROM conversations
        WHERE workspace_id = $1 AND status = 'closed' AND closed_at < now() - make_interval(days => $2)
        LIMIT $3) RETURNING 1) SELECT count(*) AS rows FROM gone",
};
const EVENTS: RetentionRule = RetentionRule {
    table: "analytics_events",
    delete: "WITH gone AS (DELETE FROM analytics_events WHERE (workspace_id, id) IN (
        SELECT workspace_id, id FROM analytics_events
        WHERE workspace_id = $1 AND occurred_at < now() - make_interval(days => $2)
        LIMIT $3) RETURNING 1) SELECT count(*) AS rows FROM gone",
};
const JOBS: RetentionRule = RetentionRule {
    table: "jobs",
    delete: "WITH gone AS (DELETE FROM jobs WHERE (workspace_id, id) IN (
        SELECT workspace_id, id FROM jobs WHERE workspace_id = $1 AND status IN ('completed', 'failed', 'cancelled')
          AND coalesce(completed_at, cancelled_at, failed_at) < now() - make_interval(days => $2)
        LIMIT $3) RETURNING 1) SELECT count(*) AS rows FROM gone",
};
/// Rule for audit entries, which only this function may delete.
const AUDIT_LOG: RetentionRule = RetentionRule {
    table: "audit_log",
    delete: "SELECT workspace_db_expire_audit_log($1, now() - make_interval(days => $2), $3) AS rows",
};
const ADMIN_TOKENS: RetentionRule = RetentionRule {
    table: "admin_tokens",
    delete: "WITH gone AS (DELETE FROM admin_tokens WHERE id IN (
        SELECT id FROM admin_tokens WHERE least(revoked_at, expires_at) < now() - make_interval(days => $2) AND $1 IS NOT NULL
        LIMIT $3) RETURNING 1) SELECT count(*) AS rows FROM gone",
};
const SERVICE_TOKENS: RetentionRule = RetentionRule {
    table: "service_tokens",
    delete: "WITH gone AS (DELETE FROM service_tokens WHERE (workspace_id, id) IN (
        SELECT workspace_id, id FROM service_tokens
        WHERE least(revoked_at, expires_at) < now() - make_interval(days => $2) AND $1 IS NOT NULL
        LIMIT $3) RETURNING 1) SELECT count(*) AS rows FROM gone",
};
const THROTTLES: RetentionRule = RetentionRule {
    table: "login_throttles",
    delete: "WITH gone AS (DELETE FROM login_throttles WHERE key IN (
        SELECT key FROM login_throttles WHERE free_at < now() - make_interval(days => $2) AND $1 IS NOT NULL
        LIMIT $3) RETURNING 1) SELECT count(*) AS rows FROM gone",
};

#[derive(QueryableByName)]
struct DeletedRows {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

/// A run over one workspace, or over the rows that belong to none.
struct Run<'a> {
    db: &'a Database,
    platform: &'a PlatformScope,
    workspace: WorkspaceId,
    /// Workspace of the audit entry. For an erased workspace it is the platform, or its audit log would never become empty.
    audit_workspace: WorkspaceId,
}

impl Run<'_> {
    async fn of_workspace(&self, retention: Retention, report: &mut RetentionReport) -> Result<()> {
        report.conversations += self.in_batches(&CONVERSATIONS, retention.conversation_days).await?;
        report.analytics_events += self.in_batches(&EVENTS, retention.event_days).await?;
        report.jobs += self.in_batches(&JOBS, retention.job_days).await?;
        report.audit_log += self.in_batches(&AUDIT_LOG, retention.audit_days).await?;
        Ok(())
    }

    /// Deletes the rows that are older than `days`, and returns their number. `None` keeps them for ever.
    async fn in_batches(&self, rule: &RetentionRule, days: Option<u32>) -> Result<i64> {
        let Some(days) = days else { return Ok(0) };
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        let mut total = 0;
        loop {
            let rows = self.db.platform(async |conn| self.batch(conn, rule, days).await).await?;
            total += rows;
            if rows < i64::from(BATCH) {
                return Ok(total);
            }
        }
    }

    async fn batch(&self, conn: &mut AsyncPgConnection, rule: &RetentionRule, days: i32) -> Result<i64> {
        let actor = self.platform.actor(conn, self.db).await?;
        let delete = diesel::sql_query(rule.delete)
            .bind::<SqlUuid, _>(self.workspace)
            .bind::<Integer, _>(days)
            .bind::<Integer, _>(BATCH);
        let rows = delete.get_result::<DeletedRows>(conn).await?.rows;
        if rows > 0 {
            NewAuditEntry::new(actor, "retention.expire", rule.table, None)
                .for_workspace(self.audit_workspace)
                .made(&json!({ "rows": rows, "older_than_days": days }))
                .insert(conn)
                .await?;
        }
        Ok(rows)
    }
}
