//! `workspace-db ingest`

use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use futures_util::StreamExt as _;
use serde::Serialize;
use workspace_db::ingest::{
    DEFAULT_MAX_BYTES, EnqueueReport, IngestEvent, IngestOptions, IngestReport, SkippedFile, enqueue_files, ingest,
};
use workspace_db::load::{JsonLines, LoadOptions, LoadReport, OnRejectedLine, RejectedLine, load};
use workspace_db::models::{DatasourceChanges, NewDatasource};
use workspace_db::schema::datasources;
use workspace_db::sql_types::DatasourceType;
use workspace_db::tenancy::{self, InWorkspace as _, WorkspaceScope};

use super::database::DatabaseTarget;
use super::embedder::EmbedderArgs;
use super::{Context, output, workspace};

/// Skipped files that are listed for a person; `--json` lists all.
const LISTED: usize = 20;

/// Read text files into a workspace: split, embed, store; or passages that have vectors already
///
/// Takes whatever is UTF-8 text, leaves out hidden files and what .gitignore names. Can be repeated: what is unchanged
/// is left, what has changed is replaced, what has gone is archived.
#[derive(Args, Debug)]
pub(super) struct Ingest {
    /// Folders and files
    #[arg(required_unless_present = "jsonl", conflicts_with = "jsonl", value_name = "PATH")]
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
    /// Enqueue a job for each file instead, which `workspace-db jobs work` runs
    #[arg(long, conflicts_with = "jsonl")]
    background: bool,
    #[command(flatten)]
    json_lines: JsonLinesArgs,
    #[command(flatten)]
    embedder: EmbedderArgs,
}

/// Passages that have vectors already, one a line
#[derive(Args, Debug)]
#[command(next_help_heading = "JSON Lines")]
struct JsonLinesArgs {
    /// File of JSON Lines, or - for standard input: external_id, content and vector, and if need be embedding_model,
    /// language, token_count, title, slug, summary, metadata, status, is_published; the lines of a document follow one another
    #[arg(long, value_name = "FILE")]
    jsonl: Option<PathBuf>,
    /// Name of the datasource that the documents are of; else that of the file
    #[arg(long, value_name = "NAME", requires = "jsonl")]
    datasource: Option<String>,
    /// What becomes of the rest where a line is broken
    #[arg(long, value_enum, value_name = "HOW", default_value_t = OnRejectedLineArg::Refuse)]
    broken: OnRejectedLineArg,
    /// Take documents also where another document of the workspace has the same passages
    #[arg(long, requires = "jsonl")]
    keep_duplicates: bool,
    /// What made the vectors of lines without embedding_model
    #[arg(long, value_name = "MODEL", default_value = "text-embedding-3-large")]
    model: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnRejectedLineArg {
    /// Nothing goes in: all of it is one transaction
    Refuse,
    /// The rest goes in, batch by batch; a run that was cut short is gone on with by the next
    Skip,
}

impl Ingest {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let db = DatabaseTarget::of(context)?.open().await?;
        let scope = workspace::enter(&db, &self.workspace, self.create_workspace).await?;
        if let Some(file) = &self.json_lines.jsonl {
            return self.json_lines.run(context, &db, &scope, file).await;
        }
        let options = IngestOptions { max_bytes: self.max_bytes, ..IngestOptions::new(self.paths) };
        if self.background {
            let report = enqueue_files(&db, &scope, &options).await?;
            return if context.json {
                output::print_json(&report)
            } else {
                output::print_lines(describe_jobs(&report))
            };
        }
        let embedder = self.embedder.embedder()?;
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

/// What came of JSON Lines.
#[derive(Serialize)]
struct LinesReport {
    #[serde(flatten)]
    report: LoadReport,
    /// How many lines were left out.
    broken: u64,
    /// The first hundred of them.
    broken_lines: Vec<RejectedLine>,
}

impl JsonLinesArgs {
    async fn run(&self, context: &Context, db: &tenancy::Database, scope: &WorkspaceScope, file: &Path) -> Result<()> {
        let is_standard_input = file == Path::new("-");
        let name = if is_standard_input {
            "standard input".to_owned()
        } else {
            file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
        };
        let name = self.datasource.clone().unwrap_or(name);
        let (broken_lines, all_or_nothing) = match self.broken {
            OnRejectedLineArg::Refuse => (OnRejectedLine::Refuse, true),
            OnRejectedLineArg::Skip => (OnRejectedLine::Skip, false),
        };
        let opened = match file {
            _ if is_standard_input => None,
            file => Some(JsonLines::open(file, &self.model, broken_lines)?),
        };
        let datasource = NewDatasource::named(scope.workspace(), name, DatasourceType::Api);
        let mut ws = db.workspace(scope).await?;
        let datasource = datasource.find_or_insert(&mut ws, scope).await?;
        let options =
            LoadOptions { all_or_nothing, keep_duplicates: self.keep_duplicates, ..LoadOptions::new(datasource) };
        let row = datasources::table.in_workspace(scope).find(datasource);
        row.update().set(&DatasourceChanges::running()).execute(&mut ws).await?;
        drop(ws);
        let (documents, broken) = if let Some(lines) = opened {
            (lines.documents.boxed(), lines.broken)
        } else {
            // Last of all: whoever waits for standard input can't be told that something else has failed.
            let lines = JsonLines::new(BufReader::new(std::io::stdin()), &self.model, broken_lines);
            (lines.documents.boxed(), lines.broken)
        };
        let bar = output::spinner();
        let on_progress = |report: &LoadReport| output::tell(&bar, &format!("{} chunks", report.chunks));
        let loaded = load(db, scope, &options, documents, &on_progress).await;
        bar.finish_and_clear();
        let ended = DatasourceChanges::ended(loaded.as_ref().err());
        // The load took its time, and the connection may be gone; and why the load failed comes first.
        let marked = async { row.update().set(&ended).execute(&mut db.workspace(scope).await?).await }.await;
        let report = loaded?;
        marked?;
        let report = LinesReport { report, broken: broken.count(), broken_lines: broken.lines() };
        if context.json {
            output::print_json(&report)?;
        } else {
            output::print_lines(report.describe())?;
        }
        if report.broken > 0 {
            bail!("{} lines were left out", report.broken);
        }
        Ok(())
    }
}

impl LinesReport {
    fn describe(&self) -> Vec<String> {
        let LoadReport { added, replaced, unchanged, duplicates, chunks } = self.report;
        let mut lines = vec![
            format!("added      {added} documents"),
            format!("replaced   {replaced} documents"),
            format!("unchanged  {unchanged} documents"),
            format!("duplicates {duplicates} documents"),
            format!("chunks     {chunks} written"),
            format!("broken     {} lines", self.broken),
        ];
        lines.extend(
            self.broken_lines.iter().take(LISTED).map(|broken| format!("  line {}: {}", broken.line, broken.why)),
        );
        lines
    }
}

fn describe_jobs(report: &EnqueueReport) -> Vec<String> {
    let mut lines = vec![
        format!("enqueued   {} files", report.enqueued),
        format!("waiting    {} files", report.waiting),
        format!("archived   {} documents", report.archived),
    ];
    lines.extend(ignored(report.ignored));
    lines.extend(list(&report.skipped));
    lines
}

fn ignored(files: usize) -> Option<String> {
    (files > 0).then(|| format!("ignored    {files} files, by .gitignore or .ignore"))
}

fn describe(report: &IngestReport) -> Vec<String> {
    let mut lines = vec![
        format!("added      {} files", report.added),
        format!("replaced   {} files", report.replaced),
        format!("unchanged  {} files", report.unchanged),
        format!("archived   {} documents", report.archived),
        format!("chunks     {} written", report.chunks),
    ];
    lines.extend(ignored(report.ignored));
    lines.extend(list(&report.skipped));
    lines
}

fn list(skipped: &[SkippedFile]) -> Vec<String> {
    let mut lines = vec![format!("skipped    {} files", skipped.len())];
    lines.extend(skipped.iter().take(LISTED).map(|skipped| format!("  {}: {}", skipped.name, skipped.reason)));
    if skipped.len() > LISTED {
        lines.push(format!("  and {} more, which --json lists", skipped.len() - LISTED));
    }
    lines
}
