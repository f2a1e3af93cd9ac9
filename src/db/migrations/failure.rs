//! Error of a failed migration: the migration, the statement and the remedy.

use tokio_postgres::error::{ErrorPosition, SqlState};

use super::source::Migration;
use super::statements::MigrationStatement;
use crate::error::{Error, ErrorKind};

/// Failure of a statement, before the decision about a retry.
pub(super) struct MigrationFailure {
    /// Place of the failure, as the error message names it.
    place: String,
    error: tokio_postgres::Error,
}

impl MigrationFailure {
    /// Creates the failure of a statement in `file`.
    pub(super) fn in_statement(
        migration: &Migration,
        file: &str,
        statement: &MigrationStatement<'_>,
        error: tokio_postgres::Error,
    ) -> Self {
        // The server counts characters from 1, from the beginning of the statement.
        let before = match error.as_db_error().and_then(tokio_postgres::error::DbError::position) {
            Some(ErrorPosition::Original(at)) => {
                statement.sql.chars().take((*at as usize).saturating_sub(1)).filter(|c| *c == '\n').count()
            }
            _ => 0,
        };
        let line = statement.line + before;
        let place = format!("migration {}, line {line} of {file} ({})", migration.name(), statement.beginning());
        Self { place, error }
    }

    /// Creates the failure of a step around the statements: beginning, recording or committing.
    pub(super) fn around(migration: &Migration, what: &str, error: tokio_postgres::Error) -> Self {
        Self { place: format!("migration {}, {what}", migration.name()), error }
    }

    /// Creates the failure of the step before the first migration.
    pub(super) fn before(error: tokio_postgres::Error) -> Self {
        Self { place: "preparing the table of applied migrations".to_owned(), error }
    }

    /// Returns true if another session was in the way, so that a retry may succeed.
    pub(super) fn is_worth_another_try(&self) -> bool {
        matches!(
            self.error.code(),
            Some(
                &SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE
            )
        )
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Returns the error for the caller, after the last attempt.
    pub(super) fn into_error(self, attempts: usize, holders: Option<String>) -> Error {
        let Self { place, error } = self;
        let (kind, remedy) = match error.code() {
            None => (ErrorKind::Unreachable, SERVER_GONE),
            Some(&SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN | &SqlState::CANNOT_CONNECT_NOW) => {
                (ErrorKind::Unreachable, SERVER_GONE)
            }
            Some(&SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_DEADLOCK_DETECTED) => (
                ErrorKind::Conflict,
                "nothing of it was kept; end the blocking transactions, or run it again at a time of low load",
            ),
            Some(&SqlState::QUERY_CANCELED) => (
                ErrorKind::Conflict,
                "nothing of it was kept; split it into smaller steps, or raise --statement-timeout",
            ),
            Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => (ErrorKind::MissingPrerequisite, READ_ONLY),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => (
                ErrorKind::MissingPrerequisite,
                "run migrations as the owner of the database and its tables, with CREATE on the schema",
            ),
            Some(&SqlState::DISK_FULL) => {
                (ErrorKind::Database, "nothing of it was kept; free disk space on the server, then run it again")
            }
            Some(&SqlState::ACTIVE_SQL_TRANSACTION) => (
                ErrorKind::InvalidInput,
                "nothing of it was kept; move the statement to its own migration, with run_in_transaction = false in metadata.toml",
            ),
            Some(&SqlState::SYNTAX_ERROR) => {
                (ErrorKind::InvalidInput, "nothing of it was kept; fix the statement, then run it again")
            }
            Some(_) => (ErrorKind::Database, "nothing of it was kept; fix the cause in the message, then run it again"),
        };
        let tried = if attempts > 1 { format!(" {attempts} times") } else { String::new() };
        let remedy = holders.map_or_else(|| remedy.to_owned(), |holders| format!("{remedy}; {holders}"));
        let error = Error::from(error);
        // A prerequisite error that the migration raises contains its own remedy.
        if error.is_missing_prerequisite() {
            return Error::new(ErrorKind::MissingPrerequisite, format!("{place} failed: {error}")).caused_by(error);
        }
        Error::new(kind, format!("{place} failed{tried}: {error}")).remedy(remedy).caused_by(error)
    }
}

const SERVER_GONE: &str =
    "the server has rolled back everything that was not committed; run it again when the server is available";
pub(super) const READ_ONLY: &str = "point DATABASE_URL to the primary, which accepts writes";
