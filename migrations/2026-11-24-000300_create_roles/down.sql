DO $$
DECLARE
    group_role text;
BEGIN
    IF to_regclass('__diesel_schema_migrations') IS NOT NULL THEN
        REVOKE ALL ON __diesel_schema_migrations FROM workspace_platform;
    END IF;

    -- Roles belong to the server: another database may need them, and a superuser may have created them.
    FOREACH group_role IN ARRAY ARRAY['workspace_reader', 'workspace_app', 'workspace_platform'] LOOP
        BEGIN
            EXECUTE format('DROP ROLE %I', group_role);
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege OR undefined_object THEN
            RAISE NOTICE 'the role % stays: %', group_role, SQLERRM;
        END;
    END LOOP;
END
$$;
