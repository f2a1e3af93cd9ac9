//! Privileges of the logins, default credentials, and poolers between the logins and the server.

use super::examination::CheckContext;
use super::finding::{CheckStatus, Diagnostic};
use crate::config::{DatabaseUrl, Environment};
use crate::db::{self, roles};
use crate::error::Result;

pub(super) async fn diagnostics(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let mut diagnostics = of_the_app(context).await.unwrap_or_else(|error| vec![Diagnostic::skipped("logins", &error)]);
    diagnostics
        .extend(of_the_platform(context).await.unwrap_or_else(|error| Some(Diagnostic::skipped("logins", &error))));
    diagnostics.extend(credentials(context).await);
    diagnostics.extend(pooler(context).await);
    diagnostics
}

async fn of_the_app(context: &CheckContext<'_>) -> Result<Vec<Diagnostic>> {
    let config = &context.doctor.config;
    let is_production = config.environment == Environment::Production;
    let grave = if is_production { CheckStatus::Fail } else { CheckStatus::Warn };
    let Some(url) = &config.database_app_url else {
        let what = "DATABASE_APP_URL is not set: the application logs in as the owner and switches to workspace_app in each transaction";
        return Ok(vec![Diagnostic::new("logins", grave, what)]);
    };
    let powers = roles::login_privileges(url).await?;
    Ok(match powers.beyond() {
        Some(why) => {
            vec![Diagnostic::new("logins", grave, format!("the application login \"{}\" {why}", powers.login))]
        }
        None if !powers.inherits_app => {
            vec![Diagnostic::new(
                "logins",
                CheckStatus::Fail,
                format!("the application login \"{}\" is not a member of workspace_app", powers.login),
            )]
        }
        None => Vec::new(),
    })
}

async fn of_the_platform(context: &CheckContext<'_>) -> Result<Option<Diagnostic>> {
    let Some(url) = &context.doctor.config.database_platform_url else { return Ok(None) };
    let powers = roles::login_privileges(url).await?;
    let name = &powers.login;
    Ok(match () {
        () if powers.is_superuser => {
            Some(Diagnostic::new("logins", CheckStatus::Warn, format!("the platform login \"{name}\" is a superuser")))
        }
        () if !powers.inherits_platform && !powers.may_set_platform => Some(Diagnostic::new(
            "logins",
            CheckStatus::Fail,
            format!("the platform login \"{name}\" is not a member of workspace_platform"),
        )),
        () => None,
    })
}

async fn credentials(context: &CheckContext<'_>) -> Option<Diagnostic> {
    let Some(database) = &context.database else {
        return Some(Diagnostic::new(
            "credentials",
            CheckStatus::Skipped,
            "the database can't be opened as an application opens it",
        ));
    };
    let status = if context.doctor.config.environment == Environment::Production {
        CheckStatus::Fail
    } else {
        CheckStatus::Warn
    };
    match database.default_credentials().await {
        Ok(published) if published.is_empty() => None,
        Ok(published) => {
            let found = format!("{} has the documented password", published.join(", "));
            Some(Diagnostic::new("credentials", status, found))
        }
        Err(error) => Some(Diagnostic::skipped("credentials", &error)),
    }
}

/// Reports a pooler, which drops or rejects the settings that a session begins with.
async fn pooler(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let config = &context.doctor.config;
    let mut diagnostics = Vec::new();
    if !is_the_server_itself(&context.doctor.owner).await {
        diagnostics.push(Diagnostic::new(
            "pooler",
            CheckStatus::Fail,
            "DATABASE_URL points to a pooler, where migrations would have neither a lock nor timeouts",
        ));
    }
    for (name, url) in
        [("DATABASE_APP_URL", &config.database_app_url), ("DATABASE_PLATFORM_URL", &config.database_platform_url)]
    {
        let options = url.iter().flat_map(DatabaseUrl::parameters).find(|(parameter, _)| parameter == "options");
        diagnostics.extend(options.map(|(_, value)| {
            Diagnostic::new(
                "pooler",
                CheckStatus::Warn,
                format!("{name} sets options={value:?}, which a pooler rejects"),
            )
        }));
    }
    if let Some(Err(error)) = match &context.database {
        Some(database) => Some(database.ping().await),
        None => None,
    } {
        diagnostics.push(Diagnostic::new("pooler", CheckStatus::Fail, error.to_string()));
    }
    diagnostics
}

async fn is_the_server_itself(url: &DatabaseUrl) -> bool {
    let Ok(client) = db::client_with(url, "-c lock_timeout=1234ms").await else { return false };
    let kept = client.query_one("SELECT current_setting('lock_timeout') = '1234ms'", &[]).await;
    kept.is_ok_and(|row| row.get(0))
}
