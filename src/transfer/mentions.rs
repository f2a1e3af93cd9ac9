//! Conditions for rows whose texts mention a person.

use super::person::PERSON;
use crate::id::WorkspaceId;

/// Setting that contains further texts that name the person, as a JSON array.
pub(super) const MENTIONS: &str = "workspace_db.mentions";

/// Length from which a person's id is told from the other words of a text.
const LONG_ID: usize = 8;

/// JSON and texts of a table's rows, as SQL expressions.
pub(super) struct Texts {
    pub(super) json: &'static str,
    pub(super) words: &'static str,
}

/// Texts of a job.
pub(super) const OF_JOB: Texts =
    Texts { json: "jsonb_build_array(payload, result, errors)", words: "ARRAY[last_error, unique_key]" };
/// Texts of a schedule.
pub(super) const OF_SCHEDULE: Texts = Texts { json: "payload", words: "ARRAY[name]" };

/// Returns the condition that a row mentions the person that the transaction has set. Case does not matter.
///
/// - A text or number is the person's id, or contains the id in quotation marks, as JSON within a text does. A key of an object is the
///   id, if the id is long: a short one may be the name of a field.
/// - A text without a blank has the id between signs, as `welcome:jane` has.
/// - A longer text has the id as a word, if the id is long and the workspace has rows of the person.
/// - It has the id of a conversation or message of the person, or one of the further texts as a word.
pub(super) fn mentions_person(texts: &Texts, workspace: WorkspaceId) -> String {
    let person = format!("current_setting('{PERSON}')");
    let Texts { json, words } = texts;
    let escaped = |name: &str| format!("regexp_replace({name}, '([^[:alnum:]])', '\\\\\\1', 'g')");
    let as_a_word = |name: &str| {
        // An address or a name goes on with these signs: jane@example.com is neither mary.jane@example.com nor jane@example.com.au.
        format!(
            "said ~* ('(?<![[:alnum:]_@])(?<![[:alnum:]_][.+-])' || {} || '(?![[:alnum:]_@-])(?!\\.[[:alnum:]])')",
            escaped(name)
        )
    };
    format!(
        "EXISTS (SELECT FROM (
            SELECT value #>> '{{}}' AS raw, false AS is_key FROM jsonb_path_query({json}, 'strict $.**') AS value
            WHERE jsonb_typeof(value) IN ('string', 'number')
            UNION ALL SELECT jsonb_object_keys(value), true FROM jsonb_path_query({json}, 'strict $.**') AS value
            WHERE jsonb_typeof(value) = 'object'
            UNION ALL SELECT unnest({words}), false
        ) AS written,
        -- A line break that is written as two characters would be a letter before the next word.
        LATERAL (SELECT raw UNION SELECT regexp_replace(raw, '\\\\[nrt]', ' ', 'g')) AS texts (said)
        WHERE (NOT is_key OR char_length({person}) >= {LONG_ID}) AND (
                lower(said) = lower({person})
                OR said !~ '[[:space:]]' AND said ~* ('(^|[^[:alnum:]_@.+-])' || {id} || '($|[^[:alnum:]_@.+-])'))
            OR position(lower(to_json({person})::text) IN lower(said)) > 0
            OR char_length({person}) >= {LONG_ID} AND {id_as_a_word} AND (
                EXISTS (SELECT FROM conversations WHERE workspace_id = '{workspace}' AND external_user_id = {person})
                OR EXISTS (SELECT FROM analytics_events WHERE workspace_id = '{workspace}' AND user_identifier = {person}))
            OR EXISTS (SELECT FROM jsonb_array_elements_text(current_setting('{MENTIONS}')::jsonb) AS mention (name)
                WHERE {mention_as_a_word})
            OR EXISTS (SELECT FROM regexp_matches(said, '[0-9a-f]{{8}}-?(?:[0-9a-f]{{4}}-?){{3}}[0-9a-f]{{12}}', 'gi') AS found (id)
                JOIN conversations AS talk ON talk.workspace_id = '{workspace}' AND talk.external_user_id = {person}
                    AND talk.id = coalesce((SELECT m.conversation_id FROM messages AS m
                        WHERE m.workspace_id = '{workspace}' AND m.id = found.id[1]::uuid), found.id[1]::uuid)))",
        id = escaped(&person),
        id_as_a_word = as_a_word(&person),
        mention_as_a_word = as_a_word("name"),
    )
}
