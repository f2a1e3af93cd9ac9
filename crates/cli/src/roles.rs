//! `workspace-db roles`

use anyhow::Result;
use clap::Args;
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;
use workspace_db::db::roles::{APP_ROLE, PLATFORM_ROLE, apply, group_roles_sql, login_sql, restricted_functions_sql};

use super::context::Context;
use super::database::DatabaseTarget;
use super::error::ConflictingArguments;
use super::output;

/// Print or run the SQL that creates the database's roles and logins
///
/// The application login sees one workspace at a time and can't bypass row-level security. The platform login sees all
/// workspaces. Neither owns any object. Each run generates new passwords.
#[derive(Args, Debug)]
pub(super) struct Roles {
    /// Run the SQL as the owner and print the two URLs
    ///
    /// The owner needs CREATEROLE.
    #[arg(long)]
    apply: bool,
    /// Name of the application login
    #[arg(long, value_name = "LOGIN", default_value = "workspace_app_login")]
    app_login: String,
    /// Name of the platform login
    #[arg(long, value_name = "LOGIN", default_value = "workspace_platform_login")]
    platform_login: String,
}

impl Roles {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let database = DatabaseTarget::from_context(context)?;
        let owner = database.owner_url()?;
        let password = || SecretString::from(Uuid::new_v4().simple().to_string());
        let logins = [
            ("DATABASE_APP_URL", self.app_login.as_str(), password(), APP_ROLE),
            ("DATABASE_PLATFORM_URL", self.platform_login.as_str(), password(), PLATFORM_ROLE),
        ];
        if !self.apply {
            let name = owner.libpq_environment().into_iter().find(|(name, _)| *name == "PGUSER");
            let name = name.map(|(_, user)| user).unwrap_or_default();
            let mut lines = vec![
                "-- As a superuser of the server, or the first login of a managed service, once:".to_owned(),
                group_roles_sql(&name),
            ];
            for (variable, login, password, role) in &logins {
                lines.push(format!("-- For {variable}."));
                lines.push(login_sql(login, password, role));
            }
            lines.push(
                "-- As a superuser, in this database; managed services may refuse it, and it is optional:".to_owned(),
            );
            lines.push(restricted_functions_sql(&name));
            if context.json {
                return output::print_json(&json!({ "sql": lines.join("\n") }));
            }
            return output::print_lines(lines);
        }
        if let DatabaseTarget::LocalServer { .. } = database {
            let message =
                "the server of `workspace-db up` already has its logins; `workspace-db env` prints their URLs";
            return Err(ConflictingArguments(message.to_owned()).into());
        }
        let made: Vec<_> = logins.iter().map(|(_, login, password, role)| (*login, password, *role)).collect();
        apply(&owner, &made).await?;
        let urls = logins.iter().map(|(variable, login, password, _)| (*variable, owner.with_login(login, password)));
        if context.json {
            let urls: serde_json::Map<_, _> = urls.map(|(name, url)| (name.to_owned(), json!(url.expose()))).collect();
            return output::print_json(&urls);
        }
        output::print_lines(urls.map(|(name, url)| format!("{name}={}", url.expose())))
    }
}
