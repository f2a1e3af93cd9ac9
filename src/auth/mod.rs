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
//! | a superadmin | [`PlatformScope`](crate::tenancy::PlatformScope) | [`AdminSession::platform`] |
//! | a superadmin | any workspace to administer | [`AdminSession::administer`] |
//! | a member whose role there is superadmin | their workspaces to administer | [`AdminSession::administer`] |
//! | a member whose role there is admin | their workspaces to read and write | [`AdminSession::workspace`] |
//! | a service with a token | one workspace to read, or to read and write | [`service`] |
//!
//! The process caches a right for at most one second. Within that time, an ended session, a revoked token and a removed
//! member lose their access everywhere. Each change here inserts an audit entry in the same transaction; [`audit_log`]
//! lists them.
//!
//! An action that takes a [`PlatformExecutor`](crate::tenancy::PlatformExecutor) runs in its own transaction on
//! `&Database`, or in yours on the connection of [`Database::across_workspaces`](crate::tenancy::Database::across_workspaces).
//! So a workspace and your own rows are made together. Logins, sessions and invitations that are accepted have their own
//! transactions, because a failed try must be recorded too.

mod admin_import;
mod admin_tokens;
mod admins;
mod audit;
mod client;
mod credential;
mod email;
mod invitations;
mod login;
mod members;
mod password;
mod services;
mod session;
mod settings;
mod throttle;
mod token;
mod workspaces;

pub use self::admin_import::create_admin_with_hash;
pub use self::admins::{
    NewAdmin, admins, change_details, change_role, create_admin, create_admin_token, disable, enable,
    list_admin_tokens, reset_password, revoke_admin_token,
};
pub use self::audit::{AuditFilter, AuditedChange, audit_log, record_change};
pub use self::client::ClientInfo;
pub use self::invitations::{Invitation, invite};
pub use self::login::{change_password, log_in, set_password};
pub use self::members::{Member, change_member_role, join, members, remove_member};
#[cfg(feature = "transfer")]
pub(crate) use self::password::unusable as unusable_password;
pub use self::services::{ServiceScope, create_service_token, revoke_service_token, service, service_tokens};
pub use self::session::{AdminSession, session};
pub use self::settings::{EffectiveSettings, SettingsInput, change_settings, settings};
pub use self::throttle::{RateLimit, RateLimitDecision, throttle};
pub use self::token::{Token, TokenKind};
pub use self::workspaces::{
    CreatedWorkspace, archive, change_workspace, create_workspace, publish, restore, unpublish, workspaces,
};
