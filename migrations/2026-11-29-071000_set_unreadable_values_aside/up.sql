-- Tables may hold values already that programs can't read. JSON becomes a text within JSON, under the key `unreadable`, up to
-- 200,000 characters; a time becomes the nearest that can be read, and an array a plain list. Then the CHECKs hold for every row.
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
    -- Its rows are seen by the platform's role alone, as the owner is bound by row-level security too.
    SET LOCAL ROLE workspace_platform;
    IF has_table_privilege(of_table, 'UPDATE') THEN
        EXECUTE format('UPDATE %s SET %s WHERE NOT (%s)', of_table, assignments, holds);
        GET DIAGNOSTICS set_aside = ROW_COUNT;
    END IF;
    RESET ROLE;
    IF set_aside > 0 THEN
        RAISE WARNING '%: values of % rows that programs can''t read are texts and nearest times now', of_table, set_aside;
    END IF;
    BEGIN
        EXECUTE format('ALTER TABLE %s %s', of_table, validations);
    EXCEPTION WHEN check_violation THEN
        RAISE WARNING '%: rows that programs can''t read are there, and the platform may not change them: %', of_table, SQLERRM;
    END;
    RETURN set_aside;
END
$function$;
COMMENT ON FUNCTION workspace_db_set_unreadable_aside(regclass) IS
    'Makes what programs can''t read of a table''s rows readable, JSON as a text, and returns of how many; its CHECKs then hold for every row.';

-- One by one, each within the time of a statement; jobs first, for which workers wait.
SELECT workspace_db_set_unreadable_aside('jobs');
SELECT workspace_db_set_unreadable_aside('job_schedules');
SELECT workspace_db_set_unreadable_aside('admin_users');
SELECT workspace_db_set_unreadable_aside('workspaces');
SELECT workspace_db_set_unreadable_aside('workspace_settings');
SELECT workspace_db_set_unreadable_aside('workspace_admins');
SELECT workspace_db_set_unreadable_aside('datasources');
SELECT workspace_db_set_unreadable_aside('documents');
SELECT workspace_db_set_unreadable_aside('document_chunks');
SELECT workspace_db_set_unreadable_aside('conversations');
SELECT workspace_db_set_unreadable_aside('messages');
SELECT workspace_db_set_unreadable_aside('feedback');
SELECT workspace_db_set_unreadable_aside('analytics_events');
SELECT workspace_db_set_unreadable_aside('webhook_subscriptions');
SELECT workspace_db_set_unreadable_aside('job_queues');
SELECT workspace_db_set_unreadable_aside('chunk_reembeddings');
SELECT workspace_db_set_unreadable_aside('admin_tokens');
SELECT workspace_db_set_unreadable_aside('service_tokens');
SELECT workspace_db_set_unreadable_aside('login_throttles');
SELECT workspace_db_set_unreadable_aside('audit_log');

-- The same direction at length 1, which is what cosines are about.
SET LOCAL ROLE workspace_platform;
UPDATE document_chunks SET vector = l2_normalize(vector) WHERE NOT vector_norm(vector) BETWEEN 1e-15 AND 1e15;
UPDATE chunk_reembeddings SET vector = l2_normalize(vector) WHERE NOT vector_norm(vector) BETWEEN 1e-15 AND 1e15;
RESET ROLE;
ALTER TABLE document_chunks VALIDATE CONSTRAINT document_chunks_vector_check;
ALTER TABLE chunk_reembeddings VALIDATE CONSTRAINT chunk_reembeddings_vector_check;
