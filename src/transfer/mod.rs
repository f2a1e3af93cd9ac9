//! A workspace's rows in one file, and out of it: export, import, erase, move. And one person's.
//!
//! # The archive
//!
//! A tar of plain files, which `tar`, `zstd`, `sha256sum` and `jq` read without this crate:
//!
//! | file | |
//! |---|---|
//! | `documents/000001.jsonl.zst`, ... | rows as JSON Lines, some 8 MB a file, each compressed by itself; one that would get smaller than a hundredth is left as it is, without `.zst` |
//! | `manifest.json` | whose rows they are, of which time and schema; tables, columns, counts and checksums |
//! | `SHA256SUMS` | of every file before it, as `sha256sum --check` reads it |
//!
//! | a column of type | is in a line |
//! |---|---|
//! | `text`, enums, `uuid` | a string |
//! | `boolean`, integers, floats | itself; `"NaN"`, `"Infinity"` and `"-Infinity"` as strings |
//! | `timestamptz` | a string as in RFC 3339, in UTC, to the microsecond; outside of the years 0 to 9999 the microseconds since 2000-01-01 as a number |
//! | `jsonb` | itself |
//! | `text[]` | a list |
//! | `vector` | the base64 of its components as little-endian 32-bit floats, for NumPy `frombuffer(b64decode(text), '<f4')` |
//! | `bytea` | base64 |
//! | any other | a string, as PostgreSQL writes it |
//!
//! What is NULL is left out. The workspace is in no line: it is the same for each, and stands in the manifest. So no line can
//! name another one. Generated columns are made again.
//!
//! Every table with a `workspace_id` is in it, also your own, as the live catalog has them; and of administrators whom the
//! rows name, their id, email and names. Passwords and sessions are in no archive. Webhook secrets are, sealed as they are.
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
pub use self::read::inspect;
pub use self::receipt::{ErasedRowCounts, ErasureScope, Receipt, ReceiptKey, SignedReceipt};
pub use self::relocate::{DatabaseSide, RelocationReport, relocate};
use crate::error::{Error, Kind, Result};
use crate::id::WorkspaceId;
use crate::tenancy::{BulkConnection, Database};

const MANIFEST: &str = "manifest.json";
const SUMS: &str = "SHA256SUMS";

/// Rows of a file are gathered up to here.
const PART_BYTES: usize = 8 << 20;
/// The largest row, as a line: what doesn't fit into memory a few times can't be streamed.
const MAX_ROW_BYTES: u64 = 64 << 20;
/// A part that was not full, and the largest row behind it.
const MAX_PART_BYTES: u64 = PART_BYTES as u64 + MAX_ROW_BYTES;
/// How much smaller compression makes a file at most.
const MAX_RATIO: usize = 100;

/// Of a transaction that reads a whole workspace, whatever the login's own time-outs are made for.
const NO_TIMEOUTS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// How far something has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferProgress {
    /// What is being done.
    pub step: TransferStep,
    /// Rows that are done, of the step.
    pub rows: u64,
    /// Rows that there are.
    pub of: u64,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferStep {
    /// Rows are read from the database into an archive.
    Exporting,
    /// An archive is read, before anything is written.
    Checking,
    /// Rows are written.
    Importing,
    /// What was written is read again, and compared.
    Verifying,
    /// Rows are deleted.
    Erasing,
}

/// A workspace's own row, as far as it is asked here.
struct WorkspaceIdentity {
    slug: String,
    taken_at: DateTime<Utc>,
}

/// Who the workspace is, and the time of the transaction.
async fn named(client: &impl GenericClient, workspace: WorkspaceId) -> Result<WorkspaceIdentity> {
    let query = "SELECT slug, (extract(epoch FROM now()) * 1000000)::bigint FROM workspaces WHERE id = $1";
    let row = client.query_opt(query, &[workspace.as_uuid()]).await?;
    let row = row.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no workspace {workspace}")))?;
    let taken_at = DateTime::from_timestamp_micros(row.get(1)).unwrap_or_default();
    Ok(WorkspaceIdentity { slug: row.get(0), taken_at })
}

/// Keeps other transfers of the workspace away until it is dropped.
async fn lock(db: &Database, workspace: WorkspaceId) -> Result<BulkConnection> {
    let held = db.platform_bulk().await?.holding(&format!("transfer of {workspace}")).await?;
    held.ok_or_else(|| {
        Error::new(Kind::Conflict, format!("another import, erasure or move of the workspace {workspace} runs"))
            .remedy("wait for its end")
    })
}

/// Of something that runs on a thread of its own.
fn ended<T>(thread: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    thread.map_err(|error| Error::new(Kind::Io, "the thread of the archive panicked").caused_by(error))?
}
