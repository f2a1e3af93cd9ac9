//! `workspace-db ingest`

use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use futures_util::StreamExt as _;
use serde::Serialize;
use workspace_db::embeddings::live_models;
use workspace_db::load::{JsonLines, LoadOptions, LoadReport, OnRejectedLine, RejectedLine, load};
use workspace_db::models::{DatasourceChanges, NewDatasource, WorkspaceLanguages};
use workspace_db::noun::noun_for;
use workspace_db::schema::datasources;
use workspace_db::sql_types::{DatasourceType, LanguageTag};
use workspace_db::tenancy::{self, InWorkspace as _, WorkspaceScope};
use workspace_db_ingest::{
    DEFAULT_MAX_BYTES, EnqueueReport, IngestEvent, IngestOptions, IngestReport, MAX_TOKENS, MIN_TOKENS, OVERLAP_TOKENS,
    SkippedFile, SplitOptions, enqueue_files, ingest, with_languages,
};

use super::context::Context;
use super::database::DatabaseTarget;
use super::embedder::EmbedderArgs;
use super::{output, workspace};

/// Number of skipped files listed for a person; `--json` lists all.
const LISTED: usize = 20;

/// Read text files or embedded passages into a workspace
///
/// Files are split, embedded and stored. The command reads every UTF-8 text file, and skips hidden files and the files that
/// .gitignore names. You can repeat it: it skips unchanged files, replaces changed ones, and archives the documents of
/// deleted files.
#[derive(Args, Debug)]
pub(super) struct Ingest {
    /// Folders and files
    #[arg(required_unless_present = "jsonl", conflicts_with = "jsonl", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Slug of the workspace
    #[arg(short, long, env = "WORKSPACE_DB_WORKSPACE", value_name = "SLUG", default_value = "acme")]
    workspace: String,
    /// Create the workspace if no workspace has that slug
    #[arg(long)]
    create_workspace: bool,
    /// Maximum size of a file; larger files are skipped. A DOCX file may have 32 times that
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_MAX_BYTES)]
    max_bytes: u64,
    /// Language of files that do not name their own, such as en; without it, the language is detected
    #[arg(long, value_name = "TAG", conflicts_with_all = ["jsonl", "background"])]
    language: Option<LanguageTag>,
    #[command(flatten)]
    split: SplitArgs,
    /// Enqueue a job for each file, for `workspace-db jobs work`
    #[arg(long, conflicts_with = "jsonl")]
    background: bool,
    #[command(flatten)]
    json_lines: JsonLinesArgs,
    #[command(flatten)]
    embedder: EmbedderArgs,
}

/// Sizes of the passages of files
#[derive(Args, Debug)]
#[expect(clippy::struct_field_names, reason = "the names are those of the options")]
#[command(next_help_heading = "Passages")]
struct SplitArgs {
    /// Length from which a passage ends at the best place, in tokens
    #[arg(long, value_name = "TOKENS", default_value_t = MIN_TOKENS, conflicts_with_all = ["jsonl", "background"])]
    min_tokens: usize,
    /// Maximum length of a passage, in tokens
    #[arg(long, value_name = "TOKENS", default_value_t = MAX_TOKENS, conflicts_with_all = ["jsonl", "background"])]
    max_tokens: usize,
    /// Maximum part of a passage that the next one repeats, in tokens
    #[arg(long, value_name = "TOKENS", default_value_t = OVERLAP_TOKENS, conflicts_with_all = ["jsonl", "background"])]
    overlap_tokens: usize,
}

/// Passages that already have vectors, one per line
#[derive(Args, Debug)]
#[command(next_help_heading = "JSON Lines")]
struct JsonLinesArgs {
    /// File of JSON Lines, or - for standard input
    ///
    /// Each line has external_id, content and vector. Optional fields are embedding_model, language, token_count,
    /// chunk_metadata, title, slug, summary, metadata, status and is_published. The lines of one document must be consecutive.
    /// Without a language on its lines, that of the document is detected.
    #[arg(long, value_name = "FILE")]
    jsonl: Option<PathBuf>,
    /// Name of the documents' datasource; default: the name of the file
    #[arg(long, value_name = "NAME", requires = "jsonl")]
    datasource: Option<String>,
    /// Effect of an invalid line on the other lines
    #[arg(long, value_enum, value_name = "HOW", default_value_t = OnRejectedLineArg::Refuse)]
    broken: OnRejectedLineArg,
    /// Load documents whose passages equal those of another document
    #[arg(long, requires = "jsonl")]
    keep_duplicates: bool,
    /// Model of vectors on lines without embedding_model
    #[arg(long, value_name = "MODEL", default_value = "text-embedding-3-large")]
    model: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnRejectedLineArg {
    /// Load nothing: all lines are one transaction
    Refuse,
    /// Load the valid lines in batches; an interrupted run resumes
    Skip,
}

impl Ingest {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let database = DatabaseTarget::from_context(context)?;
        let db = database.open().await?;
        let scope = workspace::enter(&db, &self.workspace, self.create_workspace).await?;
        if let Some(file) = &self.json_lines.jsonl {
            let report = self.json_lines.load(&db, &scope, file).await?;
            database.vacuum_after_load(report.report.chunks as u64).await;
            return report.print(context);
        }
        let options = IngestOptions {
            max_bytes: self.max_bytes,
            split: SplitOptions {
                min_tokens: self.split.min_tokens,
                max_tokens: self.split.max_tokens,
                overlap_tokens: self.split.overlap_tokens,
            },
            language: self.language,
            ..IngestOptions::new(self.paths)
        };
        if self.background {
            let report = enqueue_files(&db, &scope, &options).await?;
            return if context.json {
                output::print_json(&report)
            } else {
                output::print_lines(describe_jobs(&report))
            };
        }
        let embedders = self.embedder.embedders()?;
        let mut ws = db.workspace(&scope).await?;
        let (embedder, mut notes) = embedders.for_passages(&mut ws, &self.workspace).await?;
        drop(ws);
        let bar = output::counter("files");
        let on_event = |event| match event {
            IngestEvent::Found(files) => bar.inc_length(files.try_into().unwrap_or(u64::MAX)),
            IngestEvent::Done => bar.inc(1),
        };
        let report = ingest(&db, &scope, &options, embedder, &on_event).await?;
        bar.finish_and_clear();
        database.vacuum_after_load(report.chunks as u64).await;
        let models = live_models(&mut db.workspace(&scope).await?).await?;
        if models.len() > 1 {
            let models = models.join(", ");
            notes.push(format!("models     {models}: a search compares the vectors of one; `reembed` makes them one"));
        }
        if context.json {
            output::print_json(&FilesReport { report: &report, model: embedder.model() })
        } else {
            output::print_lines(describe(&report).into_iter().chain(notes))
        }
    }
}

/// Result of ingesting files, for scripts.
#[derive(Serialize)]
struct FilesReport<'a> {
    #[serde(flatten)]
    report: &'a IngestReport,
    /// Model that embedded the passages.
    model: &'a str,
}

/// Result of loading JSON Lines.
#[derive(Serialize)]
struct LinesReport {
    #[serde(flatten)]
    report: LoadReport,
    /// Number of rejected lines.
    broken: u64,
    /// The first hundred rejected lines.
    broken_lines: Vec<RejectedLine>,
}

impl JsonLinesArgs {
    async fn load(&self, db: &tenancy::Database, scope: &WorkspaceScope, file: &Path) -> Result<LinesReport> {
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
        let datasource = datasource.find_or_insert(&mut ws).await?;
        let options =
            LoadOptions { all_or_nothing, keep_duplicates: self.keep_duplicates, ..LoadOptions::new(datasource) };
        let row = datasources::table.in_workspace(&ws).find(datasource);
        row.update().set(&DatasourceChanges::running()).execute(&mut ws).await?;
        let languages = WorkspaceLanguages::load(&mut ws).await?;
        drop(ws);
        let (documents, broken) = if let Some(lines) = opened {
            (lines.documents.boxed(), lines.broken)
        } else {
            // Standard input is opened last: a user who types would not see that an earlier step failed.
            let lines = JsonLines::new(BufReader::new(std::io::stdin()), &self.model, broken_lines);
            (lines.documents.boxed(), lines.broken)
        };
        let documents = with_languages(documents, languages);
        let bar = output::spinner();
        let on_progress = |report: &LoadReport| {
            output::tell(&bar, &format!("{} {}", report.chunks, noun_for(report.chunks, "chunk")));
        };
        let loaded = load(db, scope, &options, documents, &on_progress).await;
        bar.finish_and_clear();
        let ended = DatasourceChanges::ended(loaded.as_ref().err());
        // The load may have outlived the connection, so this takes another one. The error of the load has priority.
        let marked = async { row.update().set(&ended).execute(&mut db.workspace(scope).await?).await }.await;
        let report = loaded?;
        marked?;
        Ok(LinesReport { report, broken: broken.count(), broken_lines: broken.lines() })
    }
}

impl LinesReport {
    /// Prints the report, and fails if lines were skipped.
    fn print(&self, context: &Context) -> Result<()> {
        if context.json {
            output::print_json(self)?;
        } else {
            output::print_lines(self.describe())?;
        }
        if self.broken > 0 {
            bail!("{} {} skipped", self.broken, if self.broken == 1 { "line was" } else { "lines were" });
        }
        Ok(())
    }

    fn describe(&self) -> Vec<String> {
        let LoadReport { added, replaced, unchanged, duplicates, chunks } = self.report;
        let mut lines = vec![
            format!("added      {added} {}", noun_for(added, "document")),
            format!("replaced   {replaced} {}", noun_for(replaced, "document")),
            format!("unchanged  {unchanged} {}", noun_for(unchanged, "document")),
            format!("duplicates {duplicates} {}", noun_for(duplicates, "document")),
            format!("chunks     {chunks} written"),
            format!("broken     {} {}", self.broken, noun_for(self.broken, "line")),
        ];
        lines.extend(
            self.broken_lines.iter().take(LISTED).map(|broken| format!("  line {}: {}", broken.line, broken.why)),
        );
        lines
    }
}

fn describe_jobs(report: &EnqueueReport) -> Vec<String> {
    let mut lines = vec![
        format!("enqueued   {} {}", report.enqueued, noun_for(report.enqueued, "file")),
        format!("waiting    {} {}", report.waiting, noun_for(report.waiting, "file")),
        format!("archived   {} {}", report.archived, noun_for(report.archived, "document")),
    ];
    lines.extend(ignored(report.ignored));
    lines.extend(list(&report.skipped));
    lines
}

fn ignored(files: usize) -> Option<String> {
    (files > 0).then(|| format!("ignored    {files} {}, by .gitignore or .ignore", noun_for(files, "file")))
}

fn describe(report: &IngestReport) -> Vec<String> {
    let mut lines = vec![
        format!("added      {} {}", report.added, noun_for(report.added, "file")),
        format!("replaced   {} {}", report.replaced, noun_for(report.replaced, "file")),
        format!("unchanged  {} {}", report.unchanged, noun_for(report.unchanged, "file")),
        format!("archived   {} {}", report.archived, noun_for(report.archived, "document")),
        format!("chunks     {} written", report.chunks),
    ];
    lines.extend(ignored(report.ignored));
    lines.extend(list(&report.skipped));
    lines
}

fn list(skipped: &[SkippedFile]) -> Vec<String> {
    let mut lines = vec![format!("skipped    {} {}", skipped.len(), noun_for(skipped.len(), "file"))];
    lines.extend(skipped.iter().take(LISTED).map(|skipped| format!("  {}: {}", skipped.name, skipped.reason)));
    if skipped.len() > LISTED {
        lines.push(format!("  and {} more; --json lists all", skipped.len() - LISTED));
    }
    lines
}
