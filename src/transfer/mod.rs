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
mod archive_format;
mod content;
mod decode;
mod delete;
mod dependents;
mod digest;
mod encode;
mod erase;
mod export;
mod import;
mod import_options;
mod import_report;
mod import_rows;
mod layout;
mod lock;
mod manifest;
mod mentions;
mod new_file;
mod people;
mod person;
mod progress;
mod read;
mod receipt;
mod redact;
mod relocate;
mod row;
mod scan;
mod selection;
mod stage;
mod target;
mod thread;
mod validation;
mod verify;
mod write;

pub use self::adapt::OmittedRows;
pub use self::digest::Digest;
pub use self::erase::{erase, erase_person};
pub use self::export::{export, export_person};
pub use self::import::import;
pub use self::import_options::ImportOptions;
pub use self::import_report::ImportReport;
pub use self::import_rows::{RowImportReport, import_rows, import_rows_with_jobs};
pub use self::manifest::{ArchivePart, ArchiveScope, ArchivedTable, Manifest};
pub use self::new_file::NewFile;
pub use self::progress::{TransferProgress, TransferStep};
pub use self::read::inspect;
pub use self::receipt::{ErasedRowCounts, ErasureScope, Receipt, ReceiptKey, SignedReceipt};
pub use self::redact::{RedactionReport, redact_person};
pub use self::relocate::{DatabaseSide, RelocationReport, relocate};
