//! A connection on loan to raw SQL, and what becomes of its transaction.

use uuid::Uuid;

use super::lost::cut_short;
use super::raw::RawConnection;
use super::session::{HasSession, Session, Unfinished, batch};
use crate::error::{Error, Kind, Result};

/// The savepoint behind which raw SQL runs.
pub(super) struct Mark(String);

impl Session {
    /// The connection for raw SQL, until it is [put back](Self::put_back).
    pub(super) fn take_raw(&mut self) -> Result<RawConnection> {
        Ok(RawConnection::new(self.lent.take().ok_or_else(cut_short)?, self.pool.clone()))
    }

    pub(super) fn put_back(&mut self, raw: RawConnection) {
        self.lent = raw.give_back();
    }
}

impl<'s, C: HasSession> Unfinished<'s, C> {
    /// As [`begin`](Self::begin), for raw SQL: behind a savepoint whose name nobody else knows. It is gone where the work has
    /// ended the transaction, even if it began another one.
    pub(super) async fn lend(lent: &'s mut C) -> Result<(Self, Mark)> {
        let mut lending = Self::begin(lent).await?;
        let mark = Mark(format!("lent_{}", Uuid::new_v4().simple()));
        lending.lent.session().spent = true;
        batch(lending.open()?, &format!("SAVEPOINT {}", mark.0)).await?;
        Ok((lending, mark))
    }

    /// As [`end_with`](Self::end_with), where raw SQL has run: the rest of the transaction is as `settings` say, and the
    /// connection is closed when the transaction ends.
    pub(super) async fn take_back<R, E: From<Error>>(
        mut self,
        mark: Mark,
        settings: &str,
        result: Result<R, E>,
    ) -> Result<R, E> {
        let Mark(mark) = mark;
        let undo = if result.is_ok() { String::new() } else { format!("ROLLBACK TO SAVEPOINT {mark}; ") };
        let again =
            format!("{undo}RELEASE SAVEPOINT {mark}; RESET ROLE; RESET ALL; SET LOCAL timezone = 'UTC'{settings}");
        let is_open = match self.open() {
            Ok(conn) => batch(conn, &again).await.map_err(|error| {
                Error::new(Kind::Interrupted, "the transaction that was lent is over, or has failed")
                    .remedy("leave it open, and return the error of a statement that failed")
                    .caused_by(error)
            }),
            Err(error) => Err(error),
        };
        match (result, is_open) {
            (Ok(value), Ok(())) => self.commit().await.map(|()| value).map_err(E::from),
            (Ok(_), Err(error)) => Err(error.into()),
            // What was cut short or ended by the work has lost its connection: nothing is left to be undone.
            (Err(error), Err(_)) => Err(error),
            (Err(error), Ok(())) => self.roll_back().await.map_or_else(|lost| Err(E::from(lost)), |()| Err(error)),
        }
    }
}
