//! Export, import, erasure and move of a workspace, and export and erasure of one person's rows.
//!
//! # The archive
//!
//! An archive is a tar of plain files that `tar`, `zstd`, `sha256sum` and `jq` read without this crate:
//!
//! | file | content |
//! |---|---|
//! | `documents/000001.jsonl.zst`, ... | rows as JSON Lines, about 8 MB a file, each file compressed separately; a file that would shrink to less than a hundredth stays uncompressed, without `.zst` |
//! | `manifest.json` | the workspace or person, the time and the schema; the tables with their columns, counts and checksums |
//! | `SHA256SUMS` | checksums of all files before it, in the format of `sha256sum --check` |
//!
//! | type of the column | value in a line |
//! |---|---|
//! | `text`, enums, `uuid` | a string |
//! | `boolean`, integers, floats | the JSON value; `"NaN"`, `"Infinity"` and `"-Infinity"` as strings |
//! | `timestamptz` | an RFC 3339 string in UTC with microseconds; outside the years 0 to 9999 the microseconds since 2000-01-01 as a number |
//! | `jsonb` | the JSON value |
//! | `text[]` | a list |
//! | `vector` | the base64 of its components as little-endian 32-bit floats, for NumPy `frombuffer(b64decode(text), '<f4')` |
//! | `bytea` | base64 |
//! | any other | a string in PostgreSQL's text format |
//!
//! NULL values are omitted. No line contains the workspace, because it is the same for all lines; the manifest contains it.
//! So no line can name another workspace. An import computes generated columns again.
//!
//! An archive contains every table of the live catalog that has a `workspace_id`, including your own tables. Of
//! administrators that the rows name, it contains the id, email and names. Passwords and sessions are in no archive. Webhook
//! secrets are, in their sealed form.
//!
//! ```no_run
//! use std::path::Path;
//! use workspace_db::id::WorkspaceId;
//! use workspace_db::tenancy::{Database, PlatformScope, WorkspaceScope};
//! use workspace_db::transfer::{ImportOptions, export, import};
//!
//! # async fn example(here: Database, there: Database, workspace: WorkspaceId) -> workspace_db::Result<()> {
//! let scope = WorkspaceScope::unchecked_administer(workspace, "they asked for their data");
//! let manifest = export(&here, &scope, Path::new("acme.tar"), &|_| ()).await?;
//! let platform = PlatformScope::unchecked("they move");
//! let report = import(&there, &platform, Path::new("acme.tar"), ImportOptions::default(), &|_| ()).await?;
//! assert_eq!(report.rows, manifest.rows());
//! # Ok(())
//! # }
//! ```

mod adapt;
mod archive_file;
mod content;
mod decode;
mod delete;
mod dependents;
mod digest;
mod encode;
mod erase;
mod export;
mod import;
mod import_rows;
mod layout;
mod manifest;
mod new_file;
mod people;
mod person;
mod read;
mod receipt;
mod relocate;
mod row;
mod selection;
mod stage;
mod target;
mod verify;
mod write;

use chrono::{DateTime, Utc};
use tokio_postgres::GenericClient;

pub use self::adapt::OmittedRows;
pub use self::digest::Digest;
pub use self::erase::{erase, erase_person};
pub use self::export::{export, export_person};
pub use self::import::{ImportOptions, ImportReport, import};
pub use self::import_rows::{RowImportReport, import_rows, import_rows_with_jobs};
pub use self::manifest::{ArchivePart, ArchiveScope, ArchivedTable, Manifest};
pub use self::new_file::NewFile;
pub use self::read::inspect;
pub use self::receipt::{ErasedRowCounts, ErasureScope, Receipt, ReceiptKey, SignedReceipt};
pub use self::relocate::{DatabaseSide, RelocationReport, relocate};
use crate::error::{Error, Kind, Result};
use crate::id::WorkspaceId;
use crate::tenancy::{BulkConnection, Database};

const MANIFEST: &str = "manifest.json";
const SUMS: &str = "SHA256SUMS";

/// Number of bytes after which a file of rows is complete.
const PART_BYTES: usize = 8 << 20;
/// Maximum size of a row as a line, in bytes. A row is in memory several times, so a larger one can't be streamed.
const MAX_ROW_BYTES: u64 = 64 << 20;
/// Maximum size of a file of rows: an almost full one and the largest row after it.
const MAX_PART_BYTES: u64 = PART_BYTES as u64 + MAX_ROW_BYTES;
/// Maximum factor by which compression may shrink a file.
const MAX_RATIO: usize = 100;

/// Settings of a transaction that reads a whole workspace. They turn off the login's own timeouts.
const NO_TIMEOUTS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// Progress of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferProgress {
    /// Current step.
    pub step: TransferStep,
    /// Number of rows processed in this step.
    pub rows: u64,
    /// Total number of rows of this step.
    pub of: u64,
}

/// Step of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferStep {
    /// Export of rows from the database into an archive.
    Exporting,
    /// Check of the archive, before anything is written.
    Checking,
    /// Insertion of rows.
    Importing,
    /// Comparison of the written rows with the expected ones.
    Verifying,
    /// Deletion of rows.
    Erasing,
}

/// Slug of a workspace, and the time of the transaction that read it.
struct WorkspaceIdentity {
    slug: String,
    taken_at: DateTime<Utc>,
}

/// Returns the slug of the workspace and the time of the transaction.
async fn named(client: &impl GenericClient, workspace: WorkspaceId) -> Result<WorkspaceIdentity> {
    let query = "SELECT slug, (extract(epoch FROM now()) * 1000000)::bigint FROM workspaces WHERE id = $1";
    let row = client.query_opt(query, &[workspace.as_uuid()]).await?;
    let row = row.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no workspace {workspace}")))?;
    let taken_at = DateTime::from_timestamp_micros(row.get(1)).unwrap_or_default();
    Ok(WorkspaceIdentity { slug: row.get(0), taken_at })
}

/// Excludes other transfers of the workspace until the returned connection is dropped.
async fn lock(db: &Database, workspace: WorkspaceId) -> Result<BulkConnection> {
    let held = db.platform_bulk().await?.holding(&format!("transfer of {workspace}")).await?;
    held.ok_or_else(|| {
        Error::new(Kind::Conflict, format!("another import, erasure or move of the workspace {workspace} runs"))
            .remedy("wait for its end")
    })
}

/// Returns the result of a thread, or an error if the thread panicked.
fn ended<T>(thread: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    thread.map_err(|error| Error::new(Kind::Io, "the thread of the archive panicked").caused_by(error))?
}
