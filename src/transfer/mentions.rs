//! Conditions for texts that mention a person.

use super::person::PERSON;
use crate::id::WorkspaceId;

/// Setting that contains further texts that name the person, as a JSON array.
pub(super) const MENTIONS: &str = "workspace_db.mentions";

/// Length from which a person's id is told from other words within a text.
const LONG_ID: usize = 8;

/// Texts of a job.
pub(super) const JOB_WORDS: &str = "concat_ws(' ', payload::text, result::text, errors::text, last_error, unique_key)";
/// Texts of a schedule.
pub(super) const SCHEDULE_WORDS: &str = "concat_ws(' ', name, payload::text)";

/// Returns the condition that the SQL expression `words` mentions the person that the transaction has set: the person's id as a JSON
/// string or, if it is long, anywhere; the id of a conversation or message of the person; or one of the further texts.
pub(super) fn mentions_person(words: &str, workspace: WorkspaceId) -> String {
    let person = format!("current_setting('{PERSON}')");
    format!(
        "EXISTS (SELECT FROM (SELECT {words} AS words) AS of_row WHERE
            position(to_json({person})::text IN words) > 0
            OR char_length({person}) >= {LONG_ID} AND position({person} IN words) > 0
            OR EXISTS (SELECT FROM jsonb_array_elements_text(current_setting('{MENTIONS}')::jsonb) AS mention (name)
                WHERE position(lower(name) IN lower(words)) > 0
                    OR position(lower(btrim(to_json(name)::text, '\"')) IN lower(words)) > 0)
            OR EXISTS (SELECT FROM regexp_matches(words, '[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}', 'gi') AS found (id)
                JOIN conversations AS talk ON talk.workspace_id = '{workspace}' AND talk.external_user_id = {person}
                    AND talk.id = coalesce((SELECT m.conversation_id FROM messages AS m
                        WHERE m.workspace_id = '{workspace}' AND m.id = found.id[1]::uuid), found.id[1]::uuid)))"
    )
}
