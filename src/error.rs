//! The one error of this crate: opaque, with predicates and a kept source.

use std::error::Error as StdError;
use std::fmt;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use tokio_postgres::error::SqlState;

use crate::unreadable::{UnreadableRow, why_unreadable};

/// What went wrong, where, and what to do about it.
///
/// The text names the input and the remedy; [`source`](StdError::source) keeps the cause. Ask a predicate instead of
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

/// What the functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The constraint name that a migration raises when the server lacks something.
const PREREQUISITE: &str = "workspace_db_prerequisite";

/// The one that `workspace_db_hold_lease` raises.
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
    /// The input itself can't be right.
    InvalidInput,
    /// Nothing of that name or id, in this workspace.
    NotFound,
    /// Another row, process or program holds what was asked for.
    Conflict,
    /// The database can't be reached or refused the login.
    Unreachable,
    /// The machine or the server lacks something that must be installed or started.
    MissingPrerequisite,
    /// The embeddings endpoint failed or answered nonsense.
    Embeddings,
    /// Nobody, or nobody any more, by that token or password.
    Unauthenticated,
    /// Somebody, who may not do this here.
    Forbidden,
    /// Too many attempts of late.
    Throttled,
    /// Nothing but a change of password is allowed.
    PasswordChange,
    /// Every connection of the pool is in use.
    Exhausted,
    /// The database ended a statement, a wait or an idle transaction that took too long.
    TimedOut,
    /// A statement or transaction was cut short by the program itself.
    Interrupted,
    /// A worker has lost the lease of its job.
    LeaseLost,
    /// A row holds a value that the types can't read.
    Unreadable,
    /// The database refused or failed a statement.
    Database,
    /// The operating system refused.
    Io,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { inner: Box::new(Inner { kind, message: message.into(), remedy: None, field: None, source: None }) }
    }

    /// The database ended what took too long, as it says.
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

    /// Says which field of the input is meant.
    pub(crate) fn of_field(mut self, field: &'static str) -> Self {
        self.inner.message = format!("{field}: {}", self.inner.message);
        self.about(field)
    }

    /// As [`of_field`](Self::of_field), where the message says already what it is about.
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

    /// Whether the input itself can't be right, whatever the database holds.
    #[must_use]
    pub fn is_invalid_input(&self) -> bool {
        self.inner.kind == Kind::InvalidInput
    }

    /// The field of the input that can't be right, where it is one field, by the name of its column.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        self.inner.field
    }

    /// Whether a token or a password is no (longer) good. Why, and whether there is such an account, is not told.
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        self.inner.kind == Kind::Unauthenticated
    }

    /// Whether somebody who is known here may not do this. What they may not even see is not found instead.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.inner.kind == Kind::Forbidden
    }

    /// Whether there were too many attempts of late from this address.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.inner.kind == Kind::Throttled
    }

    /// Whether the password was right and must be changed before anything else.
    #[must_use]
    pub fn is_password_change_required(&self) -> bool {
        self.inner.kind == Kind::PasswordChange
    }

    /// Whether nothing of that name or id exists. Another workspace's row answers this too.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.inner.kind == Kind::NotFound
    }

    /// Whether another row, process or program holds what was asked for: a unique key, a port, a lock.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.inner.kind == Kind::Conflict
    }

    /// Whether the database can't be reached, or refused the login.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.inner.kind == Kind::Unreachable
    }

    /// Whether every connection of the pool stayed in use for as long as one may wait.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.inner.kind == Kind::Exhausted
    }

    /// Whether the database ended what took too long: a statement, a wait for a lock, a transaction that stood idle
    /// ([`Timeouts`](crate::config::Timeouts)). Nothing of the transaction was kept.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        self.inner.kind == Kind::TimedOut
    }

    /// Whether a statement before this one was cut short by the program, which ended its transaction.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.inner.kind == Kind::Interrupted
    }

    /// Whether the work was a job's whose lease is over: another worker has the job by now, or it has ended. Nothing of the
    /// transaction was kept.
    #[must_use]
    pub fn is_lease_lost(&self) -> bool {
        self.inner.kind == Kind::LeaseLost
    }

    /// Whether something must be installed, upgraded or started first: pip, pgvector, PostgreSQL 16, a server.
    #[must_use]
    pub fn is_missing_prerequisite(&self) -> bool {
        self.inner.kind == Kind::MissingPrerequisite
    }

    /// Whether the embeddings endpoint failed or answered nonsense.
    #[must_use]
    pub fn is_embeddings_failure(&self) -> bool {
        self.inner.kind == Kind::Embeddings
    }

    /// Whether the operating system refused: a file, a folder, a program.
    #[must_use]
    pub fn is_io_failure(&self) -> bool {
        self.inner.kind == Kind::Io
    }

    /// Whether a row holds a value that the types can't read, such as a time without end; the
    /// [source](StdError::source) is an [`UnreadableRow`], where a scoped query met it.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.inner.kind == Kind::Unreadable
    }

    /// Whether the database refused or failed a statement for another reason than the ones above.
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

/// The setting whose time is over, by PostgreSQL's own words. Diesel keeps the SQLSTATE to itself.
fn takes_too_long(message: &str) -> Option<&'static str> {
    const LIMITS: [(&str, &str); 4] = [
        ("canceling statement due to statement timeout", "WORKSPACE_DB_STATEMENT_TIMEOUT"),
        ("canceling statement due to lock timeout", "WORKSPACE_DB_LOCK_TIMEOUT"),
        ("terminating connection due to idle-in-transaction timeout", "WORKSPACE_DB_IDLE_TIMEOUT"),
        ("terminating connection due to transaction timeout", "the server's setting transaction_timeout"),
    ];
    LIMITS.iter().find(|(said, _)| message.contains(said)).map(|(_, setting)| *setting)
}

/// Returns true if the server ended the connection for a reason of its own. It goes by PostgreSQL's words, as [`takes_too_long`].
fn ends_connection(message: &str) -> bool {
    message.starts_with("terminating connection ") || message.starts_with("the database system is ")
}

fn ended_by_server(message: &str) -> String {
    format!("the server ended the connection: {message}")
}

const UNSTORABLE: &str = "a text holds the character U+0000, which PostgreSQL can't store";

/// By PostgreSQL's own words, as [`takes_too_long`].
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
            // What a query's own parts refuse, while its SQL is written.
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
