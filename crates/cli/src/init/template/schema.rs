// @generated automatically by Diesel CLI.

diesel::table! {
    use diesel::sql_types::*;
    use workspace_db::sql_types::*;
    use workspace_db::sql_types::Bit;

    /// Notes that people write beside a document.
    notes (workspace_id, id) {
        /// Identity within the workspace.
        id -> Uuid,
        /// The workspace.
        workspace_id -> Uuid,
        /// The document.
        document_id -> Uuid,
        /// The text of the note.
        text -> Text,
        /// Time of insertion.
        created_at -> Timestamptz,
    }
}
