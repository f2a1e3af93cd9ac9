//! A connection on loan to raw SQL, and what becomes of its transaction.

use uuid::Uuid;

use super::connection_errors::interrupted_error;
use super::raw::RawConnection;
use super::session::{HasSession, TransactionGuard, batch};
use crate::error::{Error, Kind, Result};

/// A transaction in which raw SQL runs, behind a savepoint.
pub(super) struct RawTransaction<'s, C: HasSession> {
    transaction: TransactionGuard<'s, C>,
    savepoint: String,
}

impl<'s, C: HasSession> RawTransaction<'s, C> {
    /// As [`begin`](TransactionGuard::begin), and the connection for raw SQL. Nobody else knows the name of the savepoint, so it is gone
    /// where the work has ended the transaction, even if it began another one.
    pub(super) async fn begin(lent: &'s mut C) -> Result<(Self, RawConnection)> {
        let mut transaction = TransactionGuard::begin(lent).await?;
        let savepoint = format!("lent_{}", Uuid::new_v4().simple());
        transaction.lent.session().is_tainted = true;
        batch(transaction.open()?, &format!("SAVEPOINT {savepoint}")).await?;
        let session = transaction.lent.session();
        let raw = RawConnection::new(session.lent.take().ok_or_else(interrupted_error)?, session.pool.clone());
        Ok((Self { transaction, savepoint }, raw))
    }

    /// As [`end_with`](TransactionGuard::end_with), where raw SQL has run: the rest of the transaction is as `settings` say, and the
    /// connection is closed when the transaction ends.
    pub(super) async fn end_with<R, E: From<Error>>(
        self,
        raw: RawConnection,
        settings: &str,
        result: Result<R, E>,
    ) -> Result<R, E> {
        let Self { mut transaction, savepoint } = self;
        transaction.lent.session().lent = raw.give_back();
        let undo = if result.is_ok() { String::new() } else { format!("ROLLBACK TO SAVEPOINT {savepoint}; ") };
        let again =
            format!("{undo}RELEASE SAVEPOINT {savepoint}; RESET ROLE; RESET ALL; SET LOCAL timezone = 'UTC'{settings}");
        let is_open = match transaction.open() {
            Ok(conn) => batch(conn, &again).await.map_err(|error| {
                Error::new(Kind::Interrupted, "the transaction that was lent is over, or has failed")
                    .remedy("leave it open, and return the error of a statement that failed")
                    .caused_by(error)
            }),
            Err(error) => Err(error),
        };
        match (result, is_open) {
            (Ok(value), Ok(())) => transaction.commit().await.map(|()| value).map_err(E::from),
            (Ok(_), Err(error)) => Err(error.into()),
            // What was cut short or ended by the work has lost its connection: nothing is left to be undone.
            (Err(error), Err(_)) => Err(error),
            (Err(error), Ok(())) => {
                transaction.roll_back().await.map_or_else(|lost| Err(E::from(lost)), |()| Err(error))
            }
        }
    }
}
