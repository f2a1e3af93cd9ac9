//! Table `admin_users`: people who administer the platform. Global: an administrator may enter several workspaces.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;

use crate::id::AdminUserId;
use crate::schema::admin_users;
use crate::sql_types::{AdminRole, AdminStatus, Email, Name, PasswordHash, StatementTime};

/// An administrator of the platform.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = admin_users)]
pub struct AdminUser {
    /// Identity, UUID v7 when made by this crate.
    pub id: AdminUserId,
    /// Login name, unique without regard to case.
    pub email: String,
    /// Hash in PHC string format: argon2id, or bcrypt in an adopted row until its first login.
    #[serde(skip)]
    pub password_hash: PasswordHash,
    /// Whether nothing but a change of password is allowed.
    pub must_change_password: bool,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Reach: superadmin enters every workspace, admin those of workspace_admins.
    pub role: AdminRole,
    /// Whether this administrator may log in.
    pub status: AdminStatus,
    /// Time of the last successful login.
    pub last_login_at: Option<DateTime<Utc>>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
    /// Whether an invitation made the account and nobody has entered it yet.
    pub is_invited: bool,
}

/// A row of `admin_users` to insert.
///
/// `None` leaves a column to its default, or to NULL where it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = admin_users)]
pub struct NewAdminUser {
    /// Identity, UUID v7 when made by this crate.
    pub id: AdminUserId,
    /// Login name, unique without regard to case.
    pub email: Email,
    /// Hash in PHC string format: argon2id, or bcrypt in an adopted row until its first login.
    pub password_hash: PasswordHash,
    /// Whether nothing but a change of password is allowed.
    pub must_change_password: Option<bool>,
    /// Given name.
    pub first_name: Option<Name>,
    /// Family name.
    pub last_name: Option<Name>,
    /// Reach: superadmin enters every workspace, admin those of workspace_admins.
    pub role: Option<AdminRole>,
    /// Whether this administrator may log in.
    pub status: Option<AdminStatus>,
    /// Time of the last successful login.
    pub last_login_at: Option<DateTime<Utc>>,
    /// Whether an invitation made the account and nobody has entered it yet.
    pub is_invited: Option<bool>,
}

impl NewAdminUser {
    /// What is needed; everything else has its default, and the id is fresh.
    #[must_use]
    pub fn new(email: Email, password_hash: PasswordHash) -> Self {
        Self {
            id: AdminUserId::generate(),
            email,
            password_hash,
            must_change_password: None,
            first_name: None,
            last_name: None,
            role: None,
            status: None,
            last_login_at: None,
            is_invited: None,
        }
    }
}

/// What may change in a row of `admin_users`; `None` leaves a column as it is, `Some(None)` sets it to NULL.
///
/// Password, role and status are not among it: [`auth`](crate::auth) changes those, and leaves an entry in the audit log.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = admin_users)]
pub struct AdminUserChanges {
    /// Login name, unique without regard to case.
    pub email: Option<Email>,
    /// Given name.
    pub first_name: Option<Option<Name>>,
    /// Family name.
    pub last_name: Option<Option<Name>>,
    /// Time of the last change: the statement's own, always.
    pub updated_at: StatementTime,
}
