-- PostgreSQL stores values that programs can't read: JSON deeper than serde_json's limit, numbers beyond a double, infinite times
-- and years beyond 9999, arrays of several dimensions. One such row could stop the queue of every tenant. CHECK constraints
-- reject these values from every client.

-- serde_json reads 127 levels, and numbers up to a double. A text of less than 256 bytes can exceed neither limit. The text of a
-- large value is not built: a number of a few bytes can have 131,072 digits.
CREATE FUNCTION workspace_db_is_readable(value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN pg_column_size(value) < 512 THEN octet_length(value::text) < 256 ELSE false END
        OR NOT jsonb_path_exists(value, 'strict $.** ? (@.type() == "number" && (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308))')
        AND NOT jsonb_path_exists(value, 'strict $.**{127 to last} ? (@.type() == "array" || @.type() == "object")')
$$;
COMMENT ON FUNCTION workspace_db_is_readable(jsonb) IS
    'True if programs can read the value: at most 127 levels, and no number beyond a double.';

-- RFC 3339 has years of four digits.
CREATE FUNCTION workspace_db_is_readable(value timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT value >= '0001-01-01 00:00:00+00' AND value < '10000-01-01 00:00:00+00' $$;
COMMENT ON FUNCTION workspace_db_is_readable(timestamptz) IS 'True if programs can read the time: years 1 to 9999.';

CREATE FUNCTION workspace_db_is_readable(value timestamp) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT value >= '0001-01-01 00:00:00' AND value < '10000-01-01 00:00:00' $$;
COMMENT ON FUNCTION workspace_db_is_readable(timestamp) IS 'True if programs can read the time: years 1 to 9999.';

CREATE FUNCTION workspace_db_is_readable(value date) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT value >= '0001-01-01' AND value < '10000-01-01' $$;
COMMENT ON FUNCTION workspace_db_is_readable(date) IS 'True if programs can read the date: years 1 to 9999.';

CREATE FUNCTION workspace_db_is_readable(value anyarray) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT coalesce(array_ndims(value), 1) = 1 $$;
COMMENT ON FUNCTION workspace_db_is_readable(anyarray) IS 'True if programs can read the array: one dimension.';

CREATE FUNCTION workspace_db_refuse_unreadable(of_table regclass) RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path FROM CURRENT SET client_min_messages = warning
AS $function$
DECLARE
    changes text;
BEGIN
    SELECT string_agg(format('DROP CONSTRAINT IF EXISTS %I, ADD CONSTRAINT %1$I CHECK (workspace_db_is_readable(%I))%s', name, attname,
        -- A table without rows has nothing to validate later.
        CASE WHEN pg_relation_size(of_table) > 0 OR EXISTS (
            SELECT FROM pg_partition_tree(of_table) AS part WHERE pg_relation_size(part.relid) > 0) THEN ' NOT VALID' END),
        ', ' ORDER BY attnum)
    INTO changes
    FROM (
        -- PostgreSQL cuts a name at 63 bytes, where two columns could get the same.
        SELECT a.attname, a.attnum, CASE WHEN octet_length(c.relname || '_' || a.attname) <= 54 THEN c.relname || '_' || a.attname
            ELSE left(c.relname, 7) || '_' || left(md5(c.relname || '_' || a.attname), 24) END || '_readable' AS name
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
    'Adds CHECKs that reject values which programs can''t read; workspace_db_set_unreadable_aside changes the rows that exist.';

CREATE FUNCTION workspace_db_set_unreadable_aside(of_table regclass) RETURNS bigint
LANGUAGE plpgsql SECURITY INVOKER
SET search_path FROM CURRENT
AS $function$
DECLARE
    assignments text;
    holds text;
    validations text;
    set_aside bigint := 0;
BEGIN
    SELECT string_agg(format('%1$I = CASE WHEN workspace_db_is_readable(%1$I) IS NOT FALSE THEN %1$I ELSE ', attname) || CASE
            WHEN atttypid = 'jsonb'::regtype THEN format(
                'CASE jsonb_typeof(%1$I) WHEN ''array'' THEN jsonb_build_array(left(%1$I::text, 200000)) ELSE jsonb_build_object(''unreadable'', left(%1$I::text, 200000)) END', attname)
            WHEN atttypid = 'timestamptz'::regtype THEN format(
                'greatest(least(%I, ''9999-12-31 23:59:59.999999+00''), ''0001-01-01 00:00:00+00'')', attname)
            WHEN atttypid = 'timestamp'::regtype THEN format(
                'greatest(least(%I, ''9999-12-31 23:59:59.999999''), ''0001-01-01 00:00:00'')', attname)
            WHEN atttypid = 'date'::regtype THEN format('greatest(least(%I, ''9999-12-31''), ''0001-01-01'')', attname)
            ELSE format('ARRAY(SELECT unnest(%I))', attname)
        END || ' END', ', ' ORDER BY attnum),
        string_agg(format('workspace_db_is_readable(%I) IS NOT FALSE', attname), ' AND ' ORDER BY attnum),
        string_agg(format('VALIDATE CONSTRAINT %I', conname), ', ' ORDER BY attnum)
    INTO assignments, holds, validations
    FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    WHERE k.conrelid = of_table AND k.contype = 'c' AND NOT k.convalidated AND cardinality(k.conkey) = 1
        AND k.conname LIKE '%\_readable' AND pg_get_constraintdef(k.oid) LIKE '%workspace\_db\_is\_readable(%';
    IF assignments IS NULL THEN
        RETURN 0;
    END IF;
    -- Row-level security binds the owner too, so that only the platform's role sees the rows.
    SET LOCAL ROLE workspace_platform;
    IF has_table_privilege(of_table, 'UPDATE') THEN
        EXECUTE format('UPDATE %s SET %s WHERE NOT (%s)', of_table, assignments, holds);
        GET DIAGNOSTICS set_aside = ROW_COUNT;
    END IF;
    RESET ROLE;
    IF set_aside > 0 THEN
        RAISE WARNING '%: unreadable values of % rows were replaced by texts and the nearest times', of_table, set_aside;
    END IF;
    BEGIN
        EXECUTE format('ALTER TABLE %s %s', of_table, validations);
    EXCEPTION WHEN check_violation THEN
        RAISE WARNING '%: there are unreadable rows that the platform may not change: %', of_table, SQLERRM;
    END;
    RETURN set_aside;
END
$function$;
COMMENT ON FUNCTION workspace_db_set_unreadable_aside(regclass) IS
    'Replaces unreadable values of a table, JSON by a text, validates the CHECKs, and returns the number of changed rows.';
