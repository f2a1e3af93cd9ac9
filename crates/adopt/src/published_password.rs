//! Accounts that still have the password of the old package's bootstrap, which is published.

use tokio_postgres::Transaction;
use uuid::Uuid;

use workspace_db::sql_types::PasswordHash;
use workspace_db::{Error, ErrorKind, Result};

/// Sets if the administrators that were just written must change their password: those who have the published one.
pub(super) async fn require_change(transaction: &Transaction<'_>) -> Result<()> {
    let written = "SELECT a.id, a.password_hash FROM admin_users a JOIN workspace_db_adopting s ON s.id = a.id";
    let hashes: Vec<(Uuid, String)> =
        transaction.query(written, &[]).await?.iter().map(|row| (row.get(0), row.get(1))).collect();
    let ids: Vec<Uuid> = hashes.iter().map(|(id, _)| *id).collect();
    let has_it = |hash: &str| hash.parse::<PasswordHash>().is_ok_and(|hash| hash.is_of_published_password());
    // A hash takes up to a second.
    let verified = tokio::task::spawn_blocking(move || {
        hashes.into_iter().filter(|(_, hash)| has_it(hash)).map(|(id, _)| id).collect::<Vec<_>>()
    });
    let published = verified
        .await
        .map_err(|error| Error::new(ErrorKind::Io, "the thread that verifies passwords panicked").caused_by(error))?;
    let require = "UPDATE admin_users SET must_change_password = id = ANY ($2)
        WHERE id = ANY ($1) AND must_change_password <> (id = ANY ($2))";
    Transaction::execute(transaction, require, &[&ids, &published]).await?;
    Ok(())
}
