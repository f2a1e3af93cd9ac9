//! Session of an administrator within one request.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::admin_tokens::{create_token, revoke, valid_tokens};
use super::credential::{AdminCredential, admin_may_enter, token_is_valid};
use super::invitations::PendingInvitation;
use super::token::{Token, TokenKind, invalid_token, is_due};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{AdminTokenId, AdminUserId, WorkspaceId};
use crate::models::{AdminToken, AdminUser, Workspace};
use crate::schema::{admin_tokens, admin_users, workspace_admins, workspaces};
use crate::sql_types::{AdminRole, AdminTokenKind, Name};
use crate::tenancy::{Actor, Administer, Credential, Database, PlatformScope, WorkspaceScope, load_readable};

/// Administrator who presented a valid session or API token.
///
/// It belongs to one request: create it from the token each time, with [`session`]. Its methods query the current
/// rights.
#[derive(Clone, Debug)]
pub struct AdminSession {
    admin: AdminUserId,
    email: String,
    role: AdminRole,
    token: AdminTokenId,
    proof: Arc<dyn Credential>,
    actor: Actor,
}

/// Returns the session of a token that came with a request from `address`.
///
/// # Errors
///
/// [`is_unauthenticated`](Error::is_unauthenticated) if the token does not exist, has expired, was revoked or is of
/// another kind, or if its administrator is disabled. The error is the same in all of these cases.
/// [`is_unreachable`](Error::is_unreachable).
///
/// ```no_run
/// use workspace_db::auth;
///
/// # async fn example(db: &workspace_db::tenancy::Database, cookie: &str) -> workspace_db::Result<()> {
/// let session = auth::session(db, &cookie.parse()?, None).await?;
/// println!("{}", session.email());
/// # Ok(())
/// # }
/// ```
pub async fn session(db: &Database, token: &Token, address: Option<IpAddr>) -> Result<AdminSession> {
    token.require_kind(&[TokenKind::Session, TokenKind::Api])?;
    let hash = token.hash();
    let query = admin_tokens::table
        .inner_join(admin_users::table)
        .filter(admin_tokens::token_hash.eq(&hash).and(token_is_valid()).and(admin_may_enter()))
        .select((AdminUser::as_select(), admin_tokens::id, admin_tokens::last_used_at));
    let found = db
        .authority()
        .platform(async |conn| {
            let found: Option<(AdminUser, AdminTokenId, Option<DateTime<Utc>>)> = query.first(conn).await.optional()?;
            let Some((admin, id, last_used_at)) = found else { return Ok::<_, Error>(None) };
            if is_due(last_used_at) {
                let used = admin_tokens::table.find(id);
                diesel::update(used).set(admin_tokens::last_used_at.eq(now)).execute(conn).await?;
            }
            Ok(Some((admin, id)))
        })
        .await?;
    let (admin, id) = found.ok_or_else(invalid_token)?;
    let actor = Actor::Administrator { id: admin.id, address: address.map(|address| address.to_canonical()) };
    Ok(AdminSession::new(&admin, id, token, actor))
}

impl AdminSession {
    pub(super) fn new(admin: &AdminUser, id: AdminTokenId, token: &Token, actor: Actor) -> Self {
        let proof = Arc::new(AdminCredential { token: token.hash(), actor: actor.clone() });
        Self { admin: admin.id, email: admin.email.clone(), role: admin.role, token: id, proof, actor }
    }

    /// Returns the administrator.
    #[must_use]
    pub fn admin(&self) -> AdminUserId {
        self.admin
    }

    /// Returns their email.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// Returns their role on the platform, as it was when the session was loaded.
    #[must_use]
    pub fn role(&self) -> AdminRole {
        self.role
    }

    /// Returns the id under which lists show the presented token.
    #[must_use]
    pub fn token(&self) -> AdminTokenId {
        self.token
    }

    /// Returns the scope of a workspace, to read and write its content. A superadmin may enter any workspace; other
    /// administrators may enter those that they have joined.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) if the workspace does not exist, is archived or is not one of theirs, or
    /// if the session has ended. The error is the same in all of these cases.
    ///
    /// ```no_run
    /// use workspace_db::auth::AdminSession;
    /// use workspace_db::id::WorkspaceId;
    /// use workspace_db::tenancy::Database;
    ///
    /// # async fn example(db: &Database, session: &AdminSession, asked_for: WorkspaceId) -> workspace_db::Result<()> {
    /// let scope = session.workspace(asked_for, db).await?;
    /// let mut ws = db.workspace(&scope).await?;
    /// # drop(ws);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn workspace(&self, workspace: WorkspaceId, db: &Database) -> Result<WorkspaceScope> {
        db.authorize(self.proof.clone(), workspace).await
    }

    /// Returns the scope to administer a workspace. A superadmin may administer any workspace; other administrators may
    /// administer those in which their role is superadmin.
    ///
    /// # Errors
    ///
    /// Same as [`workspace`](Self::workspace); [`is_forbidden`](Error::is_forbidden) for a member without that role.
    pub async fn administer(&self, workspace: WorkspaceId, db: &Database) -> Result<WorkspaceScope<Administer>> {
        db.authorize(self.proof.clone(), workspace).await
    }

    /// Returns the scope of the platform, for a superadmin.
    ///
    /// # Errors
    ///
    /// [`is_forbidden`](Error::is_forbidden) for any other administrator.
    pub async fn platform(&self, db: &Database) -> Result<PlatformScope> {
        db.authorize_platform(self.proof.clone()).await
    }

    /// Lists the workspaces that this administrator may enter, by slug.
    ///
    /// # Errors
    ///
    /// [`is_unauthenticated`](Error::is_unauthenticated) if the session has ended;
    /// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure).
    pub async fn workspaces(&self, db: &Database) -> Result<Vec<Workspace>> {
        let mine = workspace_admins::table
            .filter(workspace_admins::admin_user_id.eq(self.admin).and(workspace_admins::joined_at.is_not_null()))
            .select(workspace_admins::workspace_id);
        let query = Workspace::query().filter(workspaces::is_active).order(workspaces::slug);
        let is_superadmin = admin_users::table
            .find(self.admin)
            .filter(admin_users::role.eq(AdminRole::Superadmin))
            .select(admin_users::id);
        db.platform(async |conn| {
            self.still_valid(conn).await?;
            let sees_all = diesel::select(diesel::dsl::exists(is_superadmin)).get_result::<bool>(conn).await?;
            if sees_all {
                load_readable(query, conn).await
            } else {
                load_readable(query.filter(workspaces::id.eq_any(mine)), conn).await
            }
        })
        .await
    }

    /// Lists the valid sessions and API tokens of this administrator, newest first.
    ///
    /// # Errors
    ///
    /// Same as [`workspaces`](Self::workspaces).
    pub async fn tokens(&self, db: &Database) -> Result<Vec<AdminToken>> {
        db.platform(async |conn| {
            self.still_valid(conn).await?;
            valid_tokens(conn, self.admin).await
        })
        .await
    }

    /// Creates a token with which a program acts as this administrator for `days` days. Only this call returns the
    /// token.
    ///
    /// # Errors
    ///
    /// [`is_forbidden`](Error::is_forbidden) if this session itself uses an API token;
    /// [`is_invalid_input`](Error::is_invalid_input) if `days` is 0 or more than 366;
    /// [`is_unauthenticated`](Error::is_unauthenticated) if the session has ended.
    ///
    /// ```no_run
    /// use workspace_db::auth::AdminSession;
    /// use workspace_db::tenancy::Database;
    ///
    /// # async fn example(db: &Database, session: &AdminSession) -> workspace_db::Result<()> {
    /// let (row, token) = session.create_token(db, &"nightly import".parse()?, 90).await?;
    /// println!("{} is valid until {}", token.expose(), row.expires_at);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_token(&self, db: &Database, name: &Name, days: u32) -> Result<(AdminToken, Token)> {
        db.platform(async |conn| {
            let kind = self.lock_and_verify(conn).await?;
            if kind != AdminTokenKind::Session {
                return Err(Error::new(ErrorKind::Forbidden, "a token can't create another token")
                    .remedy("log in, and create the token with the session"));
            }
            create_token(conn, self.actor.clone(), self.admin, name, days).await
        })
        .await
    }

    /// Revokes a session or token of this administrator. New requests fail at once, and its scopes end within one
    /// second.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) if it is not one of theirs or was revoked already;
    /// [`is_unauthenticated`](Error::is_unauthenticated) if this session has ended.
    pub async fn revoke(&self, db: &Database, token: AdminTokenId) -> Result<()> {
        db.platform(async |conn| {
            self.lock_and_verify(conn).await?;
            revoke(conn, self.actor.clone(), self.admin, token).await
        })
        .await
    }

    /// Ends this session.
    ///
    /// # Errors
    ///
    /// Same as [`revoke`](Self::revoke).
    pub async fn log_out(self, db: &Database) -> Result<()> {
        self.revoke(db, self.token).await
    }

    /// Accepts an invitation for this administrator's email and joins its workspace.
    ///
    /// # Errors
    ///
    /// [`is_unauthenticated`](Error::is_unauthenticated) if the invitation is for another account, was used or
    /// withdrawn, or has expired. The error is the same in all of these cases.
    pub async fn accept(&self, db: &Database, invitation: &Token) -> Result<WorkspaceId> {
        db.platform(async |conn| {
            self.lock_and_verify(conn).await?;
            let joining = PendingInvitation::find(conn, invitation, Some(self.admin)).await?;
            joining.join(conn, self.actor.clone()).await
        })
        .await
    }

    /// Locks the administrator's row, so that no concurrent transaction creates or revokes tokens. Then returns an
    /// error if the session has ended since it was loaded.
    async fn lock_and_verify(&self, conn: &mut AsyncPgConnection) -> Result<AdminTokenKind> {
        let row = admin_users::table.find(self.admin).select(admin_users::id).for_no_key_update();
        row.first::<AdminUserId>(conn).await.optional()?.ok_or_else(invalid_token)?;
        self.still_valid(conn).await
    }

    async fn still_valid(&self, conn: &mut AsyncPgConnection) -> Result<AdminTokenKind> {
        let query = admin_tokens::table
            .inner_join(admin_users::table)
            .filter(admin_tokens::id.eq(self.token).and(token_is_valid()).and(admin_may_enter()))
            .select(admin_tokens::kind);
        query.first(conn).await.optional()?.ok_or_else(invalid_token)
    }
}
