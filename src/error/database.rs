//! Errors of PostgreSQL, as Diesel and the driver report them.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use tokio_postgres::error::SqlState;

use super::{Error, ErrorKind};
use crate::unreadable::{UnreadableRow, why_unreadable};

/// Constraint name that a migration raises if the server lacks a prerequisite.
const PREREQUISITE: &str = "workspace_db_prerequisite";

/// Constraint name that `workspace_db_hold_lease` raises.
const LEASE: &str = "workspace_db_lease";

const UNSTORABLE: &str = "a text contains the character U+0000, which PostgreSQL can't store";

const NO_REFERENCE: &str = "a referenced row does not exist in this workspace";

/// SQLSTATEs that have a message of their own.
#[derive(Clone, Copy)]
enum SqlStateClass {
    UniqueViolation,
    ForeignKeyViolation,
    CheckViolation,
    UnstorableText,
    Other,
}

/// Error message of the server. Diesel exposes no SQLSTATE but those of violations.
struct ServerMessage<'e> {
    state: SqlStateClass,
    constraint: Option<&'e str>,
    message: &'e str,
    hint: Option<&'e str>,
}

impl ServerMessage<'_> {
    fn to_error(&self) -> Error {
        let message = self.message;
        let (kind, text) = match self.state {
            _ if self.constraint == Some(PREREQUISITE) => (ErrorKind::MissingPrerequisite, message.to_owned()),
            _ if self.constraint == Some(LEASE) => (ErrorKind::LeaseLost, message.to_owned()),
            SqlStateClass::UniqueViolation => (ErrorKind::Conflict, same_key(self.constraint)),
            SqlStateClass::ForeignKeyViolation => (ErrorKind::NotFound, NO_REFERENCE.to_owned()),
            SqlStateClass::CheckViolation => (ErrorKind::InvalidInput, out_of_bounds(self.constraint)),
            SqlStateClass::UnstorableText => (ErrorKind::InvalidInput, UNSTORABLE.to_owned()),
            SqlStateClass::Other if takes_too_long(message).is_some() => return Error::timed_out(message),
            SqlStateClass::Other if ends_connection(message) => {
                (ErrorKind::Unreachable, format!("the server ended the connection: {message}"))
            }
            SqlStateClass::Other if is_unstorable(message) => (ErrorKind::InvalidInput, UNSTORABLE.to_owned()),
            SqlStateClass::Other => (ErrorKind::Database, database_says(message, self.hint)),
        };
        Error::new(kind, text)
    }
}

impl Error {
    /// Returns the error for a timeout, from the database's message.
    pub(crate) fn timed_out(said: &str) -> Self {
        let setting = takes_too_long(said).unwrap_or("WORKSPACE_DB_STATEMENT_TIMEOUT");
        Self::new(ErrorKind::TimedOut, format!("a timeout was exceeded: {said}"))
            .remedy(format!("request less data at once, or raise {setting}"))
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            return connection_lost(&error.to_string()).caused_by(error);
        };
        let state = match *said.code() {
            SqlState::UNIQUE_VIOLATION => SqlStateClass::UniqueViolation,
            SqlState::FOREIGN_KEY_VIOLATION => SqlStateClass::ForeignKeyViolation,
            SqlState::CHECK_VIOLATION => SqlStateClass::CheckViolation,
            SqlState::CHARACTER_NOT_IN_REPERTOIRE | SqlState::UNTRANSLATABLE_CHARACTER => SqlStateClass::UnstorableText,
            _ => SqlStateClass::Other,
        };
        ServerMessage { state, constraint: said.constraint(), message: said.message(), hint: said.hint() }
            .to_error()
            .caused_by(error)
    }
}

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        let error = match error {
            // A part of this crate rejects the query while Diesel builds the SQL.
            DieselError::QueryBuilderError(cause) => match cause.downcast::<Self>() {
                Ok(own) => return *own,
                Err(cause) => DieselError::QueryBuilderError(cause),
            },
            DieselError::DeserializationError(cause) => {
                let said = match cause.downcast_ref::<UnreadableRow>() {
                    Some(row) => row.to_string(),
                    None => why_unreadable(&*cause),
                };
                return Self::new(ErrorKind::Unreadable, format!("a value can't be read: {said}"))
                    .remedy("correct the value with SQL, or delete the row; load `Readable` to read the other rows")
                    .caused_by(cause);
            }
            error => error,
        };
        let converted = match &error {
            DieselError::NotFound => Self::new(ErrorKind::NotFound, "the row does not exist"),
            DieselError::DatabaseError(kind, info) => {
                let state = match kind {
                    DatabaseErrorKind::UniqueViolation => SqlStateClass::UniqueViolation,
                    DatabaseErrorKind::ForeignKeyViolation => SqlStateClass::ForeignKeyViolation,
                    DatabaseErrorKind::CheckViolation => SqlStateClass::CheckViolation,
                    _ => SqlStateClass::Other,
                };
                let (constraint, message) = (info.constraint_name(), info.message());
                let is_closed =
                    matches!(kind, DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand);
                if is_closed && takes_too_long(message).is_none() && !ends_connection(message) {
                    connection_lost(message)
                } else {
                    ServerMessage { state, constraint, message, hint: info.hint() }.to_error()
                }
            }
            other => Self::new(ErrorKind::Database, format!("the query failed: {other}")),
        };
        converted.caused_by(error)
    }
}

fn connection_lost(said: &str) -> Error {
    Error::new(ErrorKind::Unreachable, format!("the connection to the database was lost: {said}"))
}

/// Returns the setting of the timeout in PostgreSQL's message. Diesel does not expose the SQLSTATE.
fn takes_too_long(message: &str) -> Option<&'static str> {
    const LIMITS: [(&str, &str); 4] = [
        ("canceling statement due to statement timeout", "WORKSPACE_DB_STATEMENT_TIMEOUT"),
        ("canceling statement due to lock timeout", "WORKSPACE_DB_LOCK_TIMEOUT"),
        ("terminating connection due to idle-in-transaction timeout", "WORKSPACE_DB_IDLE_TIMEOUT"),
        ("terminating connection due to transaction timeout", "the server's setting transaction_timeout"),
    ];
    LIMITS.iter().find(|(said, _)| message.contains(said)).map(|(_, setting)| *setting)
}

/// Returns true if the server ended the connection for a reason of its own, by its message, as in [`takes_too_long`].
fn ends_connection(message: &str) -> bool {
    message.starts_with("terminating connection ") || message.starts_with("the database system is ")
}

/// Returns true if PostgreSQL can't store a character, by its message, as in [`takes_too_long`].
fn is_unstorable(message: &str) -> bool {
    message.starts_with("invalid byte sequence for encoding") || message == "unsupported Unicode escape sequence"
}

fn same_key(constraint: Option<&str>) -> String {
    format!("a row with the same {} already exists", constraint.unwrap_or("key"))
}

fn out_of_bounds(constraint: Option<&str>) -> String {
    match constraint.and_then(|name| name.strip_suffix("_readable")) {
        Some(column) => format!(
            "programs can't read the value of {column}: it is JSON with more than 127 levels or a number beyond a double, \
             a time outside the years 1 to 9999, or an array of several dimensions"
        ),
        None => format!("a value violates {}", constraint.unwrap_or("a CHECK constraint")),
    }
}

fn database_says(message: &str, hint: Option<&str>) -> String {
    let read_only = "the scope is read-only, or the database is read-only or a replica; point the URL to the primary";
    let hint = hint.or(message.ends_with("in a read-only transaction").then_some(read_only));
    let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("the database reported: {message}{hint}")
}
