//! `workspace-db adopt`

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use workspace_db::config::DatabaseUrl;
use workspace_db::noun::noun_for;
use workspace_db::sql_types::SecretKey;
use workspace_db_adopt::{
    Adoption, AdoptionOutcome, AdoptionPlan, AdoptionProgress, AdoptionStep, DependentOutcome, LongVectors,
    TableComparison, UnknownColumns, embed_set_aside,
};

use super::context::Context;
use super::database::DatabaseTarget;
use super::embedder::EmbedderArgs;
use super::error::ConflictingArguments;
use super::output;
use super::secret_key::SecretKeyArgs;

/// Adopt the database of the TypeScript package while its application runs
///
/// Run `--plan` first. Then run the command without a flag, as often as necessary. Stop the writers for `--switch`. Run
/// `--finish` when you no longer need the old database. The target database must be migrated and empty.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Adopt {
    /// URL of the old database; without it, DATABASE_URL is adopted in place
    ///
    /// The login must be able to read the old database. Its owner's login is better, because it can also lock out writers.
    #[arg(long, value_name = "URL", env = "WORKSPACE_DB_ADOPT_FROM", hide_env_values = true)]
    from: Option<DatabaseUrl>,
    /// Report the outcome for every row without changing anything
    ///
    /// The exit code tells if the adoption is possible.
    #[arg(long, group = "step")]
    plan: bool,
    /// Lock out writers, copy the last changes and compare every table
    #[arg(long, group = "step")]
    switch: bool,
    /// Confirm that the writers are stopped, if this login can't lock them
    #[arg(long, requires = "switch")]
    writers_are_stopped: bool,
    /// Revert the switch of an adoption in place; nothing written since is kept
    #[arg(long, group = "step")]
    switch_back: bool,
    /// Write rows set aside to a new file, and end the adoption
    ///
    /// The adoption's state is deleted. An adoption in place also drops the old tables.
    #[arg(long, group = "step", value_name = "FILE")]
    finish: Option<PathBuf>,
    /// Embed the passages of a file of --finish that have no vector of 1536 dimensions, and insert them
    ///
    /// You can repeat it: existing passages are skipped. Use the model of the other passages.
    #[arg(long, group = "step", value_name = "FILE")]
    embed: Option<PathBuf>,
    /// Treatment of columns that the old package does not have; use the same for every step
    #[arg(long, value_enum, value_name = "HOW", default_value_t = UnknownColumnsArg::Refuse)]
    unknown_columns: UnknownColumnsArg,
    /// Treatment of 3072-dimensional vectors of text-embedding-3-large; use the same for every step
    #[arg(long, value_enum, value_name = "HOW", default_value_t = LongVectorsArg::Shorten)]
    long_vectors: LongVectorsArg,
    #[command(flatten)]
    key: SecretKeyArgs,
    #[command(flatten)]
    embedder: EmbedderArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum UnknownColumnsArg {
    /// Refuse the adoption
    Refuse,
    /// Add the values to the metadata of tables that have it, and set them aside in others
    Metadata,
    /// Set the old rows aside, and adopt them too
    SetAside,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LongVectorsArg {
    /// Keep the first 1536 dimensions, normalized
    Shorten,
    /// Set the passages aside, with their texts
    SetAside,
}

impl Adopt {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let into = DatabaseTarget::from_context(context)?.owner_url()?;
        if let Some(file) = self.embed {
            return embed(&into, &file, self.embedder, context.json).await;
        }
        let key = self.key.secret_key.as_deref().map(SecretKey::from_base64).transpose()?;
        let adoption = match &self.from {
            Some(from) => Adoption::new(from, &into, key),
            None => Adoption::in_place(&into, key),
        };
        let adoption = adoption
            .unknown_columns(match self.unknown_columns {
                UnknownColumnsArg::Refuse => UnknownColumns::Refuse,
                UnknownColumnsArg::Metadata => UnknownColumns::Metadata,
                UnknownColumnsArg::SetAside => UnknownColumns::SetAside,
            })
            .long_vectors(match self.long_vectors {
                LongVectorsArg::Shorten => LongVectors::Shorten,
                LongVectorsArg::SetAside => LongVectors::SetAside,
            });
        let bar = output::counter("rows");
        let on_progress = |progress: AdoptionProgress| {
            bar.set_length(progress.of);
            bar.set_position(progress.rows);
            output::tell(
                &bar,
                match progress.step {
                    AdoptionStep::Copying => progress.table,
                    AdoptionStep::CatchingUp => "catching up",
                    AdoptionStep::Comparing => "comparing",
                },
            );
        };
        if self.plan {
            let plan = adoption.plan().await?;
            if context.json {
                output::print_json(&plan)?;
            } else {
                output::print_lines(describe(&plan))?;
            }
            return Ok(adoption.check(&plan)?);
        }
        if self.switch_back {
            adoption.switch_back().await?;
            return output::print_lines(["the old tables are in their place again".to_owned()]);
        }
        if let Some(file) = &self.finish {
            let finished = adoption.finish(file).await?;
            if context.json {
                return output::print_json(&finished);
            }
            let noun = noun_for(finished.set_aside, "row");
            let set_aside = format!("{} {noun} set aside in {}", finished.set_aside, file.display());
            let kept =
                finished.kept_types.iter().map(|name| format!("kept       type {name}, which other objects use"));
            let passages = (finished.passages > 0).then(|| {
                let passages = finished.passages;
                format!("passages   {passages}; embed them with `workspace-db adopt --embed {}`", file.display())
            });
            return output::print_lines(std::iter::once(set_aside).chain(kept).chain(passages));
        }
        if self.switch {
            let switched = adoption.switch(self.writers_are_stopped, &on_progress).await?;
            bar.finish_and_clear();
            if context.json {
                return output::print_json(&switched);
            }
            let stopped = format!("writers were blocked for {:.1} s", switched.writers_stopped.as_secs_f64());
            return output::print_lines(std::iter::once(stopped).chain(switched.compared.iter().map(line)));
        }
        let report = adoption.run(&on_progress).await?;
        bar.finish_and_clear();
        if context.json {
            return output::print_json(&report);
        }
        let mut lines = vec![format!("copied     {} {}", report.rows, noun_for(report.rows, "row"))];
        lines.extend(
            report.rounds.iter().map(|round| format!("caught up  {} changed, {} deleted", round.changed, round.gone)),
        );
        lines.push(format!(
            "writers must stop for about {:.1} s plus the time of the comparison",
            report.last_round_seconds
        ));
        match &report.compared {
            Some(compared) => lines.extend(compared.iter().map(line)),
            None => lines.push("not compared, because there were writes meanwhile; --switch compares".to_owned()),
        }
        output::print_lines(lines)
    }
}

async fn embed(into: &DatabaseUrl, file: &Path, embedder: EmbedderArgs, is_json: bool) -> Result<()> {
    // Vectors of another model would never be found beside those of the moved passages.
    if !embedder.has_endpoint() {
        let message = "no embedder is named for the new vectors; pass --embeddings-url";
        return Err(ConflictingArguments(message.to_owned()).into());
    }
    let bar = output::counter("passages");
    let on_progress = |passages| bar.set_position(passages);
    let report = embed_set_aside(into, file, embedder.embedder()?.as_ref(), &on_progress).await?;
    bar.finish_and_clear();
    if is_json {
        return output::print_json(&report);
    }
    output::print_lines([
        format!("embedded  {} {}", report.embedded, noun_for(report.embedded, "passage")),
        format!("skipped   {} {}", report.skipped, noun_for(report.skipped, "passage")),
    ])
}

fn line(compared: &TableComparison) -> String {
    let TableComparison { table, same, changed, set_aside } = compared;
    format!("{same:>12} identical  {changed:>8} without a reference  {set_aside:>8} set aside  {table}")
}

fn describe(plan: &AdoptionPlan) -> Vec<String> {
    let mut lines: Vec<String> = plan.rows.iter().map(|(table, rows)| format!("{rows:>12}  {table}")).collect();
    lines.extend(plan.differences.missing.iter().map(|what| format!("missing      {what}")));
    lines.extend(plan.differences.unknown.iter().map(|what| format!("unknown      {what}")));
    lines.extend(plan.dependents.iter().map(|one| {
        let becomes = match one.becomes {
            DependentOutcome::Repointed => "repointed",
            DependentOutcome::Kept => "kept",
            DependentOutcome::Dropped => "dropped",
            DependentOutcome::Blocking => "blocking",
        };
        format!("{becomes:<11}  {}; {}", one.object, one.note)
    }));
    lines.extend(plan.findings.iter().map(|finding| {
        let becomes = match finding.becomes {
            AdoptionOutcome::Kept => "kept",
            AdoptionOutcome::Changed => "changed",
            AdoptionOutcome::SetAside => "set aside",
        };
        format!("{becomes:<11}  {} {}: {}; {}", finding.rows, finding.table, finding.what, finding.note)
    }));
    lines
}
