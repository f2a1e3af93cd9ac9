//! Table `datasources`: sources of a workspace's documents.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::error::Result;
use crate::id::{DatasourceId, WorkspaceId};
use crate::schema::datasources;
use crate::sql_types::{DatasourceSyncStatus, DatasourceType, StatementTime};
use crate::tenancy::{InWorkspace as _, WorkspaceConnection};

/// A source of documents.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = datasources)]
pub struct Datasource {
    /// Identity within the workspace.
    pub id: DatasourceId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Name for people.
    pub name: String,
    /// Description of its content.
    pub description: Option<String>,
    /// Kind of source.
    pub type_: DatasourceType,
    /// Settings of the source, as a JSON object without secrets.
    pub config: Value,
    /// State of the last synchronization.
    pub sync_status: DatasourceSyncStatus,
    /// Position at which the next synchronization resumes.
    pub sync_cursor: Option<String>,
    /// Error of the last synchronization.
    pub error_message: Option<String>,
    /// True if the platform synchronizes it automatically.
    pub is_managed: bool,
    /// Time of the last completed synchronization.
    pub last_synced_at: Option<DateTime<Utc>>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
}

/// A row of `datasources` to insert. It has no workspace: the statement supplies it.
///
/// `None` gives a column its default, or NULL if it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = datasources)]
pub struct NewDatasource {
    /// Identity within the workspace.
    pub id: DatasourceId,
    /// Name for people.
    pub name: String,
    /// Description of its content.
    pub description: Option<String>,
    /// Kind of source.
    pub type_: DatasourceType,
    /// Settings of the source, as a JSON object without secrets.
    pub config: Option<Value>,
    /// State of the last synchronization.
    pub sync_status: Option<DatasourceSyncStatus>,
    /// Position at which the next synchronization resumes.
    pub sync_cursor: Option<String>,
    /// Error of the last synchronization.
    pub error_message: Option<String>,
    /// True if the platform synchronizes it automatically.
    pub is_managed: Option<bool>,
    /// Time of the last completed synchronization.
    pub last_synced_at: Option<DateTime<Utc>>,
}

impl NewDatasource {
    /// Returns a row with these values and a new id; all other columns keep their defaults.
    #[must_use]
    pub fn new(name: impl Into<String>, type_: DatasourceType) -> Self {
        Self {
            id: DatasourceId::generate(),
            name: name.into(),
            type_,
            description: None,
            config: None,
            sync_status: None,
            sync_cursor: None,
            error_message: None,
            is_managed: None,
            last_synced_at: None,
        }
    }

    /// Returns the same, with an id that is derived from the workspace and the name. The same name in the same workspace is
    /// the same datasource, even if two callers insert it at once.
    ///
    /// ```
    /// use workspace_db::id::WorkspaceId;
    /// use workspace_db::models::NewDatasource;
    /// use workspace_db::sql_types::DatasourceType;
    ///
    /// let workspace = WorkspaceId::generate();
    /// let [one, other] = [(); 2].map(|()| NewDatasource::named(workspace, "crm", DatasourceType::Api));
    /// assert_eq!(one.id, other.id);
    /// assert_ne!(one.id, NewDatasource::named(WorkspaceId::generate(), "crm", DatasourceType::Api).id);
    /// ```
    #[must_use]
    pub fn named(workspace: WorkspaceId, name: impl Into<String>, type_: DatasourceType) -> Self {
        let new = Self::new(name, type_);
        let mut hasher = Sha256::new();
        hasher.update(workspace.as_uuid().as_bytes());
        hasher.update(new.name.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(hasher.finalize().split_at(16).0);
        Self { id: Uuid::new_v8(bytes).into(), ..new }
    }

    /// Inserts it into the connection's workspace unless its id exists, and returns the id.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](crate::Error::is_unreachable), [`is_database_failure`](crate::Error::is_database_failure).
    pub async fn find_or_insert(&self, ws: &mut WorkspaceConnection) -> Result<DatasourceId> {
        datasources::table
            .in_workspace(&ws)
            .insert(self)
            .on_conflict((datasources::workspace_id, datasources::id))
            .do_nothing()
            .execute(ws)
            .await?;
        Ok(self.id)
    }
}

/// Changes to a row of `datasources`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = datasources)]
pub struct DatasourceChanges {
    /// Name for people.
    pub name: Option<String>,
    /// Description of its content.
    pub description: Option<Option<String>>,
    /// Kind of source.
    pub type_: Option<DatasourceType>,
    /// Settings of the source, as a JSON object without secrets.
    pub config: Option<Value>,
    /// State of the last synchronization.
    pub sync_status: Option<DatasourceSyncStatus>,
    /// Position at which the next synchronization resumes.
    pub sync_cursor: Option<Option<String>>,
    /// Error of the last synchronization.
    pub error_message: Option<Option<String>>,
    /// True if the platform synchronizes it automatically.
    pub is_managed: Option<bool>,
    /// Time of the last completed synchronization.
    pub last_synced_at: Option<Option<DateTime<Utc>>>,
    /// Time of the last change, which every update sets.
    pub updated_at: StatementTime,
}

impl DatasourceChanges {
    /// Returns the changes for a synchronization that starts.
    #[must_use]
    pub fn running() -> Self {
        Self { sync_status: Some(DatasourceSyncStatus::Running), ..Self::default() }
    }

    /// Returns the changes for a synchronization that ended, successfully or with this error.
    #[must_use]
    pub fn ended(failure: Option<&crate::Error>) -> Self {
        match failure {
            Some(error) => Self {
                sync_status: Some(DatasourceSyncStatus::Failed),
                error_message: Some(Some(error.to_string())),
                ..Self::default()
            },
            None => Self {
                sync_status: Some(DatasourceSyncStatus::Completed),
                error_message: Some(None),
                last_synced_at: Some(Some(Utc::now())),
                ..Self::default()
            },
        }
    }
}

crate::tenant_rows! {
    datasources: NewDatasource, DatasourceChanges;
}
