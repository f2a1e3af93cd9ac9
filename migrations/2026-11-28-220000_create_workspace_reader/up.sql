-- A scope that reads runs as workspace_reader: SELECT alone, under the same policy as workspace_app. Whatever raw SQL a
-- reader runs, PostgreSQL refuses the write for lack of a privilege, besides the read-only transaction.

-- Where the owner may not make roles, scopes that read go on as workspace_app in read-only transactions, until a superuser
-- has run what `workspace-db roles` prints and the owner calls workspace_db_let_readers_in().
DO $$
BEGIN
    IF to_regrole('workspace_reader') IS NULL THEN
        CREATE ROLE workspace_reader NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
    -- Every login of workspace_app may drop to it. Without INHERIT, so that it adds nothing to workspace_app.
    IF NOT pg_has_role('workspace_app', 'workspace_reader', 'SET') THEN
        GRANT workspace_reader TO workspace_app WITH INHERIT FALSE, SET TRUE;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'scopes that read do without the role workspace_reader: %', SQLERRM;
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
    readers CONSTANT text := CASE WHEN to_regrole('workspace_reader') IS NULL THEN '' ELSE ', workspace_reader' END;
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('CREATE POLICY workspace_isolation ON %s TO workspace_app%s USING %s WITH CHECK %s',
        tenant_table, readers, is_current, is_current);
    EXECUTE format('CREATE POLICY platform_access ON %s TO workspace_platform USING (true) WITH CHECK (true)', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO workspace_app, workspace_platform', tenant_table);
    IF readers <> '' THEN
        EXECUTE format('GRANT SELECT ON %s TO workspace_reader', tenant_table);
    END IF;
END
$function$;
COMMENT ON FUNCTION workspace_db_isolate(regclass) IS
    'Puts a table with a workspace_id under forced row-level security, and grants it to workspace_app, workspace_reader and workspace_platform.';

CREATE FUNCTION workspace_db_let_readers_in() RETURNS void
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
    -- Your own tables are among them.
    FOR isolated IN
        SELECT p.polrelid FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
        WHERE p.polname = 'workspace_isolation' AND pg_has_role(c.relowner, 'USAGE')
            AND NOT to_regrole('workspace_reader')::oid = ANY (p.polroles)
        ORDER BY p.polrelid
    LOOP
        EXECUTE format('ALTER POLICY workspace_isolation ON %s TO workspace_app, workspace_reader', isolated);
        EXECUTE format('GRANT SELECT ON %s TO workspace_reader', isolated);
    END LOOP;
    -- The function belongs to workspace_platform, which grants it.
    SELECT p.oid INTO chunks FROM pg_proc AS p WHERE p.proname = 'workspace_db_matching_chunks';
    SET LOCAL ROLE workspace_platform;
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO workspace_reader', chunks::regprocedure);
    RESET ROLE;
END
$function$;
COMMENT ON FUNCTION workspace_db_let_readers_in() IS
    'Lets workspace_reader read every isolated table, once the role is there. It can be run again.';
REVOKE EXECUTE ON FUNCTION workspace_db_let_readers_in() FROM PUBLIC;

SELECT workspace_db_let_readers_in();
