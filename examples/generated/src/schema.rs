// @generated automatically by Diesel CLI.

diesel::table! {
    use diesel::sql_types::*;
    use workspace_db::sql_types::*;
    use workspace_db::sql_types::Bit;
    use crate::sql_types::*;

    /// What people write below a picture.
    captions (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The picture.
        picture_id -> Uuid,
        /// Who wrote it, while the account is there.
        author -> Nullable<Uuid>,
        /// The text.
        text -> Text,
        /// Time of insertion.
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use workspace_db::sql_types::*;
    use workspace_db::sql_types::Bit;
    use crate::sql_types::*;

    /// Words that a workspace puts on its documents.
    document_tags (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The document.
        document_id -> Uuid,
        /// The word, in lower case.
        tag -> Text,
        /// Time of insertion.
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use workspace_db::sql_types::*;
    use workspace_db::sql_types::Bit;
    use crate::sql_types::*;

    /// Pictures that visitors send, and what they look like.
    pictures (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The talk in which it came, if it is kept.
        conversation_id -> Nullable<Uuid>,
        /// The status.
        status -> DocumentStatus,
        /// What it shows, as an embedding of 1536 dimensions.
        look -> Vector,
        /// Signs of the components of look, generated from it.
        #[max_length = 1536]
        look_bits -> Bit,
        /// The words.
        words -> Array<Nullable<Text>>,
        /// The metadata.
        metadata -> Jsonb,
        /// Width in pixels.
        width -> Int4,
        /// Day on which it was taken, where the picture says so.
        taken_on -> Nullable<Date>,
        /// Time of insertion.
        created_at -> Timestamptz,
        /// Time of the last change, set by the statement that makes it.
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use workspace_db::sql_types::*;
    use workspace_db::sql_types::Bit;
    use crate::sql_types::*;

    /// People of a group.
    players (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The team.
        team_id -> Uuid,
        /// The name.
        name -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use workspace_db::sql_types::*;
    use workspace_db::sql_types::Bit;
    use crate::sql_types::*;

    /// Reviews of two pictures, side by side.
    reviews (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The review that it answers.
        parent_id -> Nullable<Uuid>,
        /// The before.
        before_id -> Uuid,
        /// The after.
        after_id -> Uuid,
        /// The verdict.
        verdict -> Verdict,
        /// The urgency.
        urgency -> Nullable<Urgency>,
        /// The verdicts.
        verdicts -> Array<Nullable<Verdict>>,
        /// The type.
        #[sql_name = "type"]
        type_ -> Text,
        /// The order.
        order -> Int4,
        /// The text that it searches, as an embedding of 1536 dimensions.
        question -> Nullable<Vector>,
        /// Signs of the components of question, generated from it.
        #[max_length = 1536]
        question_bits -> Nullable<Bit>,
        /// Time of insertion.
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use workspace_db::sql_types::*;
    use workspace_db::sql_types::Bit;
    use crate::sql_types::*;

    /// Groups of people.
    teams (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The lead.
        lead_id -> Nullable<Uuid>,
        /// The name.
        name -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(captions, document_tags, pictures, players, reviews, teams,);
