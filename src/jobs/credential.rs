//! Lease of a job as the credential of its worker.

use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::lease::Lease;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{JobId, WorkspaceId};
use crate::schema::{jobs, workspaces};
use crate::tenancy::{AccessLevel, Credential};

impl Credential for Lease {
    fn level<'c>(
        &'c self,
        conn: &'c mut AsyncPgConnection,
        workspace: WorkspaceId,
    ) -> BoxFuture<'c, Result<Option<AccessLevel>>> {
        level_of_job(conn, workspace, *self).boxed()
    }

    fn holder(&self) -> &'static str {
        "this job"
    }

    fn fence(&self, workspace: WorkspaceId) -> Option<String> {
        Some(format!("SELECT workspace_db_hold_lease('{workspace}', '{}', '{}')", self.job, self.token))
    }
}

async fn level_of_job(
    conn: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    lease: Lease,
) -> Result<Option<AccessLevel>> {
    let found: Option<JobId> = jobs::table
        .inner_join(workspaces::table)
        .filter(jobs::workspace_id.eq(workspace).and(jobs::id.eq(lease.job)))
        .filter(jobs::lease_token.eq(lease.token).and(jobs::lease_expires_at.gt(now)))
        .filter(workspaces::is_active)
        .select(jobs::id)
        .first(conn)
        .await
        .optional()?;
    match found {
        Some(_) => Ok(Some(AccessLevel::Write)),
        None => Err(lease_is_over(lease.job)),
    }
}

/// Returns the error of a worker that has lost its job or finished it.
pub(super) fn lease_is_over(job: JobId) -> Error {
    Error::new(ErrorKind::LeaseLost, format!("the lease of job {job} has ended"))
        .remedy("stop the work: another worker has the job, or the job has ended")
}
