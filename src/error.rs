//! The error type of this crate: opaque, with predicates and a source.

use std::error::Error as StdError;
use std::fmt;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use tokio_postgres::error::SqlState;

use crate::unreadable::{UnreadableRow, why_unreadable};

/// Error of this crate, with the input, the place and the remedy.
///
/// The text names the input and the remedy; [`source`](StdError::source) returns the cause. Call a predicate instead of
/// comparing texts.
///
/// ```
/// use workspace_db::sql_types::LanguageTag;
///
/// let error = "not a tag!".parse::<LanguageTag>().unwrap_err();
/// assert!(error.is_invalid_input());
/// assert!(error.to_string().contains("BCP 47"));
/// ```
pub struct Error {
    inner: Box<Inner>,
}

/// Result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Constraint name that a migration raises if the server lacks a prerequisite.
const PREREQUISITE: &str = "workspace_db_prerequisite";

/// Constraint name that `workspace_db_hold_lease` raises.
const LEASE: &str = "workspace_db_lease";

struct Inner {
    kind: Kind,
    message: String,
    remedy: Option<String>,
    field: Option<&'static str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The input itself is invalid.
    InvalidInput,
    /// No row has that name or id in this workspace.
    NotFound,
    /// Another row, process or program has the requested key, port or lock.
    Conflict,
    /// The database can't be reached or rejected the login.
    Unreachable,
    /// The machine or the server lacks something that must be installed or started.
    MissingPrerequisite,
    /// The embeddings endpoint failed or returned an invalid response.
    Embeddings,
    /// The token or password is invalid, or no longer valid.
    Unauthenticated,
    /// The actor is known and lacks the permission.
    Forbidden,
    /// There were too many recent attempts.
    Throttled,
    /// Only a change of the password is allowed.
    PasswordChange,
    /// Every connection of the pool is in use.
    Exhausted,
    /// The database ended a statement, a wait or an idle transaction that took too long.
    TimedOut,
    /// The program itself interrupted a statement or transaction.
    Interrupted,
    /// A worker has lost the lease of its job.
    LeaseLost,
    /// A row has a value that the types can't read.
    Unreadable,
    /// The database rejected a statement, or failed to execute it.
    Database,
    /// An operation of the operating system failed.
    Io,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { inner: Box::new(Inner { kind, message: message.into(), remedy: None, field: None, source: None }) }
    }

    /// Returns the error for a timeout, from the database's message.
    pub(crate) fn timed_out(said: &str) -> Self {
        let setting = takes_too_long(said).unwrap_or("WORKSPACE_DB_STATEMENT_TIMEOUT");
        Self::new(Kind::TimedOut, format!("it took too long: {said}"))
            .remedy(format!("ask for less at once, or allow more time with {setting}"))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidInput, message)
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.inner.remedy = Some(remedy.into());
        self
    }

    /// Adds the field of the input to the error and its message.
    pub(crate) fn of_field(mut self, field: &'static str) -> Self {
        self.inner.message = format!("{field}: {}", self.inner.message);
        self.about(field)
    }

    /// Adds the field to the error as [`of_field`](Self::of_field) does, if the message already names the subject.
    pub(crate) fn about(mut self, field: &'static str) -> Self {
        self.inner.field = Some(field);
        self
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        self.inner.kind
    }

    /// Returns true if the input itself is invalid, independently of the database.
    #[must_use]
    pub fn is_invalid_input(&self) -> bool {
        self.inner.kind == Kind::InvalidInput
    }

    /// Returns the invalid field of the input, by the name of its column, if it is one field.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        self.inner.field
    }

    /// Returns true if a token or a password is invalid, or no longer valid. The error reveals neither the reason nor the
    /// existence of an account.
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        self.inner.kind == Kind::Unauthenticated
    }

    /// Returns true if a known actor lacks the permission. If the actor may not even see the row, the error is
    /// [`is_not_found`](Self::is_not_found) instead.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.inner.kind == Kind::Forbidden
    }

    /// Returns true if there were too many recent attempts from this address.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.inner.kind == Kind::Throttled
    }

    /// Returns true if the password was right and must be changed first.
    #[must_use]
    pub fn is_password_change_required(&self) -> bool {
        self.inner.kind == Kind::PasswordChange
    }

    /// Returns true if nothing of that name or id exists. It is also the error for another workspace's row.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.inner.kind == Kind::NotFound
    }

    /// Returns true if another row, process or program has the requested unique key, port or lock.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.inner.kind == Kind::Conflict
    }

    /// Returns true if the database can't be reached, or rejected the login.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.inner.kind == Kind::Unreachable
    }

    /// Returns true if no connection of the pool became free before the timeout.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.inner.kind == Kind::Exhausted
    }

    /// Returns true if the database ended a statement, a wait for a lock or an idle transaction that took too long
    /// ([`Timeouts`](crate::config::Timeouts)). The transaction was rolled back.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        self.inner.kind == Kind::TimedOut
    }

    /// Returns true if the program interrupted an earlier statement, which ended its transaction.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.inner.kind == Kind::Interrupted
    }

    /// Returns true if a worker lost the lease of its job: another worker has the job, or the job has ended. The
    /// transaction was rolled back.
    #[must_use]
    pub fn is_lease_lost(&self) -> bool {
        self.inner.kind == Kind::LeaseLost
    }

    /// Returns true if something must be installed, upgraded or started first: pip, pgvector, PostgreSQL 16, a server.
    #[must_use]
    pub fn is_missing_prerequisite(&self) -> bool {
        self.inner.kind == Kind::MissingPrerequisite
    }

    /// Returns true if the embeddings endpoint failed or returned an invalid response.
    #[must_use]
    pub fn is_embeddings_failure(&self) -> bool {
        self.inner.kind == Kind::Embeddings
    }

    /// Returns true if an operation of the operating system failed on a file, a folder or a program.
    #[must_use]
    pub fn is_io_failure(&self) -> bool {
        self.inner.kind == Kind::Io
    }

    /// Returns true if a row has a value that the types can't read, such as an infinite time. If a scoped query read it, the
    /// [source](StdError::source) is an [`UnreadableRow`].
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.inner.kind == Kind::Unreadable
    }

    /// Returns true if the database rejected a statement, or failed to execute it, for another reason than the ones above.
    #[must_use]
    pub fn is_database_failure(&self) -> bool {
        self.inner.kind == Kind::Database
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        match &self.inner.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("message", &self.inner.message)
            .field("remedy", &self.inner.remedy)
            .field("source", &self.inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_ref().map(|source| &**source as _)
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            let message = format!("the connection to the database was lost: {error}");
            return Self::new(Kind::Unreachable, message).caused_by(error);
        };
        let constraint = said.constraint();
        let (kind, message) = match *said.code() {
            _ if constraint == Some(PREREQUISITE) => (Kind::MissingPrerequisite, said.message().to_owned()),
            _ if constraint == Some(LEASE) => (Kind::LeaseLost, said.message().to_owned()),
            SqlState::UNIQUE_VIOLATION => (Kind::Conflict, same_key(constraint)),
            SqlState::FOREIGN_KEY_VIOLATION => (Kind::NotFound, NO_REFERENCE.to_owned()),
            SqlState::CHECK_VIOLATION => (Kind::InvalidInput, out_of_bounds(constraint)),
            SqlState::CHARACTER_NOT_IN_REPERTOIRE | SqlState::UNTRANSLATABLE_CHARACTER => {
                (Kind::InvalidInput, UNSTORABLE.to_owned())
            }
            _ if takes_too_long(said.message()).is_some() => {
                return Self::timed_out(said.message()).caused_by(error);
            }
            _ if ends_connection(said.message()) => (Kind::Unreachable, ended_by_server(said.message())),
            _ => (Kind::Database, database_says(said.message(), said.hint())),
        };
        Self::new(kind, message).caused_by(error)
    }
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

fn ended_by_server(message: &str) -> String {
    format!("the server ended the connection: {message}")
}

const UNSTORABLE: &str = "a text holds the character U+0000, which PostgreSQL can't store";

/// Returns true if PostgreSQL can't store a character, by its message, as in [`takes_too_long`].
fn is_unstorable(message: &str) -> bool {
    message.starts_with("invalid byte sequence for encoding") || message == "unsupported Unicode escape sequence"
}

const NO_REFERENCE: &str = "a row that this one refers to is not there, or not in this workspace";

fn same_key(constraint: Option<&str>) -> String {
    format!("a row with the same {} exists", constraint.unwrap_or("key"))
}

fn out_of_bounds(constraint: Option<&str>) -> String {
    match constraint.and_then(|name| name.strip_suffix("_readable")) {
        Some(column) => format!(
            "the value for {column} is one that programs can't read: JSON of more than 127 levels or with a number beyond a \
             double, a time that is not of the years 1 to 9999, or an array of several dimensions"
        ),
        None => format!("a value is outside of what {} allows", constraint.unwrap_or("a check")),
    }
}

fn database_says(message: &str, hint: Option<&str>) -> String {
    let read_only =
        "the scope is read-only, or the database is read-only or a replica; let the URL lead to the primary";
    let hint = hint.or(message.ends_with("in a read-only transaction").then_some(read_only));
    let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("the database says: {message}{hint}")
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
                return Self::new(Kind::Unreadable, format!("a value can't be read: {said}"))
                    .remedy("correct it by SQL, or delete the row; `Readable` reads the others")
                    .caused_by(cause);
            }
            error => error,
        };
        let (kind, message) = match &error {
            DieselError::NotFound => (Kind::NotFound, "no such row".to_owned()),
            DieselError::DatabaseError(_, info) if info.constraint_name() == Some(PREREQUISITE) => {
                (Kind::MissingPrerequisite, info.message().to_owned())
            }
            DieselError::DatabaseError(_, info) if info.constraint_name() == Some(LEASE) => {
                (Kind::LeaseLost, info.message().to_owned())
            }
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info) => {
                (Kind::Conflict, same_key(info.constraint_name()))
            }
            DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => {
                (Kind::NotFound, NO_REFERENCE.to_owned())
            }
            DieselError::DatabaseError(DatabaseErrorKind::CheckViolation, info) => {
                (Kind::InvalidInput, out_of_bounds(info.constraint_name()))
            }
            DieselError::DatabaseError(_, info) if takes_too_long(info.message()).is_some() => {
                return Self::timed_out(info.message()).caused_by(error);
            }
            DieselError::DatabaseError(_, info) if ends_connection(info.message()) => {
                (Kind::Unreachable, ended_by_server(info.message()))
            }
            DieselError::DatabaseError(
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
                info,
            ) => (Kind::Unreachable, format!("the connection to the database was lost: {}", info.message())),
            DieselError::DatabaseError(_, info) if is_unstorable(info.message()) => {
                (Kind::InvalidInput, UNSTORABLE.to_owned())
            }
            DieselError::DatabaseError(_, info) => (Kind::Database, database_says(info.message(), info.hint())),
            other => (Kind::Database, format!("the query failed: {other}")),
        };
        Self::new(kind, message).caused_by(error)
    }
}
