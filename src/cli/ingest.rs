//! `workspace-db ingest`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use workspace_db::ingest::{DEFAULT_MAX_BYTES, IngestEvent, IngestOptions, IngestReport, ingest};

use super::database::Database;
use super::embedder::EmbedderArgs;
use super::{Context, output, workspace};

/// Skipped files that are listed for a person; `--json` lists all.
const LISTED: usize = 20;

/// Read text files into a workspace: split, embed, store
///
/// Takes whatever is UTF-8 text, leaves out hidden files and what .gitignore names. Can be repeated: what is unchanged
/// is left, what has changed is replaced, what has gone is archived.
#[derive(Args, Debug)]
pub(super) struct Ingest {
    /// Folders and files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Slug of the workspace
    #[arg(short, long, env = "WORKSPACE_DB_WORKSPACE", value_name = "SLUG", default_value = "acme")]
    workspace: String,
    /// Make the workspace where there is none of that slug
    #[arg(long)]
    create_workspace: bool,
    /// Skip larger files
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_MAX_BYTES)]
    max_bytes: u64,
    #[command(flatten)]
    embedder: EmbedderArgs,
}

impl Ingest {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let db = Database::of(context)?.open().await?;
        let scope = workspace::enter(&db, &self.workspace, self.create_workspace).await?;
        let embedder = self.embedder.embedder()?;
        let options = IngestOptions { max_bytes: self.max_bytes, ..IngestOptions::new(self.paths) };
        let bar = output::counter("files");
        let on_event = |event| match event {
            IngestEvent::Found(files) => bar.inc_length(files.try_into().unwrap_or(u64::MAX)),
            IngestEvent::Done => bar.inc(1),
        };
        let report = ingest(&db, &scope, &options, embedder.as_ref(), &on_event).await?;
        bar.finish_and_clear();
        if context.json { output::print_json(&report) } else { output::print_lines(describe(&report)) }
    }
}

fn describe(report: &IngestReport) -> Vec<String> {
    let mut lines = vec![
        format!("added      {} files", report.added),
        format!("replaced   {} files", report.replaced),
        format!("unchanged  {} files", report.unchanged),
        format!("archived   {} documents", report.archived),
        format!("chunks     {} written", report.chunks),
        format!("skipped    {} files", report.skipped.len()),
    ];
    lines.extend(report.skipped.iter().take(LISTED).map(|skipped| format!("  {}: {}", skipped.name, skipped.reason)));
    if report.skipped.len() > LISTED {
        lines.push(format!("  and {} more, which --json lists", report.skipped.len() - LISTED));
    }
    lines
}
