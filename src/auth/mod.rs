//! Authentication and authorization: logins, sessions, tokens, members, and administration of workspaces and
//! administrators.
//!
//! # How do I log an administrator in?
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
//! | actor | access | call |
//! |---|---|---|
//! | a superadmin | [`PlatformScope`] | [`AdminSession::platform`] |
//! | a superadmin | any workspace to administer | [`AdminSession::administer`] |
//! | a member whose role there is superadmin | their workspaces to administer | [`AdminSession::administer`] |
//! | a member whose role there is admin | their workspaces to read and write | [`AdminSession::workspace`] |
//! | a service with a token | one workspace to read, or to read and write | [`service`] |
//!
//! The process caches a right for at most one second. Within that time, an ended session, a revoked token and a removed
//! member lose their access everywhere. Each change here inserts an audit entry in the same transaction; [`audit_log`]
//! lists them.

mod admins;
mod audit;
mod credential;
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
pub use self::audit::{AuditFilter, AuditedChange, audit_log, record_change};
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

/// Client that sent a request, as far as the backend knows it.
///
/// Behind a proxy, set the address that the proxy vouches for. A client that can write its own address bypasses the
/// throttle.
#[derive(Clone, Debug, Default)]
pub struct ClientInfo {
    /// Network address. All clients without an address share one allowance of failed logins.
    pub address: Option<IpAddr>,
    /// Name of the session in lists, such as the browser. At most 200 characters are kept.
    pub name: Option<String>,
    /// Last session token of this device, even an expired one. It lets the owner log in while strangers try passwords.
    pub device: Option<Token>,
}

impl ClientInfo {
    /// Returns the address; an IPv4-mapped IPv6 address becomes IPv4.
    fn address(&self) -> Option<IpAddr> {
        self.address.map(|address| address.to_canonical())
    }
}

/// Returns true if a use must be recorded. This is at most once a minute, since a request that reads should not write.
fn is_due(last_used_at: Option<DateTime<Utc>>) -> bool {
    last_used_at.is_none_or(|at| at < Utc::now() - TimeDelta::minutes(1))
}

define_sql_function! {
    /// Lowercases a text, as the unique index on emails does.
    fn lower(text: Text) -> Text;
}
