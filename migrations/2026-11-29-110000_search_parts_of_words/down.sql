SET LOCAL statement_timeout = '6h';
DO $$
DECLARE
    megabytes bigint;
BEGIN
    SELECT max(CASE am.amname
        WHEN 'ivfflat' THEN (greatest(50 * lists, 10000) * (6168 + 4 * lists) + 18456 * lists + 8 * lists * lists) / 1000000 + 64
        WHEN 'hnsw' THEN (greatest(c.reltuples, 0) * 1024)::bigint / 1048576 + 64
    END) INTO megabytes
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS am ON am.oid = c.relam,
        LATERAL (SELECT coalesce(substring(array_to_string(c.reloptions, ',') FROM 'lists=(\d+)')::bigint, 100)) AS options (lists)
    WHERE i.indrelid = 'document_chunks'::regclass;
    PERFORM set_config('maintenance_work_mem', megabytes || 'MB', true)
    WHERE pg_size_bytes(current_setting('maintenance_work_mem')) < megabytes * 1048576;
END
$$;
SET LOCAL ROLE workspace_platform;
DROP FUNCTION workspace_db_matching_chunks(tsquery, integer);
RESET ROLE;
ALTER TABLE document_chunks DROP COLUMN search_text;
DROP FUNCTION workspace_db_search_text(uuid, text, text);
DROP FUNCTION workspace_db_split_identifiers(text);
DROP FUNCTION workspace_db_normalize_words(text);
DROP FUNCTION workspace_db_compose(text);
DROP FUNCTION workspace_db_unspaced_character();
CREATE FUNCTION workspace_db_search_text(workspace_id uuid, language text, content text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_tsvector(workspace_db_text_config(language), left(content, 131072))
    || array_to_tsvector(ARRAY['workspace/' || workspace_id::text]);
COMMENT ON FUNCTION workspace_db_search_text(uuid, text, text) IS
    'What full-text search finds a passage by: its words, and its workspace as a word.';
ALTER TABLE document_chunks
    ADD COLUMN search_text tsvector NOT NULL
        GENERATED ALWAYS AS (workspace_db_search_text(workspace_id, language, content)) STORED;
COMMENT ON COLUMN document_chunks.search_text IS 'Words of the passage, generated from workspace_id, language and content.';
CREATE INDEX document_chunks_search_text_idx ON document_chunks USING gin (search_text);
CREATE FUNCTION workspace_db_matching_chunks(question tsquery, most integer) RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT coalesce(array_agg(matching.id), '{}') FROM (
        SELECT c.id
        FROM document_chunks AS c
        WHERE c.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
            -- Without it, a question of no words at all would ask for the workspace alone.
            AND numnode(question) > 0
            AND c.search_text @@ (question && format('%L',
                'workspace/' || nullif(current_setting('app.workspace_id', true), ''))::tsquery)
        LIMIT most
    ) AS matching;
END;
COMMENT ON FUNCTION workspace_db_matching_chunks(tsquery, integer) IS
    'Ids of at most so many chunks of the workspace that the transaction has set whose words match.';
REVOKE EXECUTE ON FUNCTION workspace_db_matching_chunks(tsquery, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION workspace_db_matching_chunks(tsquery, integer) TO workspace_app;
DO $$
BEGIN
    -- The new owner of a function needs CREATE on its schema.
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO workspace_platform', current_schema());
    ALTER FUNCTION workspace_db_matching_chunks(tsquery, integer) OWNER TO workspace_platform;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM workspace_platform', current_schema());
END
$$;
SELECT workspace_db_let_readers_in();
