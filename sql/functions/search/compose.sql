-- PostgreSQL sorts the combining marks of one letter in quadratic time and does not check for interrupts: 131,072 marks take 108 s.
-- So this function normalizes at most 255 characters at once, and cuts only words that are longer.
CREATE OR REPLACE FUNCTION workspace_db_compose(written text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN written IS NFKC NORMALIZED THEN written ELSE (
    SELECT string_agg(normalize(piece[1], NFKC), '' ORDER BY at)
    FROM regexp_matches(written, '\S{1,255}\s*|\s+', 'g') WITH ORDINALITY AS pieces (piece, at)) END;
COMMENT ON FUNCTION workspace_db_compose(text) IS 'Text in the Unicode normalization form NFKC.';
