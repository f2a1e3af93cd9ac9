-- What search reads: the bits of a workspace's chunks in one place, and the words of each passage.

-- Which configuration stems the words of a language. Those that PostgreSQL 16 has; any other language, and none at
-- all, is compared word for word. Immutable, since a generated column asks for it: the names are PostgreSQL's own.
CREATE FUNCTION workspace_db_text_config(language text) RETURNS regconfig
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE lower(split_part(language, '-', 1))
    WHEN 'ar' THEN 'pg_catalog.arabic'::regconfig
    WHEN 'ca' THEN 'pg_catalog.catalan'::regconfig
    WHEN 'da' THEN 'pg_catalog.danish'::regconfig
    WHEN 'de' THEN 'pg_catalog.german'::regconfig
    WHEN 'el' THEN 'pg_catalog.greek'::regconfig
    WHEN 'en' THEN 'pg_catalog.english'::regconfig
    WHEN 'es' THEN 'pg_catalog.spanish'::regconfig
    WHEN 'eu' THEN 'pg_catalog.basque'::regconfig
    WHEN 'fi' THEN 'pg_catalog.finnish'::regconfig
    WHEN 'fr' THEN 'pg_catalog.french'::regconfig
    WHEN 'ga' THEN 'pg_catalog.irish'::regconfig
    WHEN 'hi' THEN 'pg_catalog.hindi'::regconfig
    WHEN 'hu' THEN 'pg_catalog.hungarian'::regconfig
    WHEN 'hy' THEN 'pg_catalog.armenian'::regconfig
    WHEN 'id' THEN 'pg_catalog.indonesian'::regconfig
    WHEN 'it' THEN 'pg_catalog.italian'::regconfig
    WHEN 'lt' THEN 'pg_catalog.lithuanian'::regconfig
    WHEN 'nb' THEN 'pg_catalog.norwegian'::regconfig
    WHEN 'ne' THEN 'pg_catalog.nepali'::regconfig
    WHEN 'nl' THEN 'pg_catalog.dutch'::regconfig
    WHEN 'nn' THEN 'pg_catalog.norwegian'::regconfig
    WHEN 'no' THEN 'pg_catalog.norwegian'::regconfig
    WHEN 'pt' THEN 'pg_catalog.portuguese'::regconfig
    WHEN 'ro' THEN 'pg_catalog.romanian'::regconfig
    WHEN 'ru' THEN 'pg_catalog.russian'::regconfig
    WHEN 'sr' THEN 'pg_catalog.serbian'::regconfig
    WHEN 'sv' THEN 'pg_catalog.swedish'::regconfig
    WHEN 'ta' THEN 'pg_catalog.tamil'::regconfig
    WHEN 'tr' THEN 'pg_catalog.turkish'::regconfig
    WHEN 'yi' THEN 'pg_catalog.yiddish'::regconfig
    ELSE 'pg_catalog.simple'::regconfig
END;
COMMENT ON FUNCTION workspace_db_text_config(text) IS
    'The text search configuration of a BCP 47 language, simple for one that PostgreSQL does not stem.';

-- The words of a passage, and its workspace as one more word: so the index finds the words of one workspace without
-- reading those of the others. A tsvector holds at most a megabyte, which a longer text might pass.
CREATE FUNCTION workspace_db_search_text(workspace_id uuid, language text, content text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_tsvector(workspace_db_text_config(language), left(content, 131072))
    || array_to_tsvector(ARRAY['workspace/' || workspace_id::text]);
COMMENT ON FUNCTION workspace_db_search_text(uuid, text, text) IS
    'What full-text search finds a passage by: its words, and its workspace as a word.';

-- A generated column that is stored rewrites the table, under a lock that nobody reads past: about 0.2 ms a passage.
-- The vectors go inline while they are written anew. Read through TOAST, a vector costs five page reads, and a re-rank
-- of the best bits twice the time; the target keeps the passage beside it where both fit on a page.
ALTER TABLE document_chunks
    ALTER COLUMN vector SET STORAGE PLAIN,
    SET (
        toast_tuple_target = 8160,
        -- An index-only scan needs the visibility map, and new rows are not in it before a vacuum.
        autovacuum_vacuum_insert_threshold = 1000,
        autovacuum_vacuum_insert_scale_factor = 0.02,
        autovacuum_analyze_scale_factor = 0.02
    ),
    ADD COLUMN language text,
    -- The column is new, so there is nothing to scan.
    -- squawk-ignore constraint-missing-not-valid
    ADD CONSTRAINT document_chunks_language_check CHECK (language ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$');
ALTER TABLE document_chunks
    ADD COLUMN search_text tsvector NOT NULL
        -- squawk-ignore adding-field-with-default
        GENERATED ALWAYS AS (workspace_db_search_text(workspace_id, language, content)) STORED;
COMMENT ON COLUMN document_chunks.language IS
    'BCP 47 language of the passage, which decides how its words are stemmed; without one they are taken as they are.';
COMMENT ON COLUMN document_chunks.search_text IS 'Words of the passage, generated from workspace_id, language and content.';

-- The indexes are built in the same transaction, whose lock on the table the rewrite has taken already.

-- The plan for every workspace up to some tens of thousands of chunks reads this and nothing else: see ARCHITECTURE.md.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX document_chunks_bits_idx ON document_chunks (workspace_id, embedding_model)
    INCLUDE (id, document_id, vector_bits);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX document_chunks_search_text_idx ON document_chunks USING gin (search_text);
-- By which a document that comes again under another name is noticed.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX documents_content_hash_idx ON documents (workspace_id, content_hash);

-- Under row-level security no index can answer `@@`: the operator is not marked leakproof, so PostgreSQL applies the
-- policy first and reads every row of the workspace. So this one function asks as workspace_platform, whose policy
-- hides nothing, and keeps to the workspace that the transaction has set by itself, in both of its conditions. It gives
-- ids, and whoever asks reads the rows under the policy.
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
    -- Whoever becomes the owner of a function must be allowed to make one.
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO workspace_platform', current_schema());
    ALTER FUNCTION workspace_db_matching_chunks(tsquery, integer) OWNER TO workspace_platform;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM workspace_platform', current_schema());
END
$$;
