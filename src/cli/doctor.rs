//! `workspace-db doctor`

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use workspace_db::db::migrations::Migrator;
use workspace_db::doctor::{CHECKS, CheckStatus, Finding, Fix, Thresholds};

use super::database::DatabaseTarget;
use super::{Context, output};

/// Say whether the database is fit to be used, and what to do where it is not
#[derive(Args, Debug)]
pub(super) struct Doctor {
    /// Mend what can be mended without losing anything and without standing in anybody's way, then look again
    #[arg(long)]
    fix: bool,
    /// Look again every so many seconds, until interrupted
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10", conflicts_with = "fix")]
    watch: Option<u64>,
    /// Only what is not as it should be
    #[arg(long)]
    quiet: bool,
    /// Leave out the recall of searches, the one check that reads many rows
    #[arg(long)]
    quick: bool,
    /// A tenants' table of your own; may be given more than once
    #[arg(long = "table", value_name = "NAME")]
    tables: Vec<String>,
    /// Folder of migrations of your own
    #[arg(long, value_name = "FOLDER")]
    migrations: Option<PathBuf>,
}

/// The worst that was found, which the exit code tells.
#[derive(Debug, thiserror::Error)]
#[error("{}", if *.0 == CheckStatus::Fail { "the database is not fit to be used" } else { "the database needs attention" })]
pub(super) struct UnhealthyDatabase(pub(super) CheckStatus);

impl Doctor {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let database = DatabaseTarget::of(context)?;
        let config = database.config()?;
        let mut doctor = workspace_db::doctor::Doctor::new(&config)?.with_tables(self.tables.iter().cloned());
        if let Some(folder) = &self.migrations {
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
                    None => format!("did      {}", one.sql),
                    Some(why) => format!("refused  {}: {why}", one.sql),
                }))?;
            }
            return self.report(context, &doctor.run_checks().await?, &tried);
        }
        let Some(seconds) = self.watch else { return self.report(context, &doctor.run_checks().await?, &[]) };
        let mut ticks = tokio::time::interval(Duration::from_secs(seconds.max(1)));
        // Waited for throughout: a signal that comes during an examination, when nobody waits for one, would be lost.
        let mut stopped = std::pin::pin!(super::shutdown_signal());
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
            // Somebody watches, so what is found ends nothing.
            self.print(context, &findings, &[])?;
        }
    }

    /// The verdict, also where nobody reads why.
    fn report(&self, context: &Context, findings: &[Finding], fixes: &[Fix]) -> Result<()> {
        let printed = self.print(context, findings, fixes);
        let worst = worst(findings);
        if worst > CheckStatus::Skipped { Err(UnhealthyDatabase(worst).into()) } else { printed }
    }

    fn print(&self, context: &Context, findings: &[Finding], fixes: &[Fix]) -> Result<()> {
        if context.json {
            return output::print_json(&json!({ "state": worst(findings), "findings": findings, "fixes": fixes }));
        }
        let told = findings.iter().filter(|one| !self.quiet || one.state != CheckStatus::Pass);
        output::print_lines(told.flat_map(|one| lines("", one)))
    }
}

fn worst(findings: &[Finding]) -> CheckStatus {
    findings.iter().map(|one| one.state).max().unwrap_or(CheckStatus::Pass)
}

/// A finding for a person; `of` stands before the name of the check.
pub(super) fn lines(of: &str, finding: &Finding) -> Vec<String> {
    let asks = CHECKS.iter().find(|check| check.name == finding.check).map_or("", |check| check.asks);
    let mut lines = vec![format!("{:<8} {of}{:<18} {asks}", finding.state.to_string(), finding.check)];
    lines.extend(finding.found.iter().map(|one| format!("         - {one}")));
    lines.extend(finding.remedy.map(|remedy| format!("         > {remedy}")));
    lines
}
