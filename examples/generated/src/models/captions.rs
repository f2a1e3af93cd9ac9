//! Table `captions`.

use diesel::prelude::*;
use workspace_db::chrono::{DateTime, Utc};
use workspace_db::id::{AdminUserId, WorkspaceId};
use workspace_db::tenancy::{Keyset, PageKey};

use crate::registry::{CaptionId, PictureId};
use crate::schema::captions;

/// What people write below a picture.
#[derive(Clone, Debug, PartialEq, HasQuery)]
#[diesel(table_name = captions)]
pub struct Caption {
    /// Identity within the workspace.
    pub id: CaptionId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The picture.
    pub picture_id: PictureId,
    /// Who wrote it, while the account is there.
    pub author: Option<AdminUserId>,
    /// The text.
    pub text: String,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}

/// A row of `captions` to insert. It has no workspace: the scope supplies it.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = captions)]
pub struct NewCaption {
    /// Identity within the workspace.
    pub id: CaptionId,
    /// The picture.
    pub picture_id: PictureId,
    /// Who wrote it, while the account is there.
    pub author: Option<AdminUserId>,
    /// The text.
    pub text: String,
}

impl NewCaption {
    /// Creates the row with a new id, and NULL in the nullable columns.
    #[must_use]
    pub fn new(picture_id: PictureId, text: String) -> Self {
        Self { id: CaptionId::generate(), picture_id, author: None, text }
    }
}

/// Changes to a row of `captions`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so Diesel rejects a changeset in which every field is `None`.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = captions)]
pub struct CaptionChanges {
    /// The picture.
    pub picture_id: Option<PictureId>,
    /// Who wrote it, while the account is there.
    pub author: Option<Option<AdminUserId>>,
    /// The text.
    pub text: Option<String>,
}

impl Keyset for Caption {
    fn page_key(&self) -> PageKey {
        PageKey { created_at: self.created_at, id: *self.id.as_uuid() }
    }
}

workspace_db::tenant_rows! {
    captions: NewCaption, CaptionChanges;
}
