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

const STILL_REFERENCED: &str = "other rows refer to the row";

/// SQLSTATEs that have a message of their own.
#[derive(Clone, Copy)]
enum SqlStateClass {
    UniqueViolation,
    ForeignKeyViolation,
    RestrictViolation,
    CheckViolation,
    NotNullViolation,
    SerializationFailure,
    /// A value that its column can't hold.
    DataException,
    UnstorableText,
    Other,
}

/// Error message of the server. Diesel exposes no SQLSTATE but those of violations.
struct ServerMessage<'e> {
    state: SqlStateClass,
    constraint: Option<&'e str>,
    column: Option<&'e str>,
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
            SqlStateClass::RestrictViolation => (ErrorKind::StillReferenced, STILL_REFERENCED.to_owned()),
            SqlStateClass::ForeignKeyViolation if is_still_referenced(message) => {
                (ErrorKind::StillReferenced, STILL_REFERENCED.to_owned())
            }
            SqlStateClass::ForeignKeyViolation => (ErrorKind::NotFound, NO_REFERENCE.to_owned()),
            SqlStateClass::CheckViolation => (ErrorKind::InvalidInput, out_of_bounds(self.constraint)),
            SqlStateClass::NotNullViolation => {
                (ErrorKind::InvalidInput, format!("{}: must have a value", self.column.unwrap_or("a column")))
            }
            SqlStateClass::SerializationFailure => return serialization_failure(message),
            SqlStateClass::DataException => (ErrorKind::InvalidInput, does_not_fit(message)),
            SqlStateClass::UnstorableText => (ErrorKind::InvalidInput, UNSTORABLE.to_owned()),
            SqlStateClass::Other if takes_too_long(message).is_some() => return Error::timed_out(message),
            SqlStateClass::Other if ends_connection(message) => {
                (ErrorKind::Unreachable, format!("the server ended the connection: {message}"))
            }
            SqlStateClass::Other if is_unstorable(message) => (ErrorKind::InvalidInput, UNSTORABLE.to_owned()),
            SqlStateClass::Other if message == "deadlock detected" => return serialization_failure(message),
            SqlStateClass::Other if is_data_exception(message) => (ErrorKind::InvalidInput, does_not_fit(message)),
            SqlStateClass::Other => (ErrorKind::Database, database_says(message, self.hint)),
        };
        let error = Error::new(kind, text).violating(self.constraint);
        match (self.state, self.column) {
            (SqlStateClass::NotNullViolation, Some(column)) => error.about(column.to_owned()),
            _ => error,
        }
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
            SqlState::UNIQUE_VIOLATION | SqlState::EXCLUSION_VIOLATION => SqlStateClass::UniqueViolation,
            SqlState::RESTRICT_VIOLATION => SqlStateClass::RestrictViolation,
            SqlState::NOT_NULL_VIOLATION => SqlStateClass::NotNullViolation,
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
                SqlStateClass::SerializationFailure
            }
            SqlState::STRING_DATA_RIGHT_TRUNCATION
            | SqlState::NUMERIC_VALUE_OUT_OF_RANGE
            | SqlState::DATETIME_FIELD_OVERFLOW
            | SqlState::INVALID_TEXT_REPRESENTATION => SqlStateClass::DataException,
            SqlState::FOREIGN_KEY_VIOLATION => SqlStateClass::ForeignKeyViolation,
            SqlState::CHECK_VIOLATION => SqlStateClass::CheckViolation,
            SqlState::CHARACTER_NOT_IN_REPERTOIRE | SqlState::UNTRANSLATABLE_CHARACTER => SqlStateClass::UnstorableText,
            _ => SqlStateClass::Other,
        };
        let (constraint, column, message, hint) = (said.constraint(), said.column(), said.message(), said.hint());
        ServerMessage { state, constraint, column, message, hint }.to_error().caused_by(error)
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
                    DatabaseErrorKind::UniqueViolation | DatabaseErrorKind::ExclusionViolation => {
                        SqlStateClass::UniqueViolation
                    }
                    DatabaseErrorKind::RestrictViolation => SqlStateClass::RestrictViolation,
                    DatabaseErrorKind::NotNullViolation => SqlStateClass::NotNullViolation,
                    DatabaseErrorKind::SerializationFailure => SqlStateClass::SerializationFailure,
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
                    ServerMessage { state, constraint, column: info.column_name(), message, hint: info.hint() }
                        .to_error()
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

fn serialization_failure(message: &str) -> Error {
    Error::new(ErrorKind::Serialization, format!("a concurrent transaction prevents this one: {message}"))
        .remedy("run the transaction again")
}

/// Returns true if rows still refer to a row, by the message. PostgreSQL has one SQLSTATE for both ends of a foreign key.
fn is_still_referenced(message: &str) -> bool {
    message.starts_with("update or delete on table ")
}

/// Returns true if a column can't hold a value, by the message, as in [`takes_too_long`].
fn is_data_exception(message: &str) -> bool {
    const BEGINNINGS: [&str; 3] =
        ["value too long for type ", "invalid input syntax for type ", "invalid input value for enum "];
    BEGINNINGS.iter().any(|beginning| message.starts_with(beginning))
        || message.contains(" out of range")
        || message.contains(" field overflow")
}

fn does_not_fit(message: &str) -> String {
    format!("a value does not fit into its column: {message}")
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
