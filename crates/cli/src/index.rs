//! `workspace-db index`

use std::sync::Mutex;

use anyhow::Result;
use clap::{Args, Subcommand};
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;
use workspace_db::indexes::{IndexProgress, IndexStatus, Recall, VerifyOptions, retrain, status, verify};
use workspace_db::noun::noun_for;

use super::context::Context;
use super::database::DatabaseTarget;
use super::error::BelowGate;
use super::output;

/// Show, retrain and verify the vector indexes
#[derive(Args, Debug)]
pub(super) struct Index {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the indexes and the steps that `retrain` would take
    Status,
    /// Build, retrain and drop indexes, and vacuum the chunks, where that is due
    ///
    /// Reads and writes continue meanwhile.
    Retrain,
    /// Measure the recall of searches against exact searches
    ///
    /// The command fails if the recall of a workspace is below the gate.
    Verify(Verify),
}

#[derive(Args, Debug)]
struct Verify {
    /// Slug of a workspace; can be repeated; default: the largest workspaces
    #[arg(short = 'w', long = "workspace", value_name = "SLUG")]
    slugs: Vec<String>,
    /// Maximum number of workspaces, largest first, if no slug is given
    #[arg(long, value_name = "N", default_value_t = VerifyOptions::default().workspaces)]
    workspaces: u32,
    /// Number of questions per workspace
    ///
    /// Each question is a passage of the workspace whose neighbours the search must find.
    #[arg(long, value_name = "N", default_value_t = VerifyOptions::default().questions)]
    questions: u32,
    /// Number of results per question
    #[arg(short = 'n', short_alias = 'k', long = "limit", alias = "count", value_name = "N", default_value_t = VerifyOptions::default().k)]
    k: u32,
    /// Minimum mean recall of each workspace
    #[arg(long, value_name = "RECALL", default_value_t = 0.99, value_parser = share)]
    gate: f64,
    /// Seed of the random selection of passages
    #[arg(long, value_name = "NUMBER", default_value_t = VerifyOptions::default().seed)]
    seed: u64,
}

impl Index {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let database = DatabaseTarget::from_context(context)?;
        match self.action {
            Action::Status => {
                let status = status(&database.owner_url()?, context.config.own_index_from).await?;
                if context.json { output::print_json(&status) } else { output::print_lines(describe(&status)) }
            }
            Action::Retrain => {
                let bar = output::counter("");
                let last = Mutex::new(None);
                let on_progress = |progress: &IndexProgress| {
                    // A terminal shows the bar. A log gets one line for each step.
                    let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    if last.as_ref() != Some(&progress.step) {
                        bar.suspend(|| output::note(&progress.step));
                        *last = Some(progress.step.clone());
                    }
                    bar.set_length(progress.total);
                    bar.set_position(progress.done);
                    output::tell(&bar, &progress.phase);
                };
                let done = retrain(&database.owner_url()?, context.config.own_index_from, &on_progress).await;
                bar.finish_and_clear();
                let done = done?;
                if context.json {
                    return output::print_json(&json!({ "done": done }));
                }
                output::print_lines([match done.len() {
                    0 => "nothing was due".to_owned(),
                    1 => "1 step done".to_owned(),
                    steps => format!("{steps} steps done"),
                }])
            }
            Action::Verify(arguments) => arguments.run(context, &database).await,
        }
    }
}

impl Verify {
    async fn run(self, context: &Context, database: &DatabaseTarget) -> Result<()> {
        let options = VerifyOptions {
            k: self.k,
            questions: self.questions,
            workspaces: self.workspaces,
            slugs: self.slugs,
            seed: self.seed,
        };
        let spinner = output::spinner().with_message("measuring");
        let on_each = |recall: &Recall| output::tell(&spinner, &format!("measured {}", recall.slug));
        let measured = verify(&database.open().await?, &options, &on_each).await?;
        spinner.finish_and_clear();
        let printed = if context.json {
            output::print_json(&json!({ "gate": self.gate, "seed": self.seed, "workspaces": measured }))
        } else {
            let head = format!("recall@{} of {} passages each, seed {}", self.k, self.questions, self.seed);
            output::print_lines([head].into_iter().chain(measured.iter().map(line)))
        };
        let below: Vec<&str> =
            measured.iter().filter(|recall| recall.mean < self.gate).map(|recall| recall.slug.as_str()).collect();
        if below.is_empty() {
            return printed;
        }
        let remedy =
            "run `workspace-db index status` to see what is due, or raise WORKSPACE_DB_SEARCH_CANDIDATES_PER_HIT";
        Err(BelowGate(format!("the recall of {} is below {}; {remedy}", below.join(", "), self.gate)).into())
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("must be a share from 0 to 1".to_owned()),
    }
}

fn line(recall: &Recall) -> String {
    let plan = recall.plan.map(|plan| format!("{plan:?}").to_lowercase()).unwrap_or_default();
    format!(
        "{:.3}  worst {:.2}  {:>8.2} ms, exact {:>8.2} ms  {:>11}  {:>9} chunks  {}",
        recall.mean,
        recall.worst,
        recall.p50,
        recall.exact_p50,
        plan,
        HumanCount(recall.chunks),
        recall.slug
    )
}

fn describe(status: &IndexStatus) -> Vec<String> {
    let validity = |is_valid: bool| if is_valid { "" } else { ", INVALID" };
    let mut lines = vec![format!("{} {}", HumanCount(status.chunks), noun_for(status.chunks, "chunk"))];
    lines.push(match &status.shared {
        Some(shared) => {
            let trained = shared.trained_on.map_or_else(
                || "never trained".to_owned(),
                |chunks| format!("trained on {} {}", HumanCount(chunks), noun_for(chunks, "chunk")),
            );
            let (bytes, validity) = (HumanBytes(shared.bytes), validity(shared.is_valid));
            format!(
                "shared  {}: {} {}, {trained}, {bytes}{validity}",
                shared.name,
                shared.lists,
                noun_for(shared.lists, "list")
            )
        }
        None => "shared  none".to_owned(),
    });
    lines.extend(status.own.iter().map(|own| {
        let (bytes, validity) = (HumanBytes(own.bytes), validity(own.is_valid));
        let noun = noun_for(own.chunks, "chunk");
        format!("own     {}: {} {noun}, {bytes}{validity}", own.name, HumanCount(own.chunks))
    }));
    if status.due.is_empty() {
        lines.push("nothing is due".to_owned());
    }
    lines.extend(status.due.iter().map(|step| format!("due     {step}")));
    lines
}
