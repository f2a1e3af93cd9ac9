//! `workspace-db doctor`

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use workspace_db::db::migrations::Migrator;
use workspace_db::doctor::{CHECKS, CheckStatus, Finding, Fix, Thresholds};
use workspace_db::tenancy::TENANT_TABLES;

use super::context::Context;
use super::crate_tables;
use super::database::DatabaseTarget;
use super::error::UnhealthyDatabase;
use super::output;
use super::signal::shutdown_signal;

/// Check the database and print a remedy for each problem
#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// Apply fixes that lose no data and block no session; check again
    #[arg(long)]
    fix: bool,
    /// Repeat the checks at this interval until interrupted
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10", conflicts_with = "fix")]
    watch: Option<u64>,
    /// Print only findings that did not pass
    #[arg(long)]
    quiet: bool,
    /// Skip the recall of searches, the only check that reads many rows
    #[arg(long)]
    quick: bool,
    /// Name of your own tenants' table; can be repeated
    #[arg(long = "table", value_name = "NAME")]
    tables: Vec<String>,
    /// Folder of your own migrations
    #[arg(long, value_name = "FOLDER")]
    migrations: Option<PathBuf>,
    /// Folder of your crate, whose src/registry.rs names your tables, with your migrations in migrations
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    crate_folder: PathBuf,
}

impl Doctor {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let database = DatabaseTarget::from_context(context)?;
        let config = database.config()?;
        let registered = crate_tables::registered(&self.crate_folder);
        let own: BTreeSet<String> =
            registered.into_iter().filter(|table| !TENANT_TABLES.contains(&table.as_str())).collect();
        // A folder `migrations` alone can belong to another program.
        let beside = self.crate_folder.join("migrations");
        let beside = (!own.is_empty() && beside.is_dir()).then_some(beside);
        let tables = own.into_iter().chain(self.tables.iter().cloned());
        let mut doctor = workspace_db::doctor::Doctor::new(&config)?.with_tables(tables);
        if let Some(folder) = self.migrations.as_ref().or(beside.as_ref()) {
            let migrator = Migrator::new(&database.owner_url()?, config.environment).with_folder(folder)?;
            doctor = doctor.with_migrations(migrator);
        }
        if self.quick {
            doctor = doctor.with_thresholds(Thresholds { questions: 0, ..Thresholds::default() });
        }
        if self.fix {
            let tried = doctor.fix().await?;
            if !context.json {
                output::print_lines(tried.iter().map(|one| match &one.refused {
                    None => format!("ran      {}", one.sql),
                    Some(why) => format!("refused  {}: {why}", one.sql),
                }))?;
            }
            return self.report(context, &doctor.run_checks().await?, &tried);
        }
        let Some(seconds) = self.watch else { return self.report(context, &doctor.run_checks().await?, &[]) };
        let mut ticks = tokio::time::interval(Duration::from_secs(seconds.max(1)));
        // Created once for all rounds, because a signal that arrives while no future waits for it would be lost.
        let mut stopped = std::pin::pin!(shutdown_signal());
        loop {
            let round = async {
                ticks.tick().await;
                doctor.run_checks().await
            };
            let findings = tokio::select! {
                biased;
                () = &mut stopped => return Ok(()),
                findings = round => findings?,
            };
            // In watch mode a finding does not end the command.
            self.print(context, &findings, &[])?;
        }
    }

    /// Prints the findings, and returns the verdict even if printing fails.
    fn report(&self, context: &Context, findings: &[Finding], fixes: &[Fix]) -> Result<()> {
        let printed = self.print(context, findings, fixes);
        let worst = worst(findings);
        if worst > CheckStatus::Skipped { Err(UnhealthyDatabase(worst).into()) } else { printed }
    }

    fn print(&self, context: &Context, findings: &[Finding], fixes: &[Fix]) -> Result<()> {
        if context.json {
            return output::print_json(&json!({ "status": worst(findings), "findings": findings, "fixes": fixes }));
        }
        let shown = findings.iter().filter(|one| !self.quiet || one.status != CheckStatus::Pass);
        output::print_lines(shown.flat_map(|one| lines("", one)))
    }
}

fn worst(findings: &[Finding]) -> CheckStatus {
    findings.iter().map(|one| one.status).max().unwrap_or(CheckStatus::Pass)
}

/// Formats a finding for a person. `of` precedes the name of the check.
pub(super) fn lines(of: &str, finding: &Finding) -> Vec<String> {
    let asks = CHECKS.iter().find(|check| check.name == finding.check).map_or("", |check| check.asks);
    let mut lines = vec![format!("{:<8} {of}{:<18} {asks}", finding.status.to_string(), finding.check)];
    lines.extend(finding.problems.iter().map(|one| format!("         - {one}")));
    lines.extend(finding.remedy.map(|remedy| format!("         > {remedy}")));
    lines
}
