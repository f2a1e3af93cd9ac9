//! Table `document_tags`.

use diesel::prelude::*;
use workspace_db::chrono::{DateTime, Utc};
use workspace_db::id::{DocumentId, WorkspaceId};
use workspace_db::tenancy::{Keyset, PageKey};

use crate::registry::DocumentTagId;
use crate::schema::document_tags;

/// Words that a workspace puts on its documents.
#[derive(Clone, Debug, PartialEq, HasQuery)]
#[diesel(table_name = document_tags)]
pub struct DocumentTag {
    /// Identity within the workspace.
    pub id: DocumentTagId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The document.
    pub document_id: DocumentId,
    /// The word, in lower case.
    pub tag: String,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}

/// A row of `document_tags` to insert. It has no workspace: the scope supplies it.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = document_tags)]
pub struct NewDocumentTag {
    /// Identity within the workspace.
    pub id: DocumentTagId,
    /// The document.
    pub document_id: DocumentId,
    /// The word, in lower case.
    pub tag: String,
}

impl NewDocumentTag {
    /// Creates the row with a new id, and NULL in the nullable columns.
    #[must_use]
    pub fn new(document_id: DocumentId, tag: String) -> Self {
        Self { id: DocumentTagId::generate(), document_id, tag }
    }
}

/// Changes to a row of `document_tags`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so Diesel rejects a changeset in which every field is `None`.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = document_tags)]
pub struct DocumentTagChanges {
    /// The document.
    pub document_id: Option<DocumentId>,
    /// The word, in lower case.
    pub tag: Option<String>,
}

impl Keyset for DocumentTag {
    fn page_key(&self) -> PageKey {
        PageKey { created_at: self.created_at, id: *self.id.as_uuid() }
    }
}

workspace_db::tenant_rows! {
    document_tags: NewDocumentTag, DocumentTagChanges;
}
