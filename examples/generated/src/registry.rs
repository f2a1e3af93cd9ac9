//! The tenant tables of this crate: their ids, their registration, and the relations between them.

use workspace_db::schema::{conversations, documents};

use crate::schema::*;

workspace_db::typed_ids! {
    /// Names a row of `document_tags` within its workspace.
    pub DocumentTagId, "a document tag";
    /// Names a row of `pictures` within its workspace.
    pub PictureId, "a picture";
    /// Names a row of `captions` within its workspace.
    pub CaptionId, "a caption";
    /// Names a row of `reviews` within its workspace.
    pub ReviewId, "a review";
    /// Names a row of `teams` within its workspace.
    pub TeamId, "a team";
    /// Names a row of `players` within its workspace.
    pub PlayerId, "a player";
}

workspace_db::tenant_tables! {
    captions: CaptionId,
    document_tags: DocumentTagId,
    pictures: PictureId,
    players: PlayerId,
    reviews: ReviewId,
    teams: TeamId,
}

workspace_db::relations! {
    captions.picture_id => pictures;
    document_tags.document_id => documents;
    pictures.conversation_id => conversations;
    players.team_id => teams as PlayerTeam;
    reviews.after_id => pictures as ReviewAfter;
    reviews.before_id => pictures as ReviewBefore;
    reviews.parent_id => reviews as ReviewParent;
    teams.lead_id => players;
}

workspace_db::vector_columns! {
    pictures.look: 1536;
}

diesel::alias! {
    pub const player_team: Alias<PlayerTeam> = teams as player_team;
    pub const review_after: Alias<ReviewAfter> = pictures as review_after;
    pub const review_before: Alias<ReviewBefore> = pictures as review_before;
    pub const review_parent: Alias<ReviewParent> = reviews as review_parent;
}
