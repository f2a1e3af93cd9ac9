//! Who logs in, what they could bypass, and what stands between them and the server.

use super::{Complaint, Patient, State};
use crate::config::{DatabaseUrl, Environment};
use crate::db::{self, roles};
use crate::error::Result;

pub(super) async fn complaints(patient: &Patient<'_>) -> Vec<Complaint> {
    let mut noted = of_the_app(patient).await.unwrap_or_else(|error| vec![Complaint::skipped("logins", &error)]);
    noted.extend(of_the_platform(patient).await.unwrap_or_else(|error| Some(Complaint::skipped("logins", &error))));
    noted.extend(credentials(patient).await);
    noted.extend(pooler(patient).await);
    noted
}

async fn of_the_app(patient: &Patient<'_>) -> Result<Vec<Complaint>> {
    let config = &patient.doctor.config;
    let is_production = config.environment == Environment::Production;
    let grave = if is_production { State::Fail } else { State::Warn };
    let Some(url) = &config.database_app_url else {
        let what = "DATABASE_APP_URL is not set: the application logs in as the owner, and drops to workspace_app for each transaction";
        return Ok(vec![Complaint::new("logins", grave, what)]);
    };
    let powers = roles::powers(url).await?;
    Ok(match powers.beyond() {
        Some(why) => {
            vec![Complaint::new("logins", grave, format!("the application's login \"{}\" {why}", powers.login))]
        }
        None if !powers.inherits_app => {
            vec![Complaint::new(
                "logins",
                State::Fail,
                format!("the application's login \"{}\" is not a member of workspace_app", powers.login),
            )]
        }
        None => Vec::new(),
    })
}

async fn of_the_platform(patient: &Patient<'_>) -> Result<Option<Complaint>> {
    let Some(url) = &patient.doctor.config.database_platform_url else { return Ok(None) };
    let powers = roles::powers(url).await?;
    let name = &powers.login;
    Ok(match () {
        () if powers.is_superuser => {
            Some(Complaint::new("logins", State::Warn, format!("the platform's login \"{name}\" is a superuser")))
        }
        () if !powers.inherits_platform && !powers.may_set_platform => Some(Complaint::new(
            "logins",
            State::Fail,
            format!("the platform's login \"{name}\" is not a member of workspace_platform"),
        )),
        () => None,
    })
}

async fn credentials(patient: &Patient<'_>) -> Option<Complaint> {
    let Some(database) = &patient.database else {
        return Some(Complaint::new(
            "credentials",
            State::Skipped,
            "the database can't be opened as an application does",
        ));
    };
    let state = if patient.doctor.config.environment == Environment::Production { State::Fail } else { State::Warn };
    match database.has_default_credentials().await {
        Ok(true) => Some(Complaint::new("credentials", state, "admin@example.com has the documented password")),
        Ok(false) => None,
        Err(error) => Some(Complaint::skipped("credentials", &error)),
    }
}

/// A pooler drops what a session begins with, or refuses it.
async fn pooler(patient: &Patient<'_>) -> Vec<Complaint> {
    let config = &patient.doctor.config;
    let mut noted = Vec::new();
    if !is_the_server_itself(&patient.doctor.owner).await {
        noted.push(Complaint::new(
            "pooler",
            State::Fail,
            "DATABASE_URL leads to a pooler, where migrations would have neither lock nor time-outs",
        ));
    }
    for (name, url) in
        [("DATABASE_APP_URL", &config.database_app_url), ("DATABASE_PLATFORM_URL", &config.database_platform_url)]
    {
        let options = url.iter().flat_map(DatabaseUrl::parameters).find(|(parameter, _)| parameter == "options");
        noted.extend(options.map(|(_, value)| {
            Complaint::new("pooler", State::Warn, format!("{name} sets options={value:?}, which a pooler refuses"))
        }));
    }
    if let Some(Err(error)) = match &patient.database {
        Some(database) => Some(database.ping().await),
        None => None,
    } {
        noted.push(Complaint::new("pooler", State::Fail, error.to_string()));
    }
    noted
}

async fn is_the_server_itself(url: &DatabaseUrl) -> bool {
    let Ok(client) = db::client_with(url, "-c lock_timeout=1234ms").await else { return false };
    let kept = client.query_one("SELECT current_setting('lock_timeout') = '1234ms'", &[]).await;
    kept.is_ok_and(|row| row.get(0))
}
