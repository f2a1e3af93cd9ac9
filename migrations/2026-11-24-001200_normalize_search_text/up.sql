DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the encoding of the database is %, which has no Unicode normalization; '
            'dump it, and restore it into a database that was created with ENCODING ''UTF8'' TEMPLATE template0', current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported', CONSTRAINT = 'workspace_db_prerequisite';
    END IF;
END
$$;

-- PostgreSQL 16 has these configurations. Every other language, and NULL, uses `simple`, which does not stem. Immutable, since a
-- generated column calls it: PostgreSQL never renames its configurations.
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
    'Text search configuration of a BCP 47 language; simple if PostgreSQL has no stemmer for it.';

CREATE FUNCTION workspace_db_unspaced_character() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- Thai, Lao, Myanmar, Khmer, Kana and Bopomofo, Han, Hangul, and Han beyond the first plane.
RETURN '[\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3005-\u3007\u3040-\u312F\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7AF\U00020000-\U0003FFFF]';
COMMENT ON FUNCTION workspace_db_unspaced_character() IS
    'Regular expression for one character of the scripts without spaces between words.';

-- PostgreSQL sorts the combining marks of one letter in quadratic time and does not check for interrupts: 131,072 marks take 108 s.
-- So this function normalizes at most 255 characters at once, and cuts only words that are longer.
CREATE FUNCTION workspace_db_compose(written text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN written IS NFKC NORMALIZED THEN written ELSE (
    SELECT string_agg(normalize(piece[1], NFKC), '' ORDER BY at)
    FROM regexp_matches(written, '\S{1,255}\s*|\s+', 'g') WITH ORDINALITY AS pieces (piece, at)) END;
COMMENT ON FUNCTION workspace_db_compose(text) IS 'Text in the Unicode normalization form NFKC.';

-- Full-text search normalizes passages and questions by this function. It applies NFKC and removes soft hyphens and zero-width
-- characters. It replaces ASCII punctuation by spaces: PostgreSQL's parser takes a whole path or host for one word, and drops a tag.
-- In scripts without spaces each pair of neighbouring characters becomes a word, as in Lucene's CJKBigramFilter. Quotation marks
-- stay, since they mark a phrase in a question.
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
        -- Without OFFSET the planner copies the expression to each place that uses it.
        OFFSET 0) AS text;
END;
COMMENT ON FUNCTION workspace_db_normalize_words(text) IS
    'Text as full-text search reads it: NFKC, punctuation as spaces, scripts without spaces in pairs of characters.';

-- The parser takes an identifier for one word, but people search for its parts.
CREATE FUNCTION workspace_db_split_identifiers(words text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(regexp_replace(words, '([a-z][0-9]*)([A-Z])', '\1 \2', 'g'), '([A-Z])([A-Z][a-z]{2})', '\1 \2', 'g');
COMMENT ON FUNCTION workspace_db_split_identifiers(text) IS 'Text in which each identifier is split: HttpRequest becomes Http Request.';

-- Lexemes: the words of a passage, the parts of its identifiers, the single characters of scripts without spaces, and the
-- workspace, so that the index finds the words of one workspace without reading those of others. A tsvector holds at most one
-- megabyte: a word costs at most 10 bytes besides a space, and 12 as a pair of characters.
CREATE FUNCTION workspace_db_search_text(workspace_id uuid, language text, content text) RETURNS tsvector
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
