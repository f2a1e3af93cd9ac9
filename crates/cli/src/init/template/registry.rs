//! The tenant tables of this crate: their ids, their registration, and the relations between them.

use workspace_db::schema::documents;

use crate::schema::*;

workspace_db::typed_ids! {
    /// Names a row of `notes` within its workspace.
    pub NoteId, "a note";
}

workspace_db::tenant_tables! {
    notes: NoteId,
}

workspace_db::relations! {
    notes.document_id => documents;
}
