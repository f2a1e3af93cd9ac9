//! Tokens as credentials: the checks that one opens a workspace, and at which level.

use diesel::dsl::{auto_type, now};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::error::{Error, ErrorKind, Result};
use crate::id::WorkspaceId;
use crate::schema::{admin_tokens, admin_users, service_tokens, workspace_admins, workspaces};
use crate::sql_types::{AdminRole, AdminStatus, AdminTokenKind, ServiceAccess, TokenHash};
use crate::tenancy::{AccessLevel, Actor, Credential, not_a_superadmin};

/// An administrator's session or API token.
pub(super) struct AdminCredential {
    pub(super) token: TokenHash,
    pub(super) actor: Actor,
}

/// A service's token.
pub(super) struct ServiceCredential {
    pub(super) token: TokenHash,
}

impl Credential for AdminCredential {
    fn level<'c>(
        &'c self,
        conn: &'c mut AsyncPgConnection,
        workspace: WorkspaceId,
    ) -> BoxFuture<'c, Result<Option<AccessLevel>>> {
        level_of_admin(conn, workspace, &self.token).boxed()
    }

    fn holder(&self) -> &'static str {
        "this administrator"
    }

    fn fence(&self, _workspace: WorkspaceId) -> Option<String> {
        None
    }

    fn authorize_superadmin<'c>(
        &'c self,
        conn: &'c mut AsyncPgConnection,
        in_person: bool,
    ) -> BoxFuture<'c, Result<()>> {
        authorize_superadmin(conn, &self.token, in_person).boxed()
    }

    fn actor(&self) -> Result<Actor> {
        Ok(self.actor.clone())
    }
}

impl Credential for ServiceCredential {
    fn level<'c>(
        &'c self,
        conn: &'c mut AsyncPgConnection,
        workspace: WorkspaceId,
    ) -> BoxFuture<'c, Result<Option<AccessLevel>>> {
        level_of_service(conn, workspace, &self.token).boxed()
    }

    fn holder(&self) -> &'static str {
        "this service"
    }

    fn fence(&self, _workspace: WorkspaceId) -> Option<String> {
        None
    }
}

/// Returns the predicate that a session or an API token is valid. Every query that identifies a caller by one includes
/// it.
#[auto_type(no_type_alias)]
pub(super) fn token_is_valid() -> _ {
    let secret: AdminTokenKind = AdminTokenKind::Password;
    admin_tokens::kind.ne(secret).and(admin_tokens::revoked_at.is_null()).and(admin_tokens::expires_at.gt(now))
}

/// Returns the predicate that an administrator may do more than change their password.
#[auto_type(no_type_alias)]
pub(super) fn admin_may_enter() -> _ {
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

async fn authorize_superadmin(conn: &mut AsyncPgConnection, token: &TokenHash, in_person: bool) -> Result<()> {
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
            Err(Error::new(ErrorKind::Forbidden, "a token can't grant its own rights to others")
                .remedy("log in, and use the session"))
        }
        _ => Err(not_a_superadmin()),
    }
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
