//! `workspace-db import`

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use workspace_db::noun::noun_for;
use workspace_db::transfer::{RowImportReport, import_rows, import_rows_with_jobs};

use super::context::Context;
use super::database::DatabaseTarget;
use super::error::NotFound;
use super::{output, workspace};

/// Import rows of another system into a workspace from JSON Lines
///
/// Each line names its `table` in addition to the columns. Ids and references can be any text or number of the other system.
/// A referenced row must precede the rows that refer to it. You can repeat the import: existing rows stay unchanged.
/// docs/moving-in.md has the format and an example. To import an archive, use `workspace import`.
#[derive(Args, Debug)]
pub(super) struct Import {
    /// File of JSON Lines, or - for standard input
    #[arg(long, value_name = "FILE")]
    jsonl: PathBuf,
    /// Slug of the workspace
    #[arg(short, long, env = "WORKSPACE_DB_WORKSPACE", value_name = "SLUG")]
    workspace: String,
    /// Create the workspace if no workspace has that slug
    #[arg(long)]
    create_workspace: bool,
    /// Run unfinished jobs and fire schedules here
    ///
    /// Without this option, the jobs are imported as cancelled and the schedules as stopped.
    #[arg(long)]
    with_jobs: bool,
}

impl Import {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let opened = match self.jsonl.as_path() {
            path if path == Path::new("-") => None,
            path => {
                Some(File::open(path).map_err(|error| NotFound(format!("can't read {}: {error}", path.display())))?)
            }
        };
        let database = DatabaseTarget::from_context(context)?;
        let db = database.open().await?;
        let (scope, is_new) = workspace::enter_or_create(&db, &self.workspace, self.create_workspace).await?;
        let bar = output::spinner();
        let on_progress = |rows: &RowImportReport| {
            let written = rows.written.values().sum::<u64>();
            output::tell(&bar, &format!("{written} {}", noun_for(written, "row")));
        };
        let lines: Box<dyn BufRead + Send> = match opened {
            Some(file) => Box::new(BufReader::with_capacity(1 << 20, file)),
            None => Box::new(BufReader::new(std::io::stdin())),
        };
        let rows = if self.with_jobs {
            import_rows_with_jobs(&db, &scope, lines, &on_progress).await
        } else {
            import_rows(&db, &scope, lines, &on_progress).await
        };
        bar.finish_and_clear();
        let rows = rows.inspect_err(|_| {
            if is_new {
                output::note(format_args!("the workspace {} was created and stays", self.workspace));
            }
        })?;
        database.vacuum_after_load(rows.written.get("document_chunks").copied().unwrap_or_default()).await;
        if context.json {
            return output::print_json(&rows);
        }
        output::print_lines(rows.written.iter().map(|(table, written)| {
            format!("{written:>12} written  {:>12} already there  {table}", rows.found.get(table).copied().unwrap_or(0))
        }))
    }
}
