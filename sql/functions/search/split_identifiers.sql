-- The parser takes an identifier for one word, but people search for its parts.
CREATE OR REPLACE FUNCTION workspace_db_split_identifiers(words text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(regexp_replace(words, '([a-z][0-9]*)([A-Z])', '\1 \2', 'g'), '([A-Z])([A-Z][a-z]{2})', '\1 \2', 'g');
COMMENT ON FUNCTION workspace_db_split_identifiers(text) IS 'Text in which each identifier is split: HttpRequest becomes Http Request.';
