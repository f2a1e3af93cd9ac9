//! Table `documents`: texts that a workspace answers from.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::id::{DatasourceId, DocumentId, WorkspaceId};
use crate::schema::documents;
use crate::sql_types::{DocumentStatus, StatementTime};

/// Key of a document's metadata, for what [`ingest`](crate::ingest) made of its file: the version of the splitter and the
/// model of its passages, with a space between them. Keys that are not a run's own stay.
pub(crate) const INGEST_PIPELINE: &str = "ingest_pipeline";

/// A text that a workspace answers from.
#[derive(Clone, Debug, PartialEq, HasQuery, Serialize)]
#[diesel(table_name = documents)]
pub struct Document {
    /// Identity within the workspace.
    pub id: DocumentId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The datasource that brought it, if one did.
    pub datasource_id: Option<DatasourceId>,
    /// Its name in the datasource, unique there.
    pub external_id: Option<String>,
    /// Title for people.
    pub title: String,
    /// Name in addresses.
    pub slug: Option<String>,
    /// A few sentences on what is in it.
    pub summary: Option<String>,
    /// SHA-256 of the source bytes in hexadecimal, by which a change is noticed.
    pub content_hash: Option<String>,
    /// Anything else, as a JSON object.
    pub metadata: Value,
    /// Stage; only a ready document is searched.
    pub status: DocumentStatus,
    /// Whether the public side may quote it.
    pub is_published: bool,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
}

/// A row of `documents` to insert. The workspace is not in it: the statement supplies it.
///
/// `None` leaves a column to its default, or to NULL where it has none.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = documents)]
pub struct NewDocument {
    /// Identity within the workspace.
    pub id: DocumentId,
    /// The datasource that brought it, if one did.
    pub datasource_id: Option<DatasourceId>,
    /// Its name in the datasource, unique there.
    pub external_id: Option<String>,
    /// Title for people.
    pub title: String,
    /// Name in addresses.
    pub slug: Option<String>,
    /// A few sentences on what is in it.
    pub summary: Option<String>,
    /// SHA-256 of the source bytes in hexadecimal, by which a change is noticed.
    pub content_hash: Option<String>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Value>,
    /// Stage; only a ready document is searched.
    pub status: Option<DocumentStatus>,
    /// Whether the public side may quote it.
    pub is_published: Option<bool>,
}

impl NewDocument {
    /// What is needed; everything else has its default, and the id is fresh.
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

/// What may change in a row of `documents`; `None` leaves a column as it is, `Some(None)` sets it to NULL.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = documents)]
pub struct DocumentChanges {
    /// Its name in the datasource, unique there.
    pub external_id: Option<Option<String>>,
    /// Title for people.
    pub title: Option<String>,
    /// Name in addresses.
    pub slug: Option<Option<String>>,
    /// A few sentences on what is in it.
    pub summary: Option<Option<String>>,
    /// SHA-256 of the source bytes in hexadecimal, by which a change is noticed.
    pub content_hash: Option<Option<String>>,
    /// Anything else, as a JSON object.
    pub metadata: Option<Value>,
    /// Stage; only a ready document is searched.
    pub status: Option<DocumentStatus>,
    /// Whether the public side may quote it.
    pub is_published: Option<bool>,
    /// Time of the last change: the statement's own, always.
    pub updated_at: StatementTime,
}

crate::tenant_rows! {
    documents: NewDocument, DocumentChanges;
}
