//! `workspace-db workspace export`, `import`, `erase`, `move` and related commands.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use serde_json::json;
use workspace_db::config::{Config, DatabaseUrl};
use workspace_db::noun::noun_for;
use workspace_db::sql_types::{SecretKey, Slug};
use workspace_db::tenancy::{Database, PlatformScope, WorkspaceScope};
use workspace_db::transfer::NewFile;
use workspace_db::transfer::{
    self, DatabaseSide, ImportOptions, Manifest, ReceiptKey, RedactionReport, SignedReceipt, TransferProgress,
    TransferStep, erase, erase_person, export, export_person, import, inspect, redact_person, relocate,
};

use super::lookup::find;
use crate::context::{Context, OPERATOR};
use crate::database::{DatabaseTarget, vacuum_or_warn};
use crate::error::ConflictingArguments;
use crate::output;
use crate::secret_key::SecretKeyArgs;

#[derive(Debug, Subcommand)]
pub(super) enum Transfer {
    /// Export all rows of a workspace to an archive
    Export {
        slug: String,
        /// New file for the archive; default: SLUG.tar
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// Export only one person, by the embedding application's id
        #[arg(long, value_name = "EXTERNAL_USER_ID")]
        person: Option<String>,
    },
    /// Verify every byte of an archive and show its contents
    Inspect { archive: PathBuf },
    /// Import the rows of an archive
    ///
    /// Run the command again to resume an interrupted import.
    Import {
        archive: PathBuf,
        /// Import a copy under this slug with new ids
        ///
        /// The original stays as it is. The copy stays archived until it is restored.
        #[arg(long, value_name = "SLUG")]
        beside_as: Option<Slug>,
        /// Run unfinished jobs and fire schedules here
        ///
        /// Use this option only for an archive that the operator created.
        #[arg(long)]
        with_jobs: bool,
        /// Restore a workspace that existed here, from an archive of another database
        #[arg(long)]
        restore: bool,
        #[command(flatten)]
        key: SecretKeyArgs,
    },
    /// Delete a workspace with all rows and write a signed receipt
    ///
    /// Run the command again to resume an interrupted erasure.
    Erase {
        /// Slug of the workspace, or its id
        ///
        /// Use the id if the workspace is already deleted and the receipt was lost.
        slug: String,
        /// Erase only one person, by the embedding application's id
        #[arg(long, value_name = "EXTERNAL_USER_ID")]
        person: Option<String>,
        #[command(flatten)]
        receipt: ReceiptArgs,
    },
    /// Replace the texts of one person, and keep the rows
    ///
    /// The texts of the person's conversations, feedback and events are replaced, and those of ended jobs that mention the
    /// person. The audit log and documents stay.
    Redact {
        slug: String,
        /// The person, by the embedding application's id
        #[arg(long, value_name = "EXTERNAL_USER_ID")]
        person: String,
        /// Another text that names the person in jobs, such as an email address; can be repeated
        #[arg(long = "mention", value_name = "TEXT")]
        mentions: Vec<String>,
        /// Reason for the audit log
        #[arg(long, value_name = "TEXT", default_value = OPERATOR)]
        reason: String,
    },
    /// Move a workspace to another database
    ///
    /// The command exports, imports, compares and erases. Run it again to resume an interrupted move.
    Move {
        /// Slug of the workspace, or its id
        ///
        /// Use the id if the workspace is already deleted and the receipt was lost.
        slug: String,
        /// URL of the platform login or the owner of the other database
        #[arg(long, value_name = "URL", env = "WORKSPACE_DB_MOVE_TO", hide_env_values = true)]
        to: DatabaseUrl,
        /// File for the archive of the move; default: SLUG.tar
        #[arg(long, value_name = "FILE")]
        archive: Option<PathBuf>,
        #[command(flatten)]
        receipt: ReceiptArgs,
    },
    /// Print the public key for recipients of receipts
    ReceiptKey {
        #[command(flatten)]
        key: ReceiptKeyArgs,
    },
    /// Verify the signature of a receipt and print the receipt
    VerifyReceipt {
        file: PathBuf,
        /// Public key, as `receipt-key` prints it
        #[arg(long, value_name = "BASE64")]
        key: String,
    },
}

#[derive(Args, Debug)]
pub(super) struct ReceiptKeyArgs {
    /// Seed of the key that signs receipts, as base64 of 32 bytes
    ///
    /// Create one with `openssl rand -base64 32`.
    #[arg(long, value_name = "BASE64", env = "WORKSPACE_DB_RECEIPT_KEY", hide_env_values = true)]
    receipt_key: String,
}

#[derive(Args, Debug)]
pub(super) struct ReceiptArgs {
    /// New file for the receipt
    #[arg(long, value_name = "FILE")]
    receipt: PathBuf,
    /// Reason for the audit log
    #[arg(long, value_name = "TEXT", default_value = OPERATOR)]
    reason: String,
    #[command(flatten)]
    key: ReceiptKeyArgs,
}

impl Transfer {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let bar = Bar::new();
        let on_progress = |progress: TransferProgress| bar.show(&progress);
        match self {
            Self::Export { slug, to, person } => {
                let db = open(context).await?;
                let scope = WorkspaceScope::unchecked_administer(find(&db, &slug).await?.id, OPERATOR);
                let to = to.map_or_else(|| archive_of(&slug), Ok)?;
                refuse_stream(&to)?;
                let manifest = match person {
                    Some(person) => export_person(&db, &scope, &person, &to, &on_progress).await?,
                    None => export(&db, &scope, &to, &on_progress).await?,
                };
                bar.clear();
                print_manifest(context, &manifest)
            }
            Self::Inspect { archive } => {
                refuse_stream(&archive)?;
                print_manifest(context, &inspect(&archive).await?)
            }
            Self::Import { archive, beside_as, with_jobs, restore, key } => {
                refuse_stream(&archive)?;
                let database = DatabaseTarget::from_context(context)?;
                let db = database.open().await?;
                let key = key.secret_key.as_deref().map(SecretKey::from_base64).transpose()?;
                let options = ImportOptions { beside_as, key, with_jobs, restores: restore, stays_archived: false };
                let platform = PlatformScope::unchecked(OPERATOR);
                let report = import(&db, &platform, &archive, options, &on_progress).await?;
                bar.clear();
                database.vacuum_after_load(report.rows.saturating_sub(report.found)).await;
                if context.json { output::print_json(&report) } else { output::print_lines(describe(&report)) }
            }
            Self::Erase { slug, person, receipt } => {
                let db = open(context).await?;
                let (key, file) = receipt.open()?;
                let platform = PlatformScope::unchecked(&receipt.reason);
                let signed = match person {
                    Some(person) => {
                        let workspace = find(&db, &slug).await?.id;
                        let scope = WorkspaceScope::unchecked_administer(workspace, &receipt.reason);
                        erase_person(&db, &scope, &person, &key, &on_progress).await?
                    }
                    None => erase(&db, &platform, find_by_slug(&db, &slug).await?, &key, &on_progress).await?,
                };
                bar.clear();
                write_receipt(file, context, &signed, &key)
            }
            Self::Redact { slug, person, mentions, reason } => {
                let db = open(context).await?;
                let scope = WorkspaceScope::unchecked_administer(find(&db, &slug).await?.id, &reason);
                let mentions: Vec<&str> = mentions.iter().map(String::as_str).collect();
                let report = redact_person(&db, &scope, &person, &mentions).await?;
                if context.json {
                    output::print_json(&report)
                } else {
                    output::print_lines(describe_redaction(&report))
                }
            }
            Self::Move { slug, to, archive, receipt } => {
                let db = open(context).await?;
                let (key, file) = receipt.open()?;
                let workspace = find_by_slug(&db, &slug).await?;
                let archive = archive.map_or_else(|| archive_of(&slug), Ok)?;
                let target = Config {
                    database_url: Some(to),
                    database_app_url: None,
                    database_platform_url: None,
                    ..context.config.clone()
                };
                let owner = target.database_url.clone();
                let target = Database::open(&target).await?;
                let platform = PlatformScope::unchecked(&receipt.reason);
                let (from, to) =
                    (DatabaseSide { db: &db, platform: &platform }, DatabaseSide { db: &target, platform: &platform });
                let moved = relocate(from, to, workspace, &archive, &key, &on_progress).await?;
                bar.clear();
                if let Some(owner) = owner {
                    let written = moved.imported.rows.saturating_sub(moved.imported.found);
                    vacuum_or_warn(&owner, written).await;
                }
                if !context.json {
                    output::print_lines(describe(&moved.imported))?;
                }
                write_receipt(file, context, &moved.receipt, &key)
            }
            Self::ReceiptKey { key } => {
                let public = ReceiptKey::from_base64(&key.receipt_key)?.public();
                if context.json { output::print_json(&json!({ "key": public })) } else { output::print_lines([public]) }
            }
            Self::VerifyReceipt { file, key } => {
                let text = std::fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
                let signed: SignedReceipt = serde_json::from_str(&text)
                    .map_err(|error| ConflictingArguments(format!("{} is not a receipt: {error}", file.display())))?;
                print_receipt(context, &signed.verified(&key)?)
            }
        }
    }
}

async fn open(context: &Context) -> Result<Database> {
    DatabaseTarget::from_context(context)?.open().await
}

/// Rejects `-`: an archive is read and written at several positions, which a stream can't do.
fn refuse_stream(archive: &std::path::Path) -> Result<()> {
    if archive.as_os_str() == "-" {
        return Err(ConflictingArguments(
            "an archive can't be a stream; name a file, or use ./- for a file named -".to_owned(),
        )
        .into());
    }
    Ok(())
}

/// Returns SLUG.tar. A slug that is not valid today could name another folder, so it is rejected.
fn archive_of(slug: &str) -> Result<PathBuf> {
    let slug: Slug = slug.parse().map_err(|error| ConflictingArguments(format!("{error}; name the file")))?;
    Ok(PathBuf::from(format!("{slug}.tar")))
}

/// Returns the id of the workspace with that slug. An id is returned as it is, because its workspace may be deleted.
async fn find_by_slug(db: &Database, slug: &str) -> Result<workspace_db::id::WorkspaceId> {
    match slug.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(find(db, slug).await?.id),
    }
}

impl ReceiptArgs {
    /// Opens the key and the file first, so that no erasure begins whose receipt can't be written.
    fn open(&self) -> Result<(ReceiptKey, NewFile)> {
        let key = ReceiptKey::from_base64(&self.key.receipt_key)?;
        let file = NewFile::create(&self.receipt).map_err(|error| {
            if error.is_conflict() {
                return anyhow::Error::from(ConflictingArguments(format!("the file for the receipt: {error}")));
            }
            error.into()
        })?;
        Ok((key, file))
    }
}

fn write_receipt(mut file: NewFile, context: &Context, signed: &SignedReceipt, key: &ReceiptKey) -> Result<()> {
    serde_json::to_writer(&mut file, signed)?;
    writeln!(file)?;
    file.put_in_place()?;
    print_receipt(context, &signed.verified(&key.public())?)
}

fn print_manifest(context: &Context, manifest: &Manifest) -> Result<()> {
    if context.json {
        return output::print_json(manifest);
    }
    let head =
        format!("{}  {}  of {}, schema {}", manifest.workspace, manifest.slug, manifest.taken_at, manifest.schema);
    let tables = manifest.tables.iter().map(|table| format!("{:>12}  {}", table.rows, table.name));
    output::print_lines(std::iter::once(head).chain(tables))
}

fn print_receipt(context: &Context, receipt: &transfer::Receipt) -> Result<()> {
    if context.json {
        return output::print_json(receipt);
    }
    let head = format!("{}  {}  erased at {}", receipt.workspace, receipt.slug, receipt.ended_at);
    let tables =
        receipt.tables.iter().map(|(name, rows)| format!("{:>12}  {:>4} left  {name}", rows.before, rows.left));
    let kept = match receipt.audit_entries_kept_days {
        Some(days) => {
            format!("{:>12}  kept for {days} {}  audit_log", receipt.audit_entries_kept, noun_for(days, "day"))
        }
        None => format!("{:>12}  kept  audit_log", receipt.audit_entries_kept),
    };
    output::print_lines(std::iter::once(head).chain(tables).chain([kept]))
}

fn describe(report: &transfer::ImportReport) -> Vec<String> {
    let mut lines = vec![
        format!("workspace  {}  {}", report.workspace, report.slug),
        format!("rows       {}, of which {} already existed", report.rows, report.found),
    ];
    let left_out = json!(report.left_out);
    for (what, count) in left_out.as_object().into_iter().flatten().filter(|(_, count)| **count != json!(0)) {
        lines.push(format!("left out   {count} {}", what.replace('_', " ")));
    }
    lines.extend(report.people_added.iter().map(|email| format!("new here   {email}")));
    let invite =
        |email: &String| format!("invite     {email}: `workspace-db workspace invite {} {email}`", report.slug);
    lines.extend(report.to_invite.iter().map(invite));
    lines
}

fn describe_redaction(report: &RedactionReport) -> Vec<String> {
    let rows = report.rows.iter().map(|(table, rows)| format!("{rows:>12}  {table}"));
    let unchanged =
        report.unchanged_tables.iter().map(|table| format!("   unchanged  {table}: redact your own table yourself"));
    rows.chain(unchanged).collect()
}

/// One progress bar for all steps.
struct Bar {
    bar: ProgressBar,
    step: Mutex<Option<TransferStep>>,
}

impl Bar {
    fn new() -> Self {
        Self { bar: output::counter("rows"), step: Mutex::new(None) }
    }

    fn show(&self, progress: &TransferProgress) {
        let mut step = self.step.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *step != Some(progress.step) {
            *step = Some(progress.step);
            self.bar.reset();
            output::tell(
                &self.bar,
                match progress.step {
                    TransferStep::Exporting => "exporting",
                    TransferStep::Checking => "checking",
                    TransferStep::Importing => "importing",
                    TransferStep::Verifying => "verifying",
                    TransferStep::Erasing => "erasing",
                },
            );
        }
        self.bar.set_length(progress.of);
        self.bar.set_position(progress.rows);
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
