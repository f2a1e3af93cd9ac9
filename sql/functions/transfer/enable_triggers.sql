CREATE OR REPLACE FUNCTION workspace_db_enable_triggers(of_table regclass, names text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    name text;
BEGIN
    -- An enabled trigger stays as it is.
    FOR name IN
        SELECT tgname::text FROM pg_catalog.pg_trigger
        WHERE tgrelid = of_table AND NOT tgisinternal AND tgenabled = 'D' AND tgname = ANY (names)
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE TRIGGER %I', of_table, name);
    END LOOP;
END
$function$;
COMMENT ON FUNCTION workspace_db_enable_triggers(regclass, text[]) IS
    'Enables the triggers that workspace_db_disable_triggers has disabled.';
