-- An import writes rows exactly as they were exported. A trigger that sets `updated_at`, or that sends notifications, would change
-- that, so the import disables the triggers of a table for one transaction. The platform's login has no privilege to do so.
CREATE OR REPLACE FUNCTION workspace_db_disable_triggers(of_table regclass) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    names CONSTANT text[] := ARRAY(
        SELECT tgname::text FROM pg_catalog.pg_trigger WHERE tgrelid = of_table AND NOT tgisinternal AND tgenabled = 'O' ORDER BY tgname
    );
    name text;
BEGIN
    IF (SELECT relname FROM pg_catalog.pg_class WHERE oid = of_table) = 'audit_log' THEN
        RAISE EXCEPTION 'the triggers of the audit log can''t be disabled' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOREACH name IN ARRAY names LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', of_table, name);
    END LOOP;
    RETURN names;
END
$function$;
COMMENT ON FUNCTION workspace_db_disable_triggers(regclass) IS
    'Disables the triggers of a table for an import, which enables them before it commits, and returns their names.';
