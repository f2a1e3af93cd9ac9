//! `workspace-db conversations export`

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use futures_util::TryStreamExt as _;
use workspace_db::config::Timeouts;
use workspace_db::conversations::{TrainingFormat, training_lines};
use workspace_db::transfer::NewFile;

use super::of_workspace::OfWorkspace;
use crate::context::Context;
use crate::output;

/// Export reviewed answers as JSON Lines for fine-tuning
///
/// The lines contain what visitors wrote.
#[derive(Args, Debug)]
pub(super) struct Export {
    #[command(flatten)]
    of: OfWorkspace,
    /// Format of the lines
    #[arg(long, value_enum)]
    format: Format,
    /// New file; default: standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Maximum number of messages before an answer
    #[arg(long, value_name = "N", default_value_t = 50)]
    max_messages: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A chat that ends with the good answer
    Chat,
    /// A question with a preferred and another answer, for direct preference optimization
    Preference,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let format = match self.format {
            Format::Chat => TrainingFormat::Chat,
            Format::Preference => TrainingFormat::Preference,
        };
        let mut ws = self.of.connect(context).await?;
        // One statement writes all lines.
        ws.set_timeouts(Timeouts::NONE);
        let mut lines = training_lines(&mut ws, format, self.max_messages).await?;
        let Some(to) = self.to else {
            let mut out = output::json_lines();
            while let Some(line) = lines.try_next().await? {
                writeln!(out, "{line}")?;
            }
            out.flush()?;
            return Ok(());
        };
        // A file with half of the lines never has the name.
        let mut file = NewFile::create(&to)?;
        let mut buffered = BufWriter::new(&mut file);
        let mut count: u64 = 0;
        while let Some(line) = lines.try_next().await? {
            writeln!(buffered, "{line}")?;
            count += 1;
        }
        buffered.flush()?;
        drop(buffered);
        file.put_in_place()?;
        if context.json {
            output::print_json(&serde_json::json!({ "lines": count, "file": to }))
        } else {
            output::print_lines([format!("{count} lines in {}", to.display())])
        }
    }
}
