//! Credentials for which scopes are granted, and the checks that they are still valid.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::dsl::{auto_type, now};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::access::AccessLevel;
use crate::error::{Error, Kind, Result};
use crate::id::{AdminUserId, JobId, WorkspaceId};
use crate::schema::{admin_tokens, admin_users, jobs, service_tokens, workspace_admins, workspaces};
use crate::sql_types::{AdminRole, AdminStatus, AdminTokenKind, ServiceAccess, TokenHash};

/// Time for which an answer of the database counts as valid. A revocation takes effect everywhere within this time.
const GRANT_TTL: Duration = Duration::from_secs(1);

/// Actor of an action, as the audit log records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An administrator with a session or an API token.
    Administrator {
        /// Id of the administrator.
        id: AdminUserId,
        /// Address of the request, if the backend states it.
        address: Option<IpAddr>,
    },
    /// A holder of the platform login, such as an operator at the shell.
    Operator {
        /// Reason for the action.
        reason: String,
    },
}

/// Credential that a caller has presented.
#[derive(Clone)]
pub(crate) enum Credential {
    /// An administrator's session or API token.
    Admin { token: TokenHash, actor: Actor },
    /// A service's token.
    Service { token: TokenHash },
    /// The lease of a claimed job.
    Job { job: JobId, lease: Uuid },
    /// No credential: the workspace is published.
    Published,
}

/// Credential that the database has accepted, and the time of the last check.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) proof: Credential,
    asked_at: Arc<Mutex<Instant>>,
}

impl Grant {
    /// Returns a grant for a credential that the database accepted when it was asked at `asked_at`.
    pub(crate) fn new(proof: Credential, asked_at: Instant) -> Self {
        Self { proof, asked_at: Arc::new(Mutex::new(asked_at)) }
    }

    /// Returns the same grant with its own time of check, because a check for one level says nothing about another.
    pub(super) fn of_another_level(&self) -> Self {
        let asked_at = *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        Self::new(self.proof.clone(), asked_at)
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.asked_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < GRANT_TTL
    }

    pub(super) fn renew(&self, asked_at: Instant) {
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = asked_at;
    }
}

impl Credential {
    /// Verifies in the database that the credential opens the workspace at this level now.
    ///
    /// Returns [`is_not_found`](Error::is_not_found) if it does not open the workspace, even if there is no such
    /// workspace; [`is_forbidden`](Error::is_forbidden) if it opens it at a lower level.
    pub(crate) async fn authorize(
        &self,
        conn: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        level: AccessLevel,
    ) -> Result<()> {
        let most = match self {
            Self::Admin { token, .. } => level_of_admin(conn, workspace, token).await?,
            Self::Service { token } => level_of_service(conn, workspace, token).await?,
            Self::Job { job, lease } => level_of_job(conn, workspace, *job, *lease).await?,
            Self::Published => level_of_public(conn, workspace).await?,
        };
        match most {
            None => Err(no_workspace(&workspace.to_string())),
            Some(most) if most < level => {
                Err(Error::new(Kind::Forbidden, format!("{self:?} may not do that in workspace {workspace}"))
                    .remedy("somebody who administers the workspace can change the role"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Returns the SQL that must run last in a transaction with this credential, so that it commits only while the
    /// credential is valid.
    pub(super) fn fence(&self, workspace: WorkspaceId) -> Option<String> {
        match self {
            Self::Job { job, lease } => {
                Some(format!("SELECT workspace_db_hold_lease('{workspace}', '{job}', '{lease}')"))
            }
            Self::Admin { .. } | Self::Service { .. } | Self::Published => None,
        }
    }

    /// Returns the actor of the credential, if its holder may administer.
    pub(super) fn actor(&self) -> Result<Actor> {
        match self {
            Self::Admin { actor, .. } => Ok(actor.clone()),
            Self::Service { .. } | Self::Job { .. } | Self::Published => Err(not_a_superadmin()),
        }
    }

    /// Verifies in the database that the credential is a superadmin's now. `in_person` requires a login session and
    /// rejects an API token.
    pub(super) async fn authorize_superadmin(&self, conn: &mut AsyncPgConnection, in_person: bool) -> Result<()> {
        let Self::Admin { token, .. } = self else { return Err(not_a_superadmin()) };
        let found: Option<(AdminRole, AdminTokenKind)> = admin_tokens::table
            .inner_join(admin_users::table)
            .filter(admin_tokens::token_hash.eq(token))
            .filter(token_is_valid().and(admin_may_enter()))
            .select((admin_users::role, admin_tokens::kind))
            .first(conn)
            .await
            .optional()?;
        match found {
            Some((AdminRole::Superadmin, kind)) if !in_person || kind == AdminTokenKind::Session => Ok(()),
            Some((AdminRole::Superadmin, _)) => {
                Err(Error::new(Kind::Forbidden, "a token does not give others what it has itself")
                    .remedy("log in, and do it with the session"))
            }
            _ => Err(not_a_superadmin()),
        }
    }
}

/// Returns the predicate that a session or an API token is valid. Every query that identifies a caller by one includes
/// it.
#[auto_type(no_type_alias)]
pub(crate) fn token_is_valid() -> _ {
    let secret: AdminTokenKind = AdminTokenKind::Password;
    admin_tokens::kind.ne(secret).and(admin_tokens::revoked_at.is_null()).and(admin_tokens::expires_at.gt(now))
}

/// Returns the predicate that an administrator may do more than change their password.
#[auto_type(no_type_alias)]
pub(crate) fn admin_may_enter() -> _ {
    let active: AdminStatus = AdminStatus::Active;
    admin_users::status.eq(active).and(admin_users::must_change_password.eq(false))
}

async fn level_of_admin(
    conn: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    token: &TokenHash,
) -> Result<Option<AccessLevel>> {
    let is_member = workspace_admins::workspace_id
        .eq(workspaces::id)
        .and(workspace_admins::admin_user_id.eq(admin_users::id))
        .and(workspace_admins::joined_at.is_not_null());
    let found: Option<(AdminRole, Option<AdminRole>)> = admin_tokens::table
        .inner_join(admin_users::table)
        .inner_join(workspaces::table.on(workspaces::id.eq(workspace)))
        .left_join(workspace_admins::table.on(is_member))
        .filter(admin_tokens::token_hash.eq(token))
        .filter(token_is_valid().and(admin_may_enter()))
        .filter(workspaces::is_active)
        .select((admin_users::role, workspace_admins::role.nullable()))
        .first(conn)
        .await
        .optional()?;
    Ok(found.and_then(|(of_platform, of_workspace)| match (of_platform, of_workspace) {
        (AdminRole::Superadmin, _) | (_, Some(AdminRole::Superadmin)) => Some(AccessLevel::Administer),
        (_, Some(AdminRole::Admin)) => Some(AccessLevel::Write),
        (_, None) => None,
    }))
}

async fn level_of_service(
    conn: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    token: &TokenHash,
) -> Result<Option<AccessLevel>> {
    let access: Option<ServiceAccess> = service_tokens::table
        .inner_join(workspaces::table)
        .filter(service_tokens::workspace_id.eq(workspace).and(service_tokens::token_hash.eq(token)))
        .filter(service_tokens::revoked_at.is_null().and(service_tokens::expires_at.gt(now)))
        .filter(workspaces::is_active)
        .select(service_tokens::access)
        .first(conn)
        .await
        .optional()?;
    Ok(access.map(|access| match access {
        ServiceAccess::Read => AccessLevel::Read,
        ServiceAccess::Write => AccessLevel::Write,
    }))
}

async fn level_of_job(
    conn: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    job: JobId,
    lease: Uuid,
) -> Result<Option<AccessLevel>> {
    let found: Option<JobId> = jobs::table
        .inner_join(workspaces::table)
        .filter(jobs::workspace_id.eq(workspace).and(jobs::id.eq(job)))
        .filter(jobs::lease_token.eq(lease).and(jobs::lease_expires_at.gt(now)))
        .filter(workspaces::is_active)
        .select(jobs::id)
        .first(conn)
        .await
        .optional()?;
    match found {
        Some(_) => Ok(Some(AccessLevel::Write)),
        None => Err(lease_is_over(job)),
    }
}

async fn level_of_public(conn: &mut AsyncPgConnection, workspace: WorkspaceId) -> Result<Option<AccessLevel>> {
    let found: Option<WorkspaceId> = workspaces::table
        .filter(workspaces::id.eq(workspace).and(workspaces::is_active).and(workspaces::is_published))
        .select(workspaces::id)
        .first(conn)
        .await
        .optional()?;
    Ok(found.map(|_| AccessLevel::Read))
}

/// Returns the error of a worker that has lost its job or finished it.
pub(crate) fn lease_is_over(job: JobId) -> Error {
    Error::new(Kind::LeaseLost, format!("the lease of job {job} is over"))
        .remedy("stop: another worker has the job, or it has ended")
}

/// Returns the same message for a workspace that does not exist and for one that the caller may not enter.
pub(super) fn no_workspace(which: &str) -> Error {
    Error::new(Kind::NotFound, format!("no workspace {which} is open here"))
}

fn not_a_superadmin() -> Error {
    Error::new(Kind::Forbidden, "only a superadmin administers the platform")
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admin { .. } => "this administrator",
            Self::Service { .. } => "this service",
            Self::Job { .. } => "this job",
            Self::Published => "the public side",
        })
    }
}
