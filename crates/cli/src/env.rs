//! `workspace-db env`

use std::borrow::Cow;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;

use super::context::Context;
use super::database::DatabaseTarget;
use super::output;

/// Print shell variables for `eval "$(workspace-db env)"`
///
/// DATABASE_URL is the login of the owner, which runs migrations. DATABASE_APP_URL is the application login.
/// DATABASE_PLATFORM_URL is the platform login, which sees every workspace. All three contain passwords.
#[derive(Args, Debug)]
pub(super) struct Env {}

pub(super) fn run(context: &Context) -> Result<()> {
    let database = DatabaseTarget::from_context(context)?;
    let config = database.config()?;
    let urls = [
        ("DATABASE_URL", config.database_url),
        ("DATABASE_APP_URL", config.database_app_url),
        ("DATABASE_PLATFORM_URL", config.database_platform_url),
    ];
    let mut variables: Vec<_> =
        urls.into_iter().filter_map(|(name, url)| Some((name, url?.expose().to_owned()))).collect();
    let mut bin = None;
    if let DatabaseTarget::LocalServer { local, .. } = &database {
        variables.push(("WORKSPACE_DB_DATA_DIR", context.data_dir.display().to_string()));
        bin = Some(local.install().bin.display().to_string());
    }
    if context.json {
        let mut map: serde_json::Map<_, _> =
            variables.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        map.insert("bin".to_owned(), json!(bin));
        return output::print_json(&map);
    }
    let mut lines = Vec::new();
    for (name, value) in &variables {
        lines.push(format!("export {name}={}", quoted(value)?));
    }
    // The folder is appended to the shell's own PATH, and only once: a second eval must not make PATH longer.
    if let Some(bin) = bin.filter(|bin| std::env::var("PATH").is_ok_and(|path| !path.split(':').any(|p| p == bin))) {
        lines.push(format!("export PATH=\"$PATH\":{}", quoted(&bin)?));
    }
    output::print_lines(lines)
}

fn quoted(value: &str) -> Result<Cow<'_, str>> {
    shlex::try_quote(value).with_context(|| format!("{value:?} can't be quoted for a shell"))
}
