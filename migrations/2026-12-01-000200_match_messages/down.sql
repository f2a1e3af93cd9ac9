-- The function belongs to workspace_platform.
SET LOCAL ROLE workspace_platform;
DROP FUNCTION workspace_db_matching_messages(tsquery, tsquery, integer, text, uuid, message_state[], timestamptz, timestamptz, integer);
RESET ROLE;
CREATE OR REPLACE FUNCTION workspace_db_let_readers_in() RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog
AS $function$
DECLARE
    isolated regclass;
    chunks oid;
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
    -- workspace_platform owns the function, so only that role can grant it.
    SELECT p.oid INTO chunks FROM pg_proc AS p WHERE p.proname = 'workspace_db_matching_chunks';
    IF chunks IS NOT NULL THEN
        SET LOCAL ROLE workspace_platform;
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO workspace_reader', chunks::regprocedure);
        RESET ROLE;
    END IF;
END
$function$;
COMMENT ON FUNCTION workspace_db_let_readers_in() IS
    'Grants workspace_reader SELECT on every isolated table, if the role exists. Can be repeated.';
