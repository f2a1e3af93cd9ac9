CREATE OR REPLACE FUNCTION workspace_db_let_readers_in() RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog
AS $function$
DECLARE
    isolated regclass;
    matching regprocedure;
BEGIN
    IF to_regrole('workspace_reader') IS NULL THEN
        RETURN;
    END IF;
    -- These include tables of your own.
    FOR isolated IN
        SELECT p.polrelid FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
        WHERE p.polname = 'workspace_isolation' AND pg_has_role(c.relowner, 'USAGE')
            AND NOT to_regrole('workspace_reader')::oid = ANY (p.polroles)
        ORDER BY p.polrelid
    LOOP
        EXECUTE format('ALTER POLICY workspace_isolation ON %s TO workspace_app, workspace_reader', isolated);
        EXECUTE format('GRANT SELECT ON %s TO workspace_reader', isolated);
    END LOOP;
    -- workspace_platform owns these functions, so only that role can grant them.
    FOR matching IN
        SELECT p.oid FROM pg_proc AS p WHERE p.proname IN ('workspace_db_matching_chunks', 'workspace_db_matching_messages')
    LOOP
        SET LOCAL ROLE workspace_platform;
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO workspace_reader', matching);
        RESET ROLE;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION workspace_db_let_readers_in() IS
    'Grants workspace_reader SELECT on every isolated table, if the role exists. Can be repeated.';
