//! The file of the rows that were set aside.

use std::io::Write as _;
use std::path::Path;

use tokio_postgres::Transaction;

use workspace_db::transfer::NewFile;
use workspace_db::{Error, ErrorKind, Result};

/// Number of lines that are in memory at once.
const LINES: i32 = 500;

/// Writes the rows that were set aside into a file that is not in place yet. Returns the file, the
/// number of lines, and the number of passages that were not copied.
pub(super) async fn write(transaction: &Transaction<'_>, path: &Path) -> Result<(NewFile, u64, u64)> {
    let mut file = NewFile::create(path)?;
    let all = "SELECT json_build_object('table', table_name, 'key', key, 'reason', reason, 'is_kept', is_kept,
        'old_row', old_row)::text FROM workspace_db_adoption.set_aside ORDER BY table_name, key, reason";
    let passages = "SELECT count(DISTINCT key) FROM workspace_db_adoption.set_aside
        WHERE table_name = 'document_chunks' AND NOT is_kept";
    let passages: i64 = transaction.query_one(passages, &[]).await?.get(0);
    let portal = transaction.bind(all, &[]).await?;
    let mut rows = 0;
    loop {
        let lines = transaction.query_portal(&portal, LINES).await?;
        if lines.is_empty() {
            return Ok((file, rows, passages.unsigned_abs()));
        }
        for line in &lines {
            writeln!(file, "{}", line.get::<_, &str>(0)).map_err(|error| {
                Error::new(ErrorKind::Io, format!("can't write {}: {error}", path.display())).caused_by(error)
            })?;
            rows += 1;
        }
    }
}
