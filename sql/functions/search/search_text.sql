-- Lexemes: the words of a passage, the parts of its identifiers, the single characters of scripts without spaces, and the
-- workspace, so that the index finds the words of one workspace without reading those of others. A tsvector holds at most one
-- megabyte: a word costs at most 10 bytes besides a space, and 12 as a pair of characters.
CREATE OR REPLACE FUNCTION workspace_db_search_text(workspace_id uuid, language text, content text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT to_tsvector(workspace_db_text_config(language), left(concat_ws(' ', words,
            CASE WHEN words ~ '[a-z][0-9]*[A-Z]|[A-Z]{2}[a-z]{2}' THEN
                -- The identifier stands between its parts and the next ones, so that no phrase spans two identifiers.
                (SELECT string_agg(workspace_db_split_identifiers(identifier[1]) || ' ' || identifier[1], ' ')
                FROM regexp_matches(words, '\w*(?:[a-z][0-9]*[A-Z]|[A-Z]{2}[a-z]{2})\w*', 'g') AS identifier) END,
            CASE WHEN words ~ unspaced THEN
                (SELECT string_agg(character[1], ' ') FROM regexp_matches(words, unspaced, 'g') AS character) END), 196608))
        || array_to_tsvector(ARRAY['workspace/' || workspace_id::text])
    FROM workspace_db_unspaced_character() AS unspaced,
        (SELECT workspace_db_normalize_words(left(content, 131072)) AS words OFFSET 0) AS text;
END;
COMMENT ON FUNCTION workspace_db_search_text(uuid, text, text) IS
    'Lexemes of a passage for full-text search: its words, and its workspace as one more.';
