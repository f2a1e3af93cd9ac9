-- A trigger that sets `updated_at`, or tells others of a new row, made every archive of its table one that can't be imported. An
-- import writes rows as they were, so it puts the table's own triggers out of use for the length of one transaction, which the
-- platform's login may not do by itself.
CREATE FUNCTION workspace_db_disable_triggers(of_table regclass) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    names CONSTANT text[] := ARRAY(
        SELECT tgname::text FROM pg_catalog.pg_trigger WHERE tgrelid = of_table AND NOT tgisinternal AND tgenabled = 'O' ORDER BY tgname
    );
    name text;
BEGIN
    IF (SELECT relname FROM pg_catalog.pg_class WHERE oid = of_table) = 'audit_log' THEN
        RAISE EXCEPTION 'nothing comes into the audit log beside its triggers' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOREACH name IN ARRAY names LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER %I', of_table, name);
    END LOOP;
    RETURN names;
END
$function$;
COMMENT ON FUNCTION workspace_db_disable_triggers(regclass) IS
    'Puts the triggers of a table out of use, and returns their names: for an import, which puts them in use again before it commits.';

CREATE FUNCTION workspace_db_enable_triggers(of_table regclass, names text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    name text;
BEGIN
    -- A trigger that is in use stays as it is.
    FOR name IN
        SELECT tgname::text FROM pg_catalog.pg_trigger
        WHERE tgrelid = of_table AND NOT tgisinternal AND tgenabled = 'D' AND tgname = ANY (names)
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE TRIGGER %I', of_table, name);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION workspace_db_enable_triggers(regclass, text[]) IS
    'Puts in use again what workspace_db_disable_triggers has put out of use.';

REVOKE EXECUTE ON FUNCTION workspace_db_disable_triggers(regclass), workspace_db_enable_triggers(regclass, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION workspace_db_disable_triggers(regclass), workspace_db_enable_triggers(regclass, text[])
    TO workspace_platform;
