DROP FUNCTION workspace_db_let_readers_in();

DO $$
DECLARE
    isolated regclass;
BEGIN
    IF to_regrole('workspace_reader') IS NULL THEN
        RETURN;
    END IF;
    SET LOCAL ROLE workspace_platform;
    REVOKE EXECUTE ON FUNCTION workspace_db_matching_chunks(tsquery, integer) FROM workspace_reader;
    RESET ROLE;
    FOR isolated IN
        SELECT p.polrelid FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
        WHERE p.polname = 'workspace_isolation' AND pg_has_role(c.relowner, 'USAGE')
        ORDER BY p.polrelid
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM workspace_reader', isolated);
        EXECUTE format('ALTER POLICY workspace_isolation ON %s TO workspace_app', isolated);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION workspace_db_isolate(tenant_table regclass) RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog
AS $function$
DECLARE
    -- The sub-select runs once a statement and not once a row. nullif, since a setting that a transaction had set
    -- reads as '' afterwards: no workspace, so no row.
    is_current CONSTANT text :=
        $$(workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))$$;
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('CREATE POLICY workspace_isolation ON %s TO workspace_app USING %s WITH CHECK %s',
        tenant_table, is_current, is_current);
    EXECUTE format('CREATE POLICY platform_access ON %s TO workspace_platform USING (true) WITH CHECK (true)', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO workspace_app, workspace_platform', tenant_table);
END
$function$;
COMMENT ON FUNCTION workspace_db_isolate(regclass) IS
    'Puts a table with a workspace_id under forced row-level security, and grants it to workspace_app and workspace_platform.';

-- The role is the server's: another database may need it, and a superuser may have made it.
DO $$
BEGIN
    DROP ROLE workspace_reader;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege OR undefined_object THEN
    RAISE NOTICE 'the role workspace_reader stays: %', SQLERRM;
END
$$;
