//! Tokens of administrators, as rows: sessions, API tokens and password secrets.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::credential::token_is_valid;
use super::token::{Token, TokenKind, invalid_token, valid_for};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{AdminTokenId, AdminUserId};
use crate::models::{AdminToken, NewAdminToken, NewAuditEntry};
use crate::schema::admin_tokens;
use crate::sql_types::{AdminTokenKind, Name};
use crate::tenancy::{Actor, load_readable};

/// Inserts a token by its hash.
pub(super) async fn issue(
    conn: &mut AsyncPgConnection,
    admin: AdminUserId,
    token: &Token,
    name: &str,
    address: Option<IpAddr>,
    expires_at: DateTime<Utc>,
) -> Result<AdminTokenId> {
    let kind = match token.kind() {
        TokenKind::Session => AdminTokenKind::Session,
        TokenKind::Api => AdminTokenKind::Api,
        TokenKind::Password => AdminTokenKind::Password,
        TokenKind::Service | TokenKind::Invitation => return Err(invalid_token()),
    };
    let row = NewAdminToken {
        id: AdminTokenId::generate(),
        admin_user_id: admin,
        kind,
        name: name.to_owned(),
        token_hash: token.hash(),
        address: address.map(|address| address.to_string()),
        expires_at,
    };
    diesel::insert_into(admin_tokens::table).values(&row).execute(conn).await?;
    Ok(row.id)
}

pub(super) async fn create_token(
    conn: &mut AsyncPgConnection,
    actor: Actor,
    admin: AdminUserId,
    name: &Name,
    days: u32,
) -> Result<(AdminToken, Token)> {
    let token = Token::generate(TokenKind::Api, None)?;
    let id = issue(conn, admin, &token, name.as_str(), None, valid_for(days)?).await?;
    let row = AdminToken::query().find(id).first(conn).await?;
    NewAuditEntry::new(actor, "token.create", "admin_tokens", Some(*id.as_uuid())).made(&row).insert(conn).await?;
    Ok((row, token))
}

pub(super) async fn revoke(
    conn: &mut AsyncPgConnection,
    actor: Actor,
    admin: AdminUserId,
    token: AdminTokenId,
) -> Result<()> {
    let valid = admin_tokens::table
        .filter(admin_tokens::id.eq(token).and(admin_tokens::admin_user_id.eq(admin)))
        .filter(admin_tokens::revoked_at.is_null());
    let name: Option<String> = diesel::update(valid)
        .set(admin_tokens::revoked_at.eq(now))
        .returning(admin_tokens::name)
        .get_result(conn)
        .await
        .optional()?;
    let name = name.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no valid token {token}")))?;
    NewAuditEntry::new(actor, "token.revoke", "admin_tokens", Some(*token.as_uuid()))
        .made(&json!({ "name": name }))
        .insert(conn)
        .await
}

/// Revokes all sessions, API tokens and password secrets of an administrator.
pub(super) async fn revoke_all(conn: &mut AsyncPgConnection, admin: AdminUserId) -> Result<usize> {
    let valid =
        admin_tokens::table.filter(admin_tokens::admin_user_id.eq(admin).and(admin_tokens::revoked_at.is_null()));
    Ok(diesel::update(valid).set(admin_tokens::revoked_at.eq(now)).execute(conn).await?)
}

pub(super) async fn valid_tokens(conn: &mut AsyncPgConnection, admin: AdminUserId) -> Result<Vec<AdminToken>> {
    let tokens = AdminToken::query()
        .filter(admin_tokens::admin_user_id.eq(admin).and(token_is_valid()))
        .order((admin_tokens::created_at.desc(), admin_tokens::id.desc()));
    load_readable(tokens, conn).await
}
