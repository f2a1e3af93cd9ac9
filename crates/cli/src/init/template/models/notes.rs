//! Table `notes`.

use diesel::prelude::*;
use workspace_db::chrono::{DateTime, Utc};
use workspace_db::id::{DocumentId, WorkspaceId};

use crate::registry::NoteId;
use crate::schema::notes;

/// Notes that people write beside a document.
#[derive(Clone, Debug, PartialEq, HasQuery)]
#[diesel(table_name = notes)]
pub struct Note {
    /// Identity within the workspace.
    pub id: NoteId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The document.
    pub document_id: DocumentId,
    /// The text of the note.
    pub text: String,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}

/// A row of `notes` to insert. It has no workspace: the scope supplies it.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = notes)]
pub struct NewNote {
    /// Identity within the workspace.
    pub id: NoteId,
    /// The document.
    pub document_id: DocumentId,
    /// The text of the note.
    pub text: String,
}

impl NewNote {
    /// Creates the row with a new id.
    #[must_use]
    pub fn new(document_id: DocumentId, text: impl Into<String>) -> Self {
        Self { id: NoteId::generate(), document_id, text: text.into() }
    }
}

/// Changes to a row of `notes`; `None` leaves a column unchanged.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = notes)]
pub struct NoteChanges {
    /// The document.
    pub document_id: Option<DocumentId>,
    /// The text of the note.
    pub text: Option<String>,
}

workspace_db::tenant_rows! {
    notes: NewNote, NoteChanges;
}
