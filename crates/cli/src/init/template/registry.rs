//! The tenant tables of this crate: their ids, their registration, and the relations between them.

#[allow(unused_imports, reason = "the relations decide which tables are named")]
use workspace_db::schema::*;

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
