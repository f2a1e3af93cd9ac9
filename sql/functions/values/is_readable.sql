-- serde_json reads 127 levels, and numbers up to a double. A text of less than 256 bytes can exceed neither limit. The text of a
-- large value is not built: a number of a few bytes can have 131,072 digits.
CREATE OR REPLACE FUNCTION workspace_db_is_readable(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN pg_column_size(value) < 512 THEN octet_length(value::text) < 256 ELSE false END
        OR NOT jsonb_path_exists(value, 'strict $.** ? (@.type() == "number" && (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308))')
        AND NOT jsonb_path_exists(value, 'strict $.**{127 to last} ? (@.type() == "array" || @.type() == "object")')
$$;
COMMENT ON FUNCTION workspace_db_is_readable(jsonb) IS
    'True if programs can read the value: at most 127 levels, and no number beyond a double.';

-- RFC 3339 has years of four digits.
CREATE OR REPLACE FUNCTION workspace_db_is_readable(value timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT value >= '0001-01-01 00:00:00+00' AND value < '10000-01-01 00:00:00+00' $$;
COMMENT ON FUNCTION workspace_db_is_readable(timestamptz) IS 'True if programs can read the time: years 1 to 9999.';

CREATE OR REPLACE FUNCTION workspace_db_is_readable(value timestamp) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT value >= '0001-01-01 00:00:00' AND value < '10000-01-01 00:00:00' $$;
COMMENT ON FUNCTION workspace_db_is_readable(timestamp) IS 'True if programs can read the time: years 1 to 9999.';

CREATE OR REPLACE FUNCTION workspace_db_is_readable(value date) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT value >= '0001-01-01' AND value < '10000-01-01' $$;
COMMENT ON FUNCTION workspace_db_is_readable(date) IS 'True if programs can read the date: years 1 to 9999.';

CREATE OR REPLACE FUNCTION workspace_db_is_readable(value anyarray) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT coalesce(array_ndims(value), 1) = 1 $$;
COMMENT ON FUNCTION workspace_db_is_readable(anyarray) IS 'True if programs can read the array: one dimension.';
