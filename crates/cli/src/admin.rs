//! `workspace-db admin`

use std::io::BufRead as _;

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use workspace_db::auth::{self, ClientInfo, NewAdmin, Token};
use workspace_db::id::AdminTokenId;
use workspace_db::models::{AdminToken, AdminUser};
use workspace_db::sql_types::{AdminRole, AdminStatus, Email, Name};
use workspace_db::tenancy::{self, PlatformScope};

use super::context::{Context, OPERATOR};
use super::database::DatabaseTarget;
use super::error::{ConflictingArguments, NotFound};
use super::output;

/// Create and manage the platform's administrators and their tokens
#[derive(Args, Debug)]
pub(super) struct Admin {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create an administrator and print a one-time secret to set the password
    ///
    /// The secret is valid for a day.
    Create {
        email: Email,
        /// Allow access to every workspace and administration of the platform
        #[arg(long)]
        superadmin: bool,
        #[arg(long, value_name = "NAME")]
        first_name: Option<Name>,
        #[arg(long, value_name = "NAME")]
        last_name: Option<Name>,
    },
    /// List the administrators
    List,
    /// Disable an administrator
    ///
    /// Their sessions and tokens end within a second.
    Disable { email: String },
    /// Enable a disabled administrator
    Enable { email: String },
    /// Change an administrator's role: superadmin or admin
    Role { email: String, role: AdminRole },
    /// Print a one-time secret to set an administrator's password again
    ///
    /// The secret is valid for a day.
    ResetPassword { email: String },
    /// Set a password with a one-time secret
    ///
    /// Standard input has two lines: the secret and the new password.
    SetPassword,
    /// Manage the tokens with which programs act as an administrator
    Token {
        #[command(subcommand)]
        action: TokenAction,
    },
}

#[derive(Debug, Subcommand)]
enum TokenAction {
    /// Create a token and print it
    ///
    /// The token is printed only this once.
    Create {
        email: String,
        name: Name,
        /// Number of days for which the token is valid
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
    /// List the valid sessions and tokens of an administrator
    List { email: String },
    /// Revoke a session or a token
    Revoke { email: String, id: AdminTokenId },
}

impl Admin {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let db = DatabaseTarget::from_context(context)?.open_to_administer().await?;
        let platform = PlatformScope::unchecked(OPERATOR);
        match self.action {
            Action::Create { email, superadmin, first_name, last_name } => {
                let role = if superadmin { AdminRole::Superadmin } else { AdminRole::Admin };
                let new = NewAdmin { email, role, first_name, last_name };
                let (admin, secret) = auth::create_admin(&db, &platform, &new).await?;
                print_secret(context, &admin, &secret)
            }
            Action::List => {
                let all = auth::admins(&db, &platform).await?;
                if context.json {
                    return output::print_json(&all);
                }
                output::print_lines(all.iter().map(line))
            }
            Action::Disable { email } => {
                let admin = find_by_email(&db, &platform, &email).await?;
                print_admin(context, &auth::disable(&db, &platform, admin.id).await?)
            }
            Action::Enable { email } => {
                let admin = find_by_email(&db, &platform, &email).await?;
                print_admin(context, &auth::enable(&db, &platform, admin.id).await?)
            }
            Action::Role { email, role } => {
                let admin = find_by_email(&db, &platform, &email).await?;
                print_admin(context, &auth::change_role(&db, &platform, admin.id, role).await?)
            }
            Action::ResetPassword { email } => {
                let admin = find_by_email(&db, &platform, &email).await?;
                let secret = auth::reset_password(&db, &platform, admin.id).await?;
                print_secret(context, &admin, &secret)
            }
            Action::SetPassword => {
                let mut lines = std::io::stdin().lock().lines();
                let mut line = || lines.next().transpose().map(Option::unwrap_or_default);
                let (secret, password) = (line()?, SecretString::from(line()?));
                if secret.trim().is_empty() || password.expose_secret().is_empty() {
                    return Err(ConflictingArguments(
                        "standard input has no secret or no password; write the secret on its first line and the new password on its second"
                            .to_owned(),
                    )
                    .into());
                }
                let secret: Token = secret.trim().parse()?;
                let client = ClientInfo { name: Some("the shell".to_owned()), ..ClientInfo::default() };
                let (session, _) = auth::set_password(&db, &secret, &password, &client).await?;
                let email = session.email().to_owned();
                // This command has no further use for the session.
                session.log_out(&db).await?;
                if context.json {
                    return output::print_json(&json!({ "email": email }));
                }
                output::print_lines([format!("the password of {email} is set")])
            }
            Action::Token { action } => action.run(context, &db, &platform).await,
        }
    }
}

impl TokenAction {
    async fn run(self, context: &Context, db: &tenancy::Database, platform: &PlatformScope) -> Result<()> {
        match self {
            Self::Create { email, name, days } => {
                let admin = find_by_email(db, platform, &email).await?;
                let (row, token) = auth::create_admin_token(db, platform, admin.id, &name, days).await?;
                if context.json {
                    return output::print_json(&json!({ "token": token.expose(), "row": row }));
                }
                output::print_lines([token.expose().to_owned()])
            }
            Self::List { email } => {
                let admin = find_by_email(db, platform, &email).await?;
                let all = auth::list_admin_tokens(db, platform, admin.id).await?;
                if context.json {
                    return output::print_json(&all);
                }
                output::print_lines(all.iter().map(token_line))
            }
            Self::Revoke { email, id } => {
                let admin = find_by_email(db, platform, &email).await?;
                auth::revoke_admin_token(db, platform, admin.id, id).await?;
                if context.json {
                    return output::print_json(&json!({ "revoked": id }));
                }
                output::print_lines([format!("revoked  {id}")])
            }
        }
    }
}

/// Returns the administrator with that email, ignoring case.
async fn find_by_email(db: &tenancy::Database, platform: &PlatformScope, email: &str) -> Result<AdminUser> {
    let all = auth::admins(db, platform).await?;
    let found = all.into_iter().find(|admin| admin.email.to_lowercase() == email.to_lowercase());
    Ok(found.ok_or_else(|| NotFound(format!("there is no administrator {email:?}; `admin list` shows them")))?)
}

fn line(admin: &AdminUser) -> String {
    let status = match admin.status {
        AdminStatus::Disabled => "disabled",
        AdminStatus::Active if admin.must_change_password => "has not set a password yet",
        AdminStatus::Active => "active",
    };
    format!("{:<10}  {}  {status}, last login {}", admin.role, admin.email, time(admin.last_login_at))
}

fn token_line(token: &AdminToken) -> String {
    let last = time(token.last_used_at);
    let until = time(Some(token.expires_at));
    format!("{}  {:<7}  {}, last used {last}, valid until {until}", token.id, token.kind, token.name)
}

fn time(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| at.format("%F %R UTC").to_string())
}

fn print_admin(context: &Context, admin: &AdminUser) -> Result<()> {
    if context.json {
        return output::print_json(admin);
    }
    output::print_lines([line(admin)])
}

fn print_secret(context: &Context, admin: &AdminUser, secret: &Token) -> Result<()> {
    if context.json {
        return output::print_json(&json!({ "admin": admin, "secret": secret.expose() }));
    }
    output::print_lines([
        line(admin),
        format!("secret  {}", secret.expose()),
        "It can be used once, within one day: run `workspace-db admin set-password`, or use the page of your backend."
            .to_owned(),
    ])
}
