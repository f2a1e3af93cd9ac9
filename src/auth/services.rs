//! Tokens of services: programs that work in one workspace and have no account.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;

use super::credential::ServiceCredential;
use super::token::{Token, TokenKind, invalid_token, is_due, valid_for};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ServiceTokenId;
use crate::models::{NewAuditEntry, NewServiceToken, ServiceToken};
use crate::schema::service_tokens;
use crate::sql_types::{Name, ServiceAccess};
use crate::tenancy::{Administer, Database, PlatformExecutor, Read, WorkspaceScope, load_readable};

/// Access that a service's token grants.
#[derive(Clone, Debug)]
pub enum ServiceScope {
    /// Read access to its workspace.
    Reads(WorkspaceScope<Read>),
    /// Read and write access to its workspace.
    Writes(WorkspaceScope),
}

impl ServiceScope {
    /// Returns the scope to read, which both kinds of tokens grant.
    #[must_use]
    pub fn read(&self) -> WorkspaceScope<Read> {
        match self {
            Self::Reads(scope) => scope.clone(),
            Self::Writes(scope) => scope.to_read(),
        }
    }

    /// Returns the scope to write.
    ///
    /// # Errors
    ///
    /// [`is_forbidden`](Error::is_forbidden) if the token may only read.
    pub fn write(&self) -> Result<WorkspaceScope> {
        match self {
            Self::Writes(scope) => Ok(scope.clone()),
            Self::Reads(_) => Err(Error::new(ErrorKind::Forbidden, "this service token is read-only")
                .remedy("create a service token with write access if the service must write")),
        }
    }
}

/// Returns the access that a service's token grants to its workspace.
///
/// # Errors
///
/// [`is_unauthenticated`](Error::is_unauthenticated) if the token does not exist, has expired or was revoked, or if its
/// workspace is archived. The error is the same in all of these cases.
///
/// ```no_run
/// use workspace_db::auth;
///
/// # async fn example(db: &workspace_db::tenancy::Database, bearer: &str) -> workspace_db::Result<()> {
/// let service = auth::service(db, &bearer.parse()?).await?;
/// let mut ws = db.workspace(&service.read()).await?;
/// # drop(ws);
/// # Ok(())
/// # }
/// ```
pub async fn service(db: &Database, token: &Token) -> Result<ServiceScope> {
    token.require_kind(&[TokenKind::Service])?;
    let (workspace, hash) = (token.workspace()?, token.hash());
    let mine = service_tokens::table
        .filter(service_tokens::workspace_id.eq(workspace).and(service_tokens::token_hash.eq(&hash)));
    let access: Option<ServiceAccess> = db
        .authority()
        .platform(async |conn| {
            let query = mine.select((service_tokens::access, service_tokens::last_used_at));
            let found: Option<(ServiceAccess, Option<DateTime<Utc>>)> = query.first(conn).await.optional()?;
            let Some((access, last_used_at)) = found else { return Ok::<_, Error>(None) };
            if is_due(last_used_at) {
                diesel::update(mine).set(service_tokens::last_used_at.eq(now)).execute(conn).await?;
            }
            Ok(Some(access))
        })
        .await?;
    let proof = Arc::new(ServiceCredential { token: hash.clone() });
    // `authorize` verifies that the token is still valid and has this access.
    let opened = match access.ok_or_else(invalid_token)? {
        ServiceAccess::Read => db.authorize(proof, workspace).await.map(ServiceScope::Reads),
        ServiceAccess::Write => db.authorize(proof, workspace).await.map(ServiceScope::Writes),
    };
    opened.map_err(|error| if error.is_not_found() { invalid_token() } else { error })
}

/// Creates a token for a service in the scope's workspace, valid for `days` days. Only this call returns the token.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if `days` is 0 or more than 366; [`is_not_found`](Error::is_not_found)
/// and [`is_forbidden`](Error::is_forbidden) if the scope's administrator may no longer administer the workspace.
pub async fn create_service_token(
    db: impl PlatformExecutor,
    scope: &WorkspaceScope<Administer>,
    name: &Name,
    access: ServiceAccess,
    days: u32,
) -> Result<(ServiceToken, Token)> {
    let workspace = scope.workspace();
    let token = Token::generate(TokenKind::Service, Some(workspace))?;
    let row = NewServiceToken {
        id: ServiceTokenId::generate(),
        workspace_id: workspace,
        name: name.as_str().to_owned(),
        access,
        token_hash: token.hash(),
        expires_at: valid_for(days)?,
    };
    let database = db.token()?;
    db.run(async |conn| {
        let actor = scope.actor(conn, database).await?;
        let made = diesel::insert_into(service_tokens::table)
            .values(&row)
            .returning(ServiceToken::as_returning())
            .get_result(conn)
            .await?;
        NewAuditEntry::new(actor, "service_token.create", "service_tokens", Some(*row.id.as_uuid()))
            .for_workspace(workspace)
            .made(&made)
            .insert(conn)
            .await?;
        Ok((made, token))
    })
    .await
}

/// Lists the valid tokens of services in the scope's workspace, newest first.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found), [`is_forbidden`](Error::is_forbidden).
pub async fn service_tokens(
    db: impl PlatformExecutor,
    scope: &WorkspaceScope<Administer>,
) -> Result<Vec<ServiceToken>> {
    let database = db.token()?;
    db.run(async |conn| {
        scope.actor(conn, database).await?;
        let tokens = ServiceToken::query()
            .filter(service_tokens::workspace_id.eq(scope.workspace()))
            .filter(service_tokens::revoked_at.is_null().and(service_tokens::expires_at.gt(now)))
            .order((service_tokens::created_at.desc(), service_tokens::id.desc()));
        load_readable(tokens, conn).await
    })
    .await
}

/// Revokes a service's token. It ends everywhere within one second.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) if the workspace has no such token or it was revoked already;
/// [`is_forbidden`](Error::is_forbidden).
pub async fn revoke_service_token(
    db: impl PlatformExecutor,
    scope: &WorkspaceScope<Administer>,
    token: ServiceTokenId,
) -> Result<()> {
    let database = db.token()?;
    db.run(async |conn| {
        let actor = scope.actor(conn, database).await?;
        let valid = service_tokens::table.find((scope.workspace(), token)).filter(service_tokens::revoked_at.is_null());
        let name: Option<String> = diesel::update(valid)
            .set(service_tokens::revoked_at.eq(now))
            .returning(service_tokens::name)
            .get_result(conn)
            .await
            .optional()?;
        let name =
            name.ok_or_else(|| Error::new(ErrorKind::NotFound, "this workspace has no valid token with this id"))?;
        NewAuditEntry::new(actor, "service_token.revoke", "service_tokens", Some(*token.as_uuid()))
            .for_workspace(scope.workspace())
            .made(&json!({ "name": name }))
            .insert(conn)
            .await
    })
    .await
}
