//! Table `documents`: texts from which a workspace answers.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{DatasourceId, DocumentId, WorkspaceId};
use crate::schema::documents;
use crate::sql_types::{DocumentStatus, StatementTime};

/// Key of a document's metadata for the pipeline that `workspace-db-ingest` used: the version of the splitter and the model
/// of its chunks, separated by a space. A run keeps the keys that are not its own.
pub const INGEST_PIPELINE: &str = "ingest_pipeline";

/// A text from which a workspace answers.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = documents)]
pub struct Document {
    /// Identity within the workspace.
    pub id: DocumentId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The datasource of the document, if any.
    pub datasource_id: Option<DatasourceId>,
    /// Id in the datasource, unique there.
    pub external_id: Option<String>,
    /// Title for people.
    pub title: String,
    /// Name in URLs.
    pub slug: Option<String>,
    /// Summary in a few sentences.
    pub summary: Option<String>,
    /// SHA-256 of the source bytes in hexadecimal, which detects a change.
    pub content_hash: Option<String>,
    /// Anything else, as a JSON object.
    pub metadata: Value,
    /// State; searches find only ready documents.
    pub status: DocumentStatus,
    /// True if public answers may quote it.
    pub is_published: bool,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
}

/// A row of `documents` to insert. It has no workspace: the statement supplies it.
///
/// `None` gives a column its default, or NULL if it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = documents)]
pub struct NewDocument {
    /// Identity within the workspace.
    pub id: DocumentId,
    /// The datasource of the document, if any.
    pub datasource_id: Option<DatasourceId>,
    /// Id in the datasource, unique there.
    pub external_id: Option<String>,
    /// Title for people.
    pub title: String,
    /// Name in URLs.
    pub slug: Option<String>,
    /// Summary in a few sentences.
    pub summary: Option<String>,
    /// SHA-256 of the source bytes in hexadecimal, which detects a change.
    pub content_hash: Option<String>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Value>,
    /// State; searches find only ready documents.
    pub status: Option<DocumentStatus>,
    /// True if public answers may quote it.
    pub is_published: Option<bool>,
}

impl NewDocument {
    /// Returns a row with these values and a new id; all other columns keep their defaults.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            id: DocumentId::generate(),
            title: title.into(),
            datasource_id: None,
            external_id: None,
            slug: None,
            summary: None,
            content_hash: None,
            metadata: None,
            status: None,
            is_published: None,
        }
    }
}

/// Changes to a row of `documents`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = documents)]
pub struct DocumentChanges {
    /// Id in the datasource, unique there.
    pub external_id: Option<Option<String>>,
    /// Title for people.
    pub title: Option<String>,
    /// Name in URLs.
    pub slug: Option<Option<String>>,
    /// Summary in a few sentences.
    pub summary: Option<Option<String>>,
    /// SHA-256 of the source bytes in hexadecimal, which detects a change.
    pub content_hash: Option<Option<String>>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Value>,
    /// State; searches find only ready documents.
    pub status: Option<DocumentStatus>,
    /// True if public answers may quote it.
    pub is_published: Option<bool>,
    /// Time of the last change, which every update sets.
    pub updated_at: StatementTime,
}

crate::tenant_rows! {
    documents: NewDocument, DocumentChanges;
}
