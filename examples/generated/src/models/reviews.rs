//! Table `reviews`.

use diesel::prelude::*;
use workspace_db::chrono::{DateTime, Utc};
use workspace_db::id::WorkspaceId;
use workspace_db::sql_types::Embedding;
use workspace_db::tenancy::{Keyset, PageKey};

use crate::registry::{PictureId, ReviewId};
use crate::schema::reviews;
use crate::sql_types::{Urgency, Verdict};

/// Reviews of two pictures, side by side.
#[derive(Clone, Debug, PartialEq, HasQuery)]
#[diesel(table_name = reviews)]
pub struct Review {
    /// Identity within the workspace.
    pub id: ReviewId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The review that it answers.
    pub parent_id: Option<ReviewId>,
    /// The before.
    pub before_id: PictureId,
    /// The after.
    pub after_id: PictureId,
    /// The verdict.
    pub verdict: Verdict,
    /// The urgency.
    pub urgency: Option<Urgency>,
    /// The verdicts.
    pub verdicts: Vec<Option<Verdict>>,
    /// The type.
    pub type_: String,
    /// The order.
    pub order: i32,
    /// The text that it searches, as an embedding of 1536 dimensions.
    pub question: Option<Embedding>,
    /// Time of insertion.
    pub created_at: DateTime<Utc>,
}

/// A row of `reviews` to insert. It has no workspace: the scope supplies it.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = reviews)]
pub struct NewReview {
    /// Identity within the workspace.
    pub id: ReviewId,
    /// The review that it answers.
    pub parent_id: Option<ReviewId>,
    /// The before.
    pub before_id: PictureId,
    /// The after.
    pub after_id: PictureId,
    /// The verdict.
    pub verdict: Verdict,
    /// The urgency.
    pub urgency: Option<Urgency>,
    /// The verdicts.
    pub verdicts: Vec<Option<Verdict>>,
    /// The type.
    pub type_: String,
    /// The order.
    pub order: i32,
    /// The text that it searches, as an embedding of 1536 dimensions.
    pub question: Option<Embedding>,
}

impl NewReview {
    /// Creates the row with a new id, and NULL in the nullable columns.
    #[must_use]
    pub fn new(
        before_id: PictureId,
        after_id: PictureId,
        verdict: Verdict,
        verdicts: Vec<Option<Verdict>>,
        type_: String,
        order: i32,
    ) -> Self {
        Self {
            id: ReviewId::generate(),
            parent_id: None,
            before_id,
            after_id,
            verdict,
            urgency: None,
            verdicts,
            type_,
            order,
            question: None,
        }
    }
}

/// Changes to a row of `reviews`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.
///
/// The table has no `updated_at`, so Diesel rejects a changeset in which every field is `None`.
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = reviews)]
pub struct ReviewChanges {
    /// The review that it answers.
    pub parent_id: Option<Option<ReviewId>>,
    /// The before.
    pub before_id: Option<PictureId>,
    /// The after.
    pub after_id: Option<PictureId>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// The urgency.
    pub urgency: Option<Option<Urgency>>,
    /// The verdicts.
    pub verdicts: Option<Vec<Option<Verdict>>>,
    /// The type.
    pub type_: Option<String>,
    /// The order.
    pub order: Option<i32>,
    /// The text that it searches, as an embedding of 1536 dimensions.
    pub question: Option<Option<Embedding>>,
}

impl Keyset for Review {
    fn page_key(&self) -> PageKey {
        PageKey { created_at: self.created_at, id: *self.id.as_uuid() }
    }
}

workspace_db::tenant_rows! {
    reviews: NewReview, ReviewChanges;
}
