//! `workspace-db retention`

use anyhow::Result;
use clap::Args;
use workspace_db::noun::noun_for;
use workspace_db::retention::expire;
use workspace_db::tenancy::PlatformScope;

use super::context::Context;
use super::database::DatabaseTarget;
use super::output;

/// Delete data whose retention period has ended
///
/// The settings `*_retention_days` of a workspace define the periods, with WORKSPACE_DB_RETENTION_* as their default.
/// Without either, data is kept indefinitely. Run this command each night.
#[derive(Args, Debug)]
pub(super) struct Retention {}

pub(super) async fn run(context: &Context) -> Result<()> {
    let db = DatabaseTarget::from_context(context)?.open().await?;
    let expired = expire(&db, &PlatformScope::unchecked("the operator runs retention at the shell")).await?;
    if context.json {
        return output::print_json(&expired);
    }
    let counts = [
        (expired.conversations, "conversation"),
        (expired.analytics_events, "event"),
        (expired.jobs, "job"),
        (expired.audit_log, "audit entry"),
        (expired.tokens, "token"),
    ];
    let counts = counts.map(|(count, noun)| format!("{count} {}", noun_for(count, noun)));
    output::print_lines([format!("deleted  {}", counts.join(", "))])
}
