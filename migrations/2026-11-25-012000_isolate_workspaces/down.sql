DROP FUNCTION workspace_db_isolate(regclass);

DO $$
DECLARE
    isolated text;
    group_role text;
BEGIN
    FOR isolated, group_role IN SELECT DISTINCT tablename, unnest(roles) FROM pg_policies
        WHERE schemaname = current_schema() AND policyname IN ('workspace_isolation', 'platform_access')
    LOOP
        EXECUTE format('DROP POLICY IF EXISTS workspace_isolation ON %I', isolated);
        EXECUTE format('DROP POLICY IF EXISTS platform_access ON %I', isolated);
        EXECUTE format('REVOKE ALL ON %I FROM %I', isolated, group_role);
        EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', isolated);
        EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', isolated);
    END LOOP;

    IF to_regclass('__diesel_schema_migrations') IS NOT NULL THEN
        REVOKE ALL ON __diesel_schema_migrations FROM workspace_platform;
    END IF;

    -- The roles are the server's: another database may need them, and a superuser may have made them.
    FOREACH group_role IN ARRAY ARRAY['workspace_app', 'workspace_platform'] LOOP
        BEGIN
            EXECUTE format('DROP ROLE %I', group_role);
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege OR undefined_object THEN
            RAISE NOTICE 'the role % stays: %', group_role, SQLERRM;
        END;
    END LOOP;
END
$$;
