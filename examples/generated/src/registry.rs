//! The tenants' tables of this crate: their ids, their registration, and the relations between them.

#[allow(unused_imports, reason = "which of them is named depends on the relations")]
use workspace_db::schema::*;

use crate::schema::*;

workspace_db::typed_ids! {
    /// Names a row of `document_tags` within its workspace.
    pub DocumentTagId, "a document tag";
    /// Names a row of `pictures` within its workspace.
    pub PictureId, "a picture";
    /// Names a row of `captions` within its workspace.
    pub CaptionId, "a caption";
}

workspace_db::tenant_tables! {
    captions: CaptionId,
    document_tags: DocumentTagId,
    pictures: PictureId,
}

workspace_db::relations! {
    captions.picture_id => pictures;
    document_tags.document_id => documents;
    pictures.conversation_id => conversations;
}
workspace_db::appear_together!(document_tags: documents);
workspace_db::appear_together!(pictures: conversations);
