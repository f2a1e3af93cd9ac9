//! Tokens of services: programs that work in one workspace, and are nobody.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;

use super::session::valid_for;
use super::token::{Token, TokenKind, invalid_token};
use crate::error::{Error, Kind, Result};
use crate::id::ServiceTokenId;
use crate::models::{NewAuditEntry, NewServiceToken, ServiceToken};
use crate::schema::service_tokens;
use crate::sql_types::{Name, ServiceAccess};
use crate::tenancy::{Administer, Credential, Database, Read, WorkspaceScope, load_readable};

/// What a service's token opens.
#[derive(Clone, Debug)]
pub enum ServiceScope {
    /// To read its workspace.
    Reads(WorkspaceScope<Read>),
    /// To read and write it.
    Writes(WorkspaceScope),
}

impl ServiceScope {
    /// The scope to read, which either kind of token gives.
    #[must_use]
    pub fn read(&self) -> WorkspaceScope<Read> {
        match self {
            Self::Reads(scope) => scope.clone(),
            Self::Writes(scope) => scope.to_read(),
        }
    }

    /// The scope to write.
    ///
    /// # Errors
    ///
    /// [`is_forbidden`](Error::is_forbidden) where the token may only read.
    pub fn write(&self) -> Result<WorkspaceScope> {
        match self {
            Self::Writes(scope) => Ok(scope.clone()),
            Self::Reads(_) => Err(Error::new(Kind::Forbidden, "this service's token may only read")
                .remedy("make one that may write, where that is meant")),
        }
    }
}

/// The scope of the workspace that a service's token is bound to.
///
/// # Errors
///
/// [`is_unauthenticated`](Error::is_unauthenticated) where the token was never given, has expired, was revoked, or its
/// workspace is archived: these can't be told apart.
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
        .platform(async |conn| {
            let query = mine.select((service_tokens::access, service_tokens::last_used_at));
            let found: Option<(ServiceAccess, Option<DateTime<Utc>>)> = query.first(conn).await.optional()?;
            let Some((access, last_used_at)) = found else { return Ok::<_, Error>(None) };
            if super::is_due(last_used_at) {
                diesel::update(mine).set(service_tokens::last_used_at.eq(now)).execute(conn).await?;
            }
            Ok(Some(access))
        })
        .await?;
    let proof = Credential::Service { token: hash.clone() };
    // Whether it is still valid, and what it may do, is asked where the scope is given.
    let opened = match access.ok_or_else(invalid_token)? {
        ServiceAccess::Read => db.authorize(proof, workspace).await.map(ServiceScope::Reads),
        ServiceAccess::Write => db.authorize(proof, workspace).await.map(ServiceScope::Writes),
    };
    opened.map_err(|error| if error.is_not_found() { invalid_token() } else { error })
}

/// A token for a service in the scope's workspace, for so many days: shown this once.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) where `days` is 0 or more than 366; [`is_not_found`](Error::is_not_found)
/// and [`is_forbidden`](Error::is_forbidden) where the scope's administrator may not do so any more.
pub async fn create_service_token(
    db: &Database,
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
    db.platform(async |conn| {
        let actor = scope.actor(conn, db).await?;
        let made = diesel::insert_into(service_tokens::table)
            .values(&row)
            .returning(ServiceToken::as_returning())
            .get_result(conn)
            .await?;
        NewAuditEntry::new(actor, "service_token.create", "service_tokens", Some(*row.id.as_uuid()))
            .of(workspace)
            .made(&made)
            .insert(conn)
            .await?;
        Ok((made, token))
    })
    .await
}

/// The valid tokens of services in the scope's workspace, the newest first.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found), [`is_forbidden`](Error::is_forbidden).
pub async fn service_tokens(db: &Database, scope: &WorkspaceScope<Administer>) -> Result<Vec<ServiceToken>> {
    db.platform(async |conn| {
        scope.actor(conn, db).await?;
        let tokens = ServiceToken::query()
            .filter(service_tokens::workspace_id.eq(scope.workspace()))
            .filter(service_tokens::revoked_at.is_null().and(service_tokens::expires_at.gt(now)))
            .order((service_tokens::created_at.desc(), service_tokens::id.desc()));
        load_readable(tokens, conn).await
    })
    .await
}

/// Ends a service's token: it is out everywhere within a second.
///
/// # Errors
///
/// [`is_not_found`](Error::is_not_found) where there is no such valid token here; [`is_forbidden`](Error::is_forbidden).
pub async fn revoke_service_token(
    db: &Database,
    scope: &WorkspaceScope<Administer>,
    token: ServiceTokenId,
) -> Result<()> {
    db.platform(async |conn| {
        let actor = scope.actor(conn, db).await?;
        let valid = service_tokens::table.find((scope.workspace(), token)).filter(service_tokens::revoked_at.is_null());
        let name: Option<String> = diesel::update(valid)
            .set(service_tokens::revoked_at.eq(now))
            .returning(service_tokens::name)
            .get_result(conn)
            .await
            .optional()?;
        let name = name.ok_or_else(|| Error::new(Kind::NotFound, "there is no such valid token in this workspace"))?;
        NewAuditEntry::new(actor, "service_token.revoke", "service_tokens", Some(*token.as_uuid()))
            .of(scope.workspace())
            .made(&json!({ "name": name }))
            .insert(conn)
            .await
    })
    .await
}
