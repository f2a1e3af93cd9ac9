//! `workspace-db reembed`

use anyhow::Result;
use clap::Args;
use indicatif::HumanCount;
use serde_json::json;
use workspace_db::noun::noun_for;
use workspace_db::reembed::{ReembedMode, ReembedReport, ReembedStatus, discard, reembed, status};

use super::context::Context;
use super::database::DatabaseTarget;
use super::embedder::{EmbedderArgs, Embedders};
use super::error::ConflictingArguments;
use super::{output, workspace};

/// Switch a workspace to another embedding model while searches continue
///
/// New vectors are stored next to the old ones. They replace the old ones in one transaction when every passage has a new
/// vector. An interrupted run resumes with the next.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct Reembed {
    /// Slug of the workspace
    #[arg(short, long, env = "WORKSPACE_DB_WORKSPACE", value_name = "SLUG", default_value = "acme")]
    workspace: String,
    /// Show the progress without changing anything
    #[arg(long, conflicts_with_all = ["prepare", "discard"])]
    status: bool,
    /// Abandon a prepared switch and delete its vectors
    #[arg(long, conflicts_with = "prepare")]
    discard: bool,
    /// Switch to the built-in model, without an endpoint
    #[arg(long, conflicts_with_all = ["embeddings_url", "hash_words"])]
    built_in: bool,
    /// Create the vectors and leave the switch to a later run
    #[arg(long)]
    prepare: bool,
    #[command(flatten)]
    embedder: EmbedderArgs,
}

impl Reembed {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let database = DatabaseTarget::from_context(context)?;
        let db = database.open().await?;
        let scope = workspace::enter(&db, &self.workspace, false).await?;
        if self.discard {
            let discarded = discard(&db, &scope).await?;
            return if context.json {
                output::print_json(&json!({ "discarded": discarded }))
            } else {
                output::print_lines([format!("discarded {} {}", HumanCount(discarded), noun_for(discarded, "vector"))])
            };
        }
        // A forgotten option must not replace a workspace's vectors with those of the small model.
        let is_named = self.built_in || self.embedder.hashes_words() || self.embedder.has_endpoint();
        if !self.status && !is_named {
            let message = "no embedder is named for the new vectors; pass --embeddings-url, --built-in or --hash-words";
            return Err(ConflictingArguments(message.to_owned()).into());
        }
        let embedders = if self.built_in { Embedders::built_in()? } else { self.embedder.embedders()? };
        let (embedder, _) = embedders.into_parts();
        let before = status(&db, &scope, embedder.model()).await?;
        if self.status {
            return if context.json { output::print_json(&before) } else { output::print_lines(describe(&before)) };
        }
        let bar = output::counter("passages");
        bar.set_length(before.missing);
        let on_progress = |report: &ReembedReport| {
            bar.set_position(report.embedded);
            bar.set_length(before.missing.max(report.embedded));
            if report.embedded >= before.missing && !self.prepare {
                output::tell(&bar, "switching");
            }
        };
        let switch = if self.prepare { ReembedMode::Prepare } else { ReembedMode::Complete };
        let report = reembed(&db, &scope, embedder.as_ref(), switch, &on_progress).await?;
        bar.finish_and_clear();
        database.vacuum_after_load(report.switched).await;
        let after = status(&db, &scope, embedder.model()).await?;
        if context.json {
            return output::print_json(&json!({ "report": report, "status": after }));
        }
        let done = [
            format!("embedded  {} {}", HumanCount(report.embedded), noun_for(report.embedded, "passage")),
            format!("switched  {} {}", HumanCount(report.switched), noun_for(report.switched, "passage")),
        ];
        output::print_lines(done.into_iter().chain(describe(&after)))
    }
}

fn describe(status: &ReembedStatus) -> Vec<String> {
    let described = |state: &str, count: u64, model: &str| {
        format!("{state:<9} {} {} by {model}", HumanCount(count), noun_for(count, "passage"))
    };
    let live = status.live.iter().map(|(model, count)| described("live", *count, model));
    let waiting = status.waiting.iter().map(|(model, count)| described("waiting", *count, model));
    live.chain(waiting).chain([described("missing", status.missing, &status.model)]).collect()
}
