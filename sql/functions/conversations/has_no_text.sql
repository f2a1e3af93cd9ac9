-- Of a text without letters a model learns nothing, nor of one that was redacted.
CREATE OR REPLACE FUNCTION workspace_db_has_no_text(written text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN written !~ '[^[:space:]\u00A0\u2007\u202F\u200B\u3000\uFEFF]' OR written = '[redacted]';
COMMENT ON FUNCTION workspace_db_has_no_text(text) IS 'True for a text of blanks, and for one that was redacted.';
