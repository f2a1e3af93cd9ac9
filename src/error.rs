//! The one error of this crate: opaque, with predicates and a kept source.

use std::error::Error as StdError;
use std::fmt;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

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

struct Inner {
    kind: Kind,
    message: String,
    remedy: Option<String>,
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
    /// Every connection of the pool is in use.
    Exhausted,
    /// A statement or transaction was cut short by the program itself.
    Interrupted,
    /// The database refused or failed a statement.
    Database,
    /// The operating system refused.
    #[cfg(any(feature = "embedded", feature = "ingest"))]
    Io,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { inner: Box::new(Inner { kind, message: message.into(), remedy: None, source: None }) }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::InvalidInput, message)
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.inner.remedy = Some(remedy.into());
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

    /// Whether a statement before this one was cut short by the program, which ended its transaction.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.inner.kind == Kind::Interrupted
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
    #[cfg(any(feature = "embedded", feature = "ingest"))]
    #[must_use]
    pub fn is_io_failure(&self) -> bool {
        self.inner.kind == Kind::Io
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

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        let error = match error {
            // What a query's own parts refuse, while its SQL is written.
            DieselError::QueryBuilderError(cause) => match cause.downcast::<Self>() {
                Ok(own) => return *own,
                Err(cause) => DieselError::QueryBuilderError(cause),
            },
            error => error,
        };
        let (kind, message) = match &error {
            DieselError::NotFound => (Kind::NotFound, "no such row".to_owned()),
            DieselError::DatabaseError(_, info) if info.constraint_name() == Some(PREREQUISITE) => {
                (Kind::MissingPrerequisite, info.message().to_owned())
            }
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info) => {
                (Kind::Conflict, format!("a row with the same {} exists", info.constraint_name().unwrap_or("key")))
            }
            DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => {
                (Kind::NotFound, "a row that this one refers to is not there, or not in this workspace".to_owned())
            }
            DieselError::DatabaseError(DatabaseErrorKind::CheckViolation, info) => (
                Kind::InvalidInput,
                format!("a value is outside of what {} allows", info.constraint_name().unwrap_or("a check")),
            ),
            DieselError::DatabaseError(
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
                info,
            ) => (Kind::Unreachable, format!("the connection to the database was lost: {}", info.message())),
            DieselError::DatabaseError(_, info) => {
                let hint = info.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
                (Kind::Database, format!("the database says: {}{hint}", info.message()))
            }
            other => (Kind::Database, format!("the query failed: {other}")),
        };
        Self::new(kind, message).caused_by(error)
    }
}
