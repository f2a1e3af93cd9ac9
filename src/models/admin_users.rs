//! Table `admin_users`: people who administer the platform. It is global: an administrator may enter several workspaces.

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
    /// True if the administrator may only change the password.
    pub must_change_password: bool,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Reach: superadmin enters every workspace, admin those of workspace_admins.
    pub role: AdminRole,
    /// Active or disabled.
    pub status: AdminStatus,
    /// Time of the last successful login.
    pub last_login_at: Option<DateTime<Utc>>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
    /// True until the first login to an account that an invitation created.
    pub is_invited: bool,
}

/// A row of `admin_users` to insert.
///
/// `None` gives a column its default, or NULL if it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = admin_users)]
pub struct NewAdminUser {
    /// Identity, UUID v7 when made by this crate.
    pub id: AdminUserId,
    /// Login name, unique without regard to case.
    pub email: Email,
    /// Hash in PHC string format: argon2id, or bcrypt in an adopted row until its first login.
    pub password_hash: PasswordHash,
    /// True if the administrator may only change the password.
    pub must_change_password: Option<bool>,
    /// Given name.
    pub first_name: Option<Name>,
    /// Family name.
    pub last_name: Option<Name>,
    /// Reach: superadmin enters every workspace, admin those of workspace_admins.
    pub role: Option<AdminRole>,
    /// Active or disabled.
    pub status: Option<AdminStatus>,
    /// Time of the last successful login.
    pub last_login_at: Option<DateTime<Utc>>,
    /// True until the first login to an account that an invitation created.
    pub is_invited: Option<bool>,
}

impl NewAdminUser {
    /// Returns a row with these values and a new id; all other columns keep their defaults.
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

/// Changes to a row of `admin_users`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
///
/// It has no password, role or status: [`auth`](crate::auth) changes those, and inserts an audit entry.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = admin_users)]
pub struct AdminUserChanges {
    /// Login name, unique without regard to case.
    pub email: Option<Email>,
    /// Given name.
    pub first_name: Option<Option<Name>>,
    /// Family name.
    pub last_name: Option<Option<Name>>,
    /// Time of the last change, which every update sets.
    pub updated_at: StatementTime,
}
