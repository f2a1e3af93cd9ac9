CREATE OR REPLACE FUNCTION workspace_db_set_unreadable_aside(of_table regclass) RETURNS bigint
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
