//! The error type of this crate: opaque, with predicates and a source.

mod database;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

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

struct Inner {
    kind: ErrorKind,
    message: String,
    remedy: Option<String>,
    field: Option<Cow<'static, str>>,
    constraint: Option<String>,
    /// True if the program is wrong, and not its input.
    is_misuse: bool,
    /// True if the same work can succeed on another try, because nothing of it was committed.
    is_retryable: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Kind of an [`Error`]. Each kind has a predicate of the error, by which callers distinguish errors.
///
/// It exists to construct errors: an [`Embedder`](crate::embeddings::Embedder) or a crate on top of this one returns
/// this crate's error too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input itself is invalid.
    InvalidInput,
    /// No row has that name or id in this workspace.
    NotFound,
    /// Another row, process or program has the requested key, port or lock.
    Conflict,
    /// Other rows refer to the row that was to be deleted or changed.
    StillReferenced,
    /// A concurrent transaction prevents this one: a serialization failure or a deadlock.
    Serialization,
    /// The database can't be reached or rejected the login.
    Unreachable,
    /// The machine or the server lacks something that must be installed or started.
    MissingPrerequisite,
    /// The embeddings endpoint failed or returned an invalid response.
    Embeddings,
    /// The reranking endpoint failed or returned an invalid response.
    Reranking,
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
    /// Returns an error of that kind. The message names the input and the place.
    ///
    /// ```
    /// use workspace_db::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Embeddings, "the endpoint returned 3 vectors for 4 texts")
    ///     .remedy("choose a model that embeds every text");
    /// assert!(error.is_embeddings_failure());
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the endpoint returned 3 vectors for 4 texts; choose a model that embeds every text"
    /// );
    /// ```
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let inner = Inner {
            kind,
            message: message.into(),
            remedy: None,
            field: None,
            constraint: None,
            is_misuse: false,
            is_retryable: kind == ErrorKind::Serialization,
            source: None,
        };
        Self { inner: Box::new(inner) }
    }

    /// Returns an error for invalid input.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Returns an error for a mistake in the program, such as a query and a connection of two workspaces. It counts as invalid
    /// input, but its text is not for the caller of a service.
    pub(crate) fn misuse(message: impl Into<String>) -> Self {
        let mut error = Self::invalid(message);
        error.inner.is_misuse = true;
        error
    }

    /// Adds what the user can do about it. The text of the error ends with it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.inner.remedy = Some(remedy.into());
        self
    }

    /// Adds the field of the input to the error and its message.
    #[must_use]
    pub fn of_field(mut self, field: &'static str) -> Self {
        self.inner.message = format!("{field}: {}", self.inner.message);
        self.about(field)
    }

    /// Adds the field to the error as [`of_field`](Self::of_field) does, if the message already names the subject.
    #[must_use]
    pub fn about(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.inner.field = Some(field.into());
        self
    }

    /// Adds the constraint that the database named.
    fn violating(mut self, constraint: Option<&str>) -> Self {
        self.inner.constraint = constraint.map(str::to_owned);
        self
    }

    /// States that no COMMIT was sent. After the loss of a connection, the same work can then succeed on another try.
    pub(crate) fn before_commit(mut self) -> Self {
        self.inner.is_retryable |= matches!(self.inner.kind, ErrorKind::Unreachable | ErrorKind::Exhausted);
        self
    }

    /// Adds the cause, which [`source`](StdError::source) returns.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Returns the kind, to construct another error of the same kind. To distinguish errors, call a predicate.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns true if the input itself is invalid, independently of the database.
    #[must_use]
    pub fn is_invalid_input(&self) -> bool {
        self.inner.kind == ErrorKind::InvalidInput
    }

    /// Returns the invalid field of the input, by the name of its column, if it is one field and known. The database names
    /// the column of a missing value, and only the [`constraint`](Self::constraint) of a CHECK.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.inner.field.as_deref()
    }

    /// Returns the constraint that a row violates, such as `documents_pkey`, as the database names it.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        self.inner.constraint.as_deref()
    }

    /// Returns true if the same transaction can succeed when it runs again from its beginning: it was rolled back because of
    /// a concurrent one (SQLSTATE 40001 or 40P01), or the connection was lost before its `COMMIT`, or there was none.
    ///
    /// A connection that is lost during the `COMMIT` is not retryable, because nobody knows if the change was saved. One that
    /// is lost in raw SQL is not retryable either: the error comes from that SQL, and not from this crate.
    /// [`transaction_with`](crate::tenancy::WorkspaceConnection::transaction_with) runs a transaction again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.inner.is_retryable
    }

    /// Returns the HTTP status with which a service can answer.
    ///
    /// | error | status |
    /// |---|---|
    /// | [`is_unauthenticated`](Self::is_unauthenticated) | 401 |
    /// | [`is_forbidden`](Self::is_forbidden), [`is_password_change_required`](Self::is_password_change_required) | 403 |
    /// | [`is_not_found`](Self::is_not_found) | 404 |
    /// | [`is_conflict`](Self::is_conflict), [`is_still_referenced`](Self::is_still_referenced), [`is_lease_lost`](Self::is_lease_lost) | 409 |
    /// | [`is_invalid_input`](Self::is_invalid_input) | 422 |
    /// | [`is_throttled`](Self::is_throttled) | 429 |
    /// | [`is_embeddings_failure`](Self::is_embeddings_failure) | 502 |
    /// | [`is_exhausted`](Self::is_exhausted), [`is_unreachable`](Self::is_unreachable), [`is_retryable`](Self::is_retryable) | 503 |
    /// | [`is_timed_out`](Self::is_timed_out) | 504 |
    /// | any other, and a mistake in the program such as a query of another workspace than its connection | 500 |
    ///
    /// The text of an error from 500 on is for the log: it can name tables and hosts. The texts of the others are written for
    /// the caller.
    ///
    /// ```
    /// use workspace_db::sql_types::LanguageTag;
    ///
    /// assert_eq!("not a tag!".parse::<LanguageTag>().unwrap_err().http_status(), 422);
    /// ```
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match self.inner.kind {
            _ if self.inner.is_misuse => 500,
            ErrorKind::Unauthenticated => 401,
            ErrorKind::Forbidden | ErrorKind::PasswordChange => 403,
            ErrorKind::NotFound => 404,
            ErrorKind::Conflict | ErrorKind::StillReferenced | ErrorKind::LeaseLost => 409,
            ErrorKind::InvalidInput => 422,
            ErrorKind::Throttled => 429,
            ErrorKind::Embeddings | ErrorKind::Reranking => 502,
            ErrorKind::Exhausted | ErrorKind::Unreachable | ErrorKind::Serialization => 503,
            ErrorKind::TimedOut => 504,
            ErrorKind::MissingPrerequisite
            | ErrorKind::Interrupted
            | ErrorKind::Unreadable
            | ErrorKind::Database
            | ErrorKind::Io => 500,
        }
    }

    /// Returns true if a token or a password is invalid, or no longer valid. The error reveals neither the reason nor the
    /// existence of an account.
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        self.inner.kind == ErrorKind::Unauthenticated
    }

    /// Returns true if a known actor lacks the permission. If the actor may not even see the row, the error is
    /// [`is_not_found`](Self::is_not_found) instead.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.inner.kind == ErrorKind::Forbidden
    }

    /// Returns true if there were too many recent attempts from this address.
    #[must_use]
    pub fn is_throttled(&self) -> bool {
        self.inner.kind == ErrorKind::Throttled
    }

    /// Returns true if the password was right and must be changed first.
    #[must_use]
    pub fn is_password_change_required(&self) -> bool {
        self.inner.kind == ErrorKind::PasswordChange
    }

    /// Returns true if nothing of that name or id exists. It is also the error for another workspace's row.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.inner.kind == ErrorKind::NotFound
    }

    /// Returns true if another row, process or program has the requested unique key, port or lock.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.inner.kind == ErrorKind::Conflict
    }

    /// Returns true if other rows refer to the row that was to be deleted, or whose key was to be changed.
    #[must_use]
    pub fn is_still_referenced(&self) -> bool {
        self.inner.kind == ErrorKind::StillReferenced
    }

    /// Returns true if the database can't be reached, or rejected the login.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.inner.kind == ErrorKind::Unreachable
    }

    /// Returns true if no connection of the pool became free before the timeout.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.inner.kind == ErrorKind::Exhausted
    }

    /// Returns true if the database ended a statement, a wait for a lock or an idle transaction that took too long
    /// ([`Timeouts`](crate::config::Timeouts)). The transaction was rolled back.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        self.inner.kind == ErrorKind::TimedOut
    }

    /// Returns true if the program interrupted an earlier statement, which ended its transaction.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.inner.kind == ErrorKind::Interrupted
    }

    /// Returns true if a worker lost the lease of its job: another worker has the job, or the job has ended. The
    /// transaction was rolled back.
    #[must_use]
    pub fn is_lease_lost(&self) -> bool {
        self.inner.kind == ErrorKind::LeaseLost
    }

    /// Returns true if something must be installed, upgraded or started first: pip, pgvector, PostgreSQL 16, a server.
    #[must_use]
    pub fn is_missing_prerequisite(&self) -> bool {
        self.inner.kind == ErrorKind::MissingPrerequisite
    }

    /// Returns true if the embeddings endpoint failed or returned an invalid response.
    #[must_use]
    pub fn is_embeddings_failure(&self) -> bool {
        self.inner.kind == ErrorKind::Embeddings
    }

    /// Returns true if the reranking endpoint failed or returned an invalid response.
    #[must_use]
    pub fn is_reranking_failure(&self) -> bool {
        self.inner.kind == ErrorKind::Reranking
    }

    /// Returns true if an operation of the operating system failed on a file, a folder or a program.
    #[must_use]
    pub fn is_io_failure(&self) -> bool {
        self.inner.kind == ErrorKind::Io
    }

    /// Returns true if a row has a value that the types can't read, such as an infinite time. If a scoped query read it, the
    /// [source](StdError::source) is an [`UnreadableRow`](crate::UnreadableRow).
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.inner.kind == ErrorKind::Unreadable
    }

    /// Returns true if the database rejected a statement, or failed to execute it, for another reason than the ones above.
    #[must_use]
    pub fn is_database_failure(&self) -> bool {
        self.inner.kind == ErrorKind::Database
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
            .field("constraint", &self.inner.constraint)
            .field("source", &self.inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_ref().map(|source| &**source as _)
    }
}
