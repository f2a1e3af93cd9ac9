//! Table `pictures`.

use diesel::prelude::*;
use workspace_db::chrono::{DateTime, NaiveDate, Utc};
use workspace_db::id::{ConversationId, WorkspaceId};
use workspace_db::serde_json::Value;
use workspace_db::sql_types::{DocumentStatus, Embedding, StatementTime, TextArray};
use workspace_db::tenancy::{Keyset, PageKey};

use crate::registry::PictureId;
use crate::schema::pictures;

/// Pictures that visitors send, and what they look like.
#[derive(Clone, Debug, PartialEq, HasQuery)]
#[diesel(table_name = pictures)]
pub struct Picture {
    /// Identity within the workspace.
    pub id: PictureId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The talk in which it came, if it is kept.
    pub conversation_id: Option<ConversationId>,
    /// The status.
    pub status: DocumentStatus,
    /// What it shows, as an embedding of 1536 dimensions.
    pub look: Embedding,
    /// The words.
    pub words: TextArray,
    /// The metadata.
    pub metadata: Value,
    /// Width in pixels.
    pub width: i32,
    /// Day on which it was taken, where the picture says so.
    pub taken_on: Option<NaiveDate>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
    /// Time of the last change, set by the statement that makes it.
    pub updated_at: DateTime<Utc>,
}

/// A row of `pictures` to insert. It has no workspace: the scope supplies it.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = pictures)]
pub struct NewPicture {
    /// Identity within the workspace.
    pub id: PictureId,
    /// The talk in which it came, if it is kept.
    pub conversation_id: Option<ConversationId>,
    /// The status.
    pub status: DocumentStatus,
    /// What it shows, as an embedding of 1536 dimensions.
    pub look: Embedding,
    /// The words.
    pub words: TextArray,
    /// The metadata.
    pub metadata: Value,
    /// Width in pixels.
    pub width: i32,
    /// Day on which it was taken, where the picture says so.
    pub taken_on: Option<NaiveDate>,
}

impl NewPicture {
    /// Creates the row with a new id, and NULL in the nullable columns.
    #[must_use]
    pub fn new(status: DocumentStatus, look: Embedding, words: TextArray, metadata: Value, width: i32) -> Self {
        Self { id: PictureId::generate(), conversation_id: None, status, look, words, metadata, width, taken_on: None }
    }
}

/// Changes to a row of `pictures`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = pictures)]
pub struct PictureChanges {
    /// The talk in which it came, if it is kept.
    pub conversation_id: Option<Option<ConversationId>>,
    /// The status.
    pub status: Option<DocumentStatus>,
    /// What it shows, as an embedding of 1536 dimensions.
    pub look: Option<Embedding>,
    /// The words.
    pub words: Option<TextArray>,
    /// The metadata.
    pub metadata: Option<Value>,
    /// Width in pixels.
    pub width: Option<i32>,
    /// Day on which it was taken, where the picture says so.
    pub taken_on: Option<Option<NaiveDate>>,
    /// Time of the last change, which every update sets.
    pub updated_at: StatementTime,
}

impl Keyset for Picture {
    fn page_key(&self) -> PageKey {
        PageKey { created_at: self.created_at, id: *self.id.as_uuid() }
    }
}

workspace_db::tenant_rows! {
    pictures: NewPicture, PictureChanges;
}
