CREATE OR REPLACE FUNCTION workspace_db_refuse_unreadable(of_table regclass) RETURNS void
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
