//! Transaction that lends its connection to raw SQL.

use uuid::Uuid;

use super::errors::interrupted_error;
use super::raw::RawConnection;
use super::transactional::{TransactionGuard, Transactional, batch};
use crate::error::{Error, ErrorKind, Result};
use crate::tenancy::scope::DatabaseToken;

/// A transaction in which raw SQL runs, behind a savepoint.
pub(super) struct RawTransaction<'s, C: Transactional> {
    transaction: TransactionGuard<'s, C>,
    savepoint: String,
}

impl<'s, C: Transactional> RawTransaction<'s, C> {
    /// Begins a transaction, like [`begin`](TransactionGuard::begin), and returns the connection for raw SQL. Only
    /// this type knows the name of the savepoint. If the work ends the transaction, the savepoint no longer exists,
    /// even if the work began another one. `database` is the database that the connection sees as a whole.
    pub(super) async fn begin(conn: &'s mut C, database: Option<DatabaseToken>) -> Result<(Self, RawConnection)> {
        let mut transaction = TransactionGuard::begin(conn).await?;
        let savepoint = format!("lent_{}", Uuid::new_v4().simple());
        transaction.conn.transactional().is_tainted = true;
        batch(transaction.open()?, &format!("SAVEPOINT {savepoint}")).await?;
        let inner = transaction.conn.transactional();
        let raw = RawConnection::new(inner.pooled.take().ok_or_else(interrupted_error)?, inner.pool.clone(), database);
        Ok((Self { transaction, savepoint }, raw))
    }

    /// Ends the transaction, like [`end_with`](TransactionGuard::end_with), after raw SQL has run. The rest of an
    /// outer transaction has the settings in `settings`. The connection is closed when the transaction ends.
    pub(super) async fn end_with<R, E: From<Error>>(
        self,
        raw: RawConnection,
        settings: &str,
        result: Result<R, E>,
    ) -> Result<R, E> {
        let Self { mut transaction, savepoint } = self;
        let result = if raw.is_cut_short() { result.and(Err(interrupted_error().into())) } else { result };
        transaction.conn.transactional().pooled = raw.give_back();
        let undo = if result.is_ok() { String::new() } else { format!("ROLLBACK TO SAVEPOINT {savepoint}; ") };
        let again =
            format!("{undo}RELEASE SAVEPOINT {savepoint}; RESET ROLE; RESET ALL; SET LOCAL timezone = 'UTC'{settings}");
        let is_open = match transaction.open() {
            Ok(conn) => batch(conn, &again).await.map_err(|error| {
                let error = Error::from(error);
                if error.is_unreachable() {
                    return error.before_commit();
                }
                Error::new(ErrorKind::Interrupted, "the raw SQL ended the transaction, or left it in a failed state")
                    .remedy("do not end the transaction, and return the error of a failed statement")
                    .caused_by(error)
            }),
            Err(error) => Err(error),
        };
        match (result, is_open) {
            (Ok(value), Ok(())) => transaction.commit().await.map(|()| value).map_err(E::from),
            (Ok(_), Err(error)) => Err(error.into()),
            // The connection of this work is lost, so nothing is left to roll back.
            (Err(error), Err(_)) => Err(error),
            (Err(error), Ok(())) => {
                transaction.roll_back().await.map_or_else(|lost| Err(E::from(lost)), |()| Err(error))
            }
        }
    }
}
