-- The database's own line: row-level security, forced, on every table. Two group roles, neither of which logs in:
-- workspace_app sees the workspace that the transaction has set and no other; workspace_platform sees all of them, by
-- a policy and not by BYPASSRLS, which managed services do not grant. Nobody else sees a row, the tables' owner included.

-- Roles belong to the whole server, so another database may have made them; two migrators may race for it.
DO $$
DECLARE
    group_role text;
    remedy CONSTANT text := 'run what `workspace-db roles` prints once as a superuser of the server, then migrate again';
BEGIN
    FOREACH group_role IN ARRAY ARRAY['workspace_app', 'workspace_platform'] LOOP
        IF to_regrole(group_role) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', group_role);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION 'role "%" may not create the role %; %', current_user, group_role, remedy
                        USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'workspace_db_prerequisite';
            END;
        END IF;
        -- Who has only the owner's login drops to these for each transaction: SET, but not INHERIT, or the owner would
        -- pass every policy without asking.
        IF NOT pg_has_role(current_user, group_role, 'SET') THEN
            BEGIN
                EXECUTE format('GRANT %I TO CURRENT_USER WITH INHERIT FALSE, SET TRUE', group_role);
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'role "%" may not become %; %', current_user, group_role, remedy
                    USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'workspace_db_prerequisite';
            END;
        END IF;
    END LOOP;
END
$$;

-- Called by the migration of every tenant's table, as its last statement.
CREATE FUNCTION workspace_db_isolate(tenant_table regclass) RETURNS void
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
REVOKE EXECUTE ON FUNCTION workspace_db_isolate(regclass) FROM PUBLIC;

SELECT workspace_db_isolate(tenant_table) FROM unnest(ARRAY[
    'workspace_settings', 'workspace_admins', 'datasources', 'documents', 'document_chunks', 'conversations', 'messages',
    'feedback', 'analytics_events', 'webhook_subscriptions', 'jobs'
]::regclass[]) AS tenant_table;

-- A workspace sees its own row and may change how it presents itself; it neither makes, deletes nor re-activates one.
ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;
ALTER TABLE workspaces FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace_isolation ON workspaces TO workspace_app
    USING (id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))
    WITH CHECK (id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid));
CREATE POLICY platform_access ON workspaces TO workspace_platform USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE (name, description, default_language, is_published, confidence_threshold, updated_at)
    ON workspaces TO workspace_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON workspaces TO workspace_platform;

-- Administrators belong to no workspace, and their password hashes are no workspace's business.
ALTER TABLE admin_users ENABLE ROW LEVEL SECURITY;
ALTER TABLE admin_users FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_access ON admin_users TO workspace_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON admin_users TO workspace_platform;

-- Which migrations the database has: for a backup, which reads every table as this role.
DO $$
BEGIN
    IF to_regclass('__diesel_schema_migrations') IS NOT NULL THEN
        GRANT SELECT ON __diesel_schema_migrations TO workspace_platform;
    END IF;
END
$$;
