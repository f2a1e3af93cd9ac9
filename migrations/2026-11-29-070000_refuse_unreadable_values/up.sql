-- PostgreSQL holds values that programs can't read: JSON that is nested more deeply than serde_json follows, numbers beyond a
-- double, infinite times and those of far years, arrays of several dimensions. One such row stopped the queue of every tenant.
-- From here on no such value comes in, whatever writes it.

-- The bounds are those of serde_json, 127 levels, and of a double; a text of less than 256 bytes can reach neither. Of a large
-- value the text is not asked for: a number of few bytes has up to 131,072 digits.
CREATE FUNCTION workspace_db_is_readable(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN pg_column_size(value) < 512 THEN octet_length(value::text) < 256 ELSE false END
        OR NOT jsonb_path_exists(value, 'strict $.** ? (@.type() == "number" && (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308))')
        AND NOT jsonb_path_exists(value, 'strict $.**{127 to last} ? (@.type() == "array" || @.type() == "object")')
$$;
COMMENT ON FUNCTION workspace_db_is_readable(jsonb) IS
    'Whether programs can read the value: at most 127 levels, and no number beyond a double.';

-- Years of four digits: what RFC 3339 writes, and every program reads.
CREATE FUNCTION workspace_db_is_readable(value timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT value >= '0001-01-01 00:00:00+00' AND value < '10000-01-01 00:00:00+00' $$;
COMMENT ON FUNCTION workspace_db_is_readable(timestamptz) IS 'Whether programs can read the time: of the years 1 to 9999.';

CREATE FUNCTION workspace_db_is_readable(value timestamp) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT value >= '0001-01-01 00:00:00' AND value < '10000-01-01 00:00:00' $$;
COMMENT ON FUNCTION workspace_db_is_readable(timestamp) IS 'Whether programs can read the time: of the years 1 to 9999.';

CREATE FUNCTION workspace_db_is_readable(value date) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT value >= '0001-01-01' AND value < '10000-01-01' $$;
COMMENT ON FUNCTION workspace_db_is_readable(date) IS 'Whether programs can read the date: of the years 1 to 9999.';

CREATE FUNCTION workspace_db_is_readable(value anyarray) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT coalesce(array_ndims(value), 1) = 1 $$;
COMMENT ON FUNCTION workspace_db_is_readable(anyarray) IS 'Whether programs can read the array: of one dimension.';

CREATE FUNCTION workspace_db_refuse_unreadable(of_table regclass) RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path FROM CURRENT
AS $function$
DECLARE
    changes text;
BEGIN
    SELECT string_agg(format('DROP CONSTRAINT IF EXISTS %I, ADD CONSTRAINT %1$I CHECK (workspace_db_is_readable(%I)) NOT VALID', name, attname), ', ' ORDER BY attnum)
    INTO changes
    FROM (
        SELECT a.attname, a.attnum, left(c.relname || '_' || a.attname, 54) || '_readable' AS name
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid JOIN pg_type AS y ON y.oid = a.atttypid
        WHERE c.oid = of_table AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
            AND (y.oid = ANY (ARRAY['jsonb', 'timestamptz', 'timestamp', 'date']::regtype[]) OR y.typcategory = 'A' AND y.typelem <> 0)
    ) AS columns;
    IF changes IS NOT NULL THEN
        EXECUTE format('ALTER TABLE %s %s', of_table, changes);
    END IF;
END
$function$;
COMMENT ON FUNCTION workspace_db_refuse_unreadable(regclass) IS
    'Has every column of a table refuse what programs can''t read, from now on; workspace_db_set_unreadable_aside sees to what is there.';

-- Without a look at the rows that are there, so that nobody waits: the next migration sees to them.
SELECT workspace_db_refuse_unreadable(own) FROM unnest(ARRAY[
    'admin_users', 'workspaces', 'workspace_settings', 'workspace_admins', 'datasources', 'documents', 'document_chunks',
    'conversations', 'messages', 'feedback', 'analytics_events', 'webhook_subscriptions', 'jobs', 'job_schedules', 'job_queues',
    'chunk_reembeddings', 'admin_tokens', 'service_tokens', 'login_throttles', 'audit_log'
]::regclass[]) AS own;

-- pgvector sums squares in single precision: of a tiny or huge vector the sum is 0 or infinite, and its cosine to anything 1 or 0.
ALTER TABLE document_chunks
    -- The new one refuses all that the old one refused.
    -- squawk-ignore ban-drop-constraint
    DROP CONSTRAINT document_chunks_vector_check,
    ADD CONSTRAINT document_chunks_vector_check CHECK (vector_norm(vector) BETWEEN 1e-15 AND 1e15) NOT VALID;
ALTER TABLE chunk_reembeddings
    -- The new one refuses all that the old one refused.
    -- squawk-ignore ban-drop-constraint
    DROP CONSTRAINT chunk_reembeddings_vector_check,
    ADD CONSTRAINT chunk_reembeddings_vector_check CHECK (vector_norm(vector) BETWEEN 1e-15 AND 1e15) NOT VALID;
