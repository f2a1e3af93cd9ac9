//! Rows with a value that the types can't read: the row, and the column of the value.
//!
//! PostgreSQL stores JSON that is nested more deeply and numbers that are larger than `serde_json` reads, and times before
//! and after those of `chrono`. The tables' CHECKs reject such values. If a row has one nevertheless, the other rows are
//! read, and an error names this row.

use std::error::Error as StdError;
use std::fmt;

use diesel::pg::Pg;
use diesel::result::DeserializeFieldError;
use diesel::row::{Field as _, Row};
use diesel::sql_types::Uuid as SqlUuid;
use serde::Serialize;
use uuid::Uuid;

/// A row of a result that can't be read, and the reason.
///
/// ```
/// # fn example(error: &workspace_db::Error) {
/// use std::error::Error as _;
/// use workspace_db::UnreadableRow;
///
/// if let Some(row) = error.source().and_then(|source| source.downcast_ref::<UnreadableRow>()) {
///     println!("{:?} of workspace {:?}: {}", row.id(), row.workspace(), row.why());
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadableRow {
    workspace_id: Option<Uuid>,
    id: Option<Uuid>,
    #[serde(rename = "unreadable")]
    why: String,
    /// Lease token of a claimed job.
    #[serde(skip)]
    lease_token: Option<Uuid>,
}

impl UnreadableRow {
    pub(crate) fn new<'a>(row: &impl Row<'a, Pg>, error: &(dyn StdError + Send + Sync + 'static)) -> Self {
        let key = |column: &str| {
            let field = row.get(column)?;
            let value = field.value()?;
            <Uuid as diesel::deserialize::FromSql<SqlUuid, Pg>>::from_sql(value).ok()
        };
        Self {
            workspace_id: key("workspace_id"),
            id: key("id"),
            why: why_unreadable(error),
            lease_token: key("lease_token"),
        }
    }

    /// Returns the value of the column `id`, if the query selects it and it is a UUID.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        self.id
    }

    /// Returns the value of the column `workspace_id`, if the query selects it.
    #[must_use]
    pub fn workspace(&self) -> Option<Uuid> {
        self.workspace_id
    }

    pub(crate) fn lease_token(&self) -> Option<Uuid> {
        self.lease_token
    }

    /// Returns the column and the reason, without the value itself.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }
}

/// Returns the column and the reason, as Diesel reports them.
pub(crate) fn why_unreadable(error: &(dyn StdError + Send + Sync + 'static)) -> String {
    match error.downcast_ref::<DeserializeFieldError>() {
        Some(DeserializeFieldError { field_name: Some(column), error, .. }) => format!("column {column}: {error}"),
        Some(field) => field.error.to_string(),
        None => error.to_string(),
    }
}

impl fmt::Display for UnreadableRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.id, self.workspace_id) {
            (Some(id), Some(workspace)) => write!(f, "row {id} of workspace {workspace}: {}", self.why),
            (Some(id), None) => write!(f, "row {id}: {}", self.why),
            (None, Some(workspace)) => write!(f, "a row of workspace {workspace}: {}", self.why),
            (None, None) => write!(f, "a row whose id was not selected: {}", self.why),
        }
    }
}

impl StdError for UnreadableRow {}

/// A row, or the reason why it can't be read: one unreadable row does not hide the others of a list.
pub type Readable<T> = Result<T, UnreadableRow>;
