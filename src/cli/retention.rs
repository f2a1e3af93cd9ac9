//! `workspace-db retention`

use anyhow::Result;
use clap::Args;
use workspace_db::retention::expire;
use workspace_db::tenancy::PlatformScope;

use super::database::DatabaseTarget;
use super::{Context, output};

/// Delete what each workspace's settings have kept for long enough
///
/// The settings `*_retention_days` of a workspace say for how long, else WORKSPACE_DB_RETENTION_*; without either it is
/// kept for ever. Run it each night.
#[derive(Args, Debug)]
pub(super) struct Retention {}

pub(super) async fn run(context: &Context) -> Result<()> {
    let db = DatabaseTarget::of(context)?.open().await?;
    let expired = expire(&db, &PlatformScope::unchecked("the operator runs retention at the shell")).await?;
    if context.json {
        return output::print_json(&expired);
    }
    output::print_lines([format!(
        "deleted  {} conversations, {} events, {} jobs, {} entries of the audit log, {} tokens",
        expired.conversations, expired.analytics_events, expired.jobs, expired.audit_log, expired.tokens
    )])
}
