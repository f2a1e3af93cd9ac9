//! Table `admin_tokens`: sessions, API tokens and password secrets of administrators. It is global, as administrators are.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;

use crate::id::{AdminTokenId, AdminUserId};
use crate::schema::admin_tokens;
use crate::sql_types::{AdminTokenKind, TokenHash};

/// A token of an administrator, without the token itself, which only its holder has.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = admin_tokens)]
pub struct AdminToken {
    /// Identity, by which it is listed and revoked.
    pub id: AdminTokenId,
    /// The administrator.
    pub admin_user_id: AdminUserId,
    /// Purpose.
    pub kind: AdminTokenKind,
    /// Display name; the browser, for a session.
    pub name: String,
    /// Network address of the client that created it, if known.
    pub address: Option<String>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last use, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// End of its validity.
    pub expires_at: DateTime<Utc>,
    /// Time of revocation, or of the single use.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A row of `admin_tokens` to insert.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = admin_tokens)]
pub(crate) struct NewAdminToken {
    pub(crate) id: AdminTokenId,
    pub(crate) admin_user_id: AdminUserId,
    pub(crate) kind: AdminTokenKind,
    pub(crate) name: String,
    pub(crate) token_hash: TokenHash,
    pub(crate) address: Option<String>,
    pub(crate) expires_at: DateTime<Utc>,
}
