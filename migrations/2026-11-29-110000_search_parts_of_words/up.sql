-- Words are found however they are written: without regard to how letters are composed, whole and in the parts that
-- identifiers, paths and addresses are made of, and in languages that put no blanks between words.

DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the database is encoded in %, in which letters can''t be brought into one form; '
            'dump it, and restore it into one that was created with ENCODING ''UTF8'' TEMPLATE template0', current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported', CONSTRAINT = 'workspace_db_prerequisite';
    END IF;
END
$$;

CREATE FUNCTION workspace_db_unspaced_character() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- Thai, Lao, Myanmar, Khmer, Kana and Bopomofo, Han, Hangul, and Han beyond the first plane.
RETURN '[\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3005-\u3007\u3040-\u312F\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7AF\U00020000-\U0003FFFF]';
COMMENT ON FUNCTION workspace_db_unspaced_character() IS
    'A regular expression for one character of the scripts that put no blanks between words.';

-- PostgreSQL sorts the marks of one letter in quadratic time, without a look at interrupts: 131,072 of them take 108 s. So no
-- more than 255 characters are brought into one form at once, and no word is cut that is shorter.
CREATE FUNCTION workspace_db_compose(written text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN written IS NFKC NORMALIZED THEN written ELSE (
    SELECT string_agg(normalize(piece[1], NFKC), '' ORDER BY at)
    FROM regexp_matches(written, '\S{1,255}\s*|\s+', 'g') WITH ORDINALITY AS pieces (piece, at)) END;
COMMENT ON FUNCTION workspace_db_compose(text) IS 'A text in Unicode''s form NFKC.';

-- A text as full-text search reads it, both the passages and the questions. Letters come in their composed and compatible
-- form (Unicode's NFKC), without soft hyphens and characters of no width. ASCII punctuation becomes blanks: PostgreSQL's
-- parser would make one word of a whole path or host, and none of a tag. In scripts without blanks each two neighbouring
-- characters become a word, as in Lucene's CJKBigramFilter. Quotes stay, since those of a question mean a phrase.
CREATE FUNCTION workspace_db_normalize_words(written text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN words !~ unspaced THEN words ELSE
        regexp_replace(
            regexp_replace(words, format('(?<=%1$s)(%1$s)(?=%1$s)', unspaced), '\1 \1', 'g'),
            format('(?<=\w)(?<!%1$s)(?=%1$s)|(?<=%1$s)(?!%1$s)(?=\w)', unspaced), ' ', 'g') END
    FROM workspace_db_unspaced_character() AS unspaced, (SELECT regexp_replace(
        CASE WHEN octet_length(written) = char_length(written) THEN written ELSE
            replace(replace(replace(workspace_db_compose(translate(written, U&'\00AD\200B\200C\200D\2060\FEFF', '')),
                U&'\00DF', 'ss'), U&'\1E9E', 'SS'), U&'\03C2', U&'\03C3') END,
        '[!#-/:-@[-`{-~]', ' ', 'g') AS words
        -- Else the planner writes the expression out wherever its value is asked for.
        OFFSET 0) AS text;
END;
COMMENT ON FUNCTION workspace_db_normalize_words(text) IS
    'A text as full-text search reads it: letters in one form, punctuation as blanks, scripts without blanks in pairs.';

-- The parser takes an identifier for one word, and people look for a part of it.
CREATE FUNCTION workspace_db_split_identifiers(words text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(regexp_replace(words, '([a-z][0-9]*)([A-Z])', '\1 \2', 'g'), '([A-Z])([A-Z][a-z]{2})', '\1 \2', 'g');
COMMENT ON FUNCTION workspace_db_split_identifiers(text) IS 'A text in which each HttpRequest is written Http Request.';

-- The column is generated anew, which rewrites the table and its indexes under a lock that nobody reads past: about 0.6 ms a
-- passage, and what the indexes by vector take. A large table needs more than a statement's minute for it, and its indexes more
-- memory than a session has, as `index retrain` reckons it.
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
-- Both functions are made anew below, before anybody sees that they were gone.
-- squawk-ignore ban-drop-function
DROP FUNCTION workspace_db_matching_chunks(tsquery, integer);
RESET ROLE;
-- squawk-ignore ban-drop-column
ALTER TABLE document_chunks DROP COLUMN search_text;
-- squawk-ignore ban-drop-function
DROP FUNCTION workspace_db_search_text(uuid, text, text);

-- The words of a passage, the parts of its identifiers, the single characters of scripts without blanks, and its workspace
-- as one more word: so the index finds the words of one workspace without reading those of the others. A tsvector holds
-- at most a megabyte: a word costs at most 10 bytes beside a blank, and 12 as a pair of characters.
CREATE FUNCTION workspace_db_search_text(workspace_id uuid, language text, content text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT to_tsvector(workspace_db_text_config(language), left(concat_ws(' ', words,
            CASE WHEN words ~ '[a-z][0-9]*[A-Z]|[A-Z]{2}[a-z]{2}' THEN
                -- The identifier itself stands between, so that no phrase goes from the parts of one to those of the next.
                (SELECT string_agg(workspace_db_split_identifiers(identifier[1]) || ' ' || identifier[1], ' ')
                FROM regexp_matches(words, '\w*(?:[a-z][0-9]*[A-Z]|[A-Z]{2}[a-z]{2})\w*', 'g') AS identifier) END,
            CASE WHEN words ~ unspaced THEN
                (SELECT string_agg(character[1], ' ') FROM regexp_matches(words, unspaced, 'g') AS character) END), 196608))
        || array_to_tsvector(ARRAY['workspace/' || workspace_id::text])
    FROM workspace_db_unspaced_character() AS unspaced,
        (SELECT workspace_db_normalize_words(left(content, 131072)) AS words OFFSET 0) AS text;
END;
COMMENT ON FUNCTION workspace_db_search_text(uuid, text, text) IS
    'What full-text search finds a passage by: its words, and its workspace as a word.';

ALTER TABLE document_chunks
    ADD COLUMN search_text tsvector NOT NULL
        -- squawk-ignore adding-field-with-default
        GENERATED ALWAYS AS (workspace_db_search_text(workspace_id, language, content)) STORED;
COMMENT ON COLUMN document_chunks.search_text IS 'Words of the passage, generated from workspace_id, language and content.';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX document_chunks_search_text_idx ON document_chunks USING gin (search_text);

-- As it was: it reads the column.
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
