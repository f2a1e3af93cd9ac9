//! Who may enter: logins, sessions, tokens, members, and what administrators do to workspaces and to each other.
//!
//! # How do I let an administrator in?
//!
//! ```no_run
//! use secrecy::SecretString;
//! use workspace_db::auth::{self, ClientInfo};
//! use workspace_db::id::WorkspaceId;
//! use workspace_db::tenancy::Database;
//!
//! # async fn example(db: &Database, password: SecretString, asked_for: WorkspaceId) -> workspace_db::Result<()> {
//! let client = ClientInfo { address: Some("203.0.113.7".parse().unwrap()), ..ClientInfo::default() };
//! let (session, token) = auth::log_in(db, "jane@example.com", &password, &client).await?;
//! // The token goes into a cookie. With each later request it comes back:
//! let session = auth::session(db, &token, client.address).await?;
//! let scope = session.workspace(asked_for, db).await?;
//! let mut ws = db.workspace(&scope).await?;
//! # drop(ws);
//! # Ok(())
//! # }
//! ```
//!
//! # Who may do what?
//!
//! | who | gets | by |
//! |---|---|---|
//! | a superadmin | [`PlatformScope`], and every workspace to administer | [`AdminSession::platform`], [`AdminSession::administer`] |
//! | a member whose role there is superadmin | their workspaces to administer | [`AdminSession::administer`] |
//! | a member whose role there is admin | their workspaces to read and write | [`AdminSession::workspace`] |
//! | a service with a token | one workspace to read, or to read and write | [`service`] |
//!
//! Nothing is remembered in the process for longer than a second, so a session that ends, a token that is revoked and a
//! member who is removed are out everywhere within that time. Whatever changes something here leaves an entry in the
//! audit log, in the same transaction; [`audit_log`] reads it.

mod admins;
mod audit;
mod login;
mod members;
mod password;
mod services;
mod session;
mod settings;
mod throttle;
mod token;
mod workspaces;

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::define_sql_function;
use diesel::sql_types::Text;

pub use self::admins::{
    NewAdmin, admins, change_details, change_role, create_admin, create_admin_token, disable, enable,
    list_admin_tokens, reset_password, revoke_admin_token,
};
pub use self::audit::{AuditFilter, audit_log};
pub use self::login::{change_password, log_in, set_password};
pub use self::members::{Invitation, Member, change_member_role, invite, join, members, remove_member};
#[cfg(feature = "transfer")]
pub(crate) use self::password::unusable as unusable_password;
pub use self::services::{ServiceScope, create_service_token, revoke_service_token, service, service_tokens};
pub use self::session::{AdminSession, session};
pub use self::settings::{EffectiveSettings, SettingsInput, change_settings, settings};
pub use self::token::{Token, TokenKind};
pub use self::workspaces::{
    CreatedWorkspace, archive, change_workspace, create_workspace, publish, restore, unpublish, workspaces,
};
use crate::tenancy::PlatformScope;

/// Where a request comes from, as far as the backend knows.
///
/// Behind a proxy the address is the one that the proxy vouches for; an address that the client could have written
/// itself would be a way around the throttle.
#[derive(Clone, Debug, Default)]
pub struct ClientInfo {
    /// The network address. All clients without one share one allowance of failed logins.
    pub address: Option<IpAddr>,
    /// What the session is called in lists, such as the browser; at most 200 characters are kept.
    pub name: Option<String>,
    /// The session token that this device had last, even one that has expired: by it the owner gets in while strangers
    /// try passwords.
    pub device: Option<Token>,
}

impl ClientInfo {
    /// An address of version 4 in one form, however it was written.
    fn address(&self) -> Option<IpAddr> {
        self.address.map(|address| address.to_canonical())
    }
}

/// Whether a use is to be marked: once a minute, since a request that reads should not write.
fn is_due(last_used_at: Option<DateTime<Utc>>) -> bool {
    last_used_at.is_none_or(|at| at < Utc::now() - TimeDelta::minutes(1))
}

define_sql_function! {
    /// As the unique index on emails has it.
    fn lower(text: Text) -> Text;
}
