-- The group roles of row-level security, none of which can log in. workspace_app sees the workspace that the transaction has
-- set. workspace_reader sees the same and can only SELECT. workspace_platform sees every workspace, by a policy instead of
-- BYPASSRLS, which managed services do not grant. No other role sees a row, the owner of the tables included.

-- Roles belong to the server: another database may have created them, and two migrators may create them at the same time.
DO $$
DECLARE
    group_role text;
    remedy CONSTANT text := 'run the output of `workspace-db roles` once as a superuser of the server, then migrate again';
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
        -- A program that has only the owner's login switches to these roles in each transaction. With SET and without
        -- INHERIT, by which the owner would pass every policy.
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

-- If the owner may not create roles, read-only scopes run as workspace_app in read-only transactions, until a superuser runs the
-- output of `workspace-db roles` and the owner calls workspace_db_let_readers_in().
DO $$
BEGIN
    IF to_regrole('workspace_reader') IS NULL THEN
        CREATE ROLE workspace_reader NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
    -- Every login of workspace_app may switch to it. Without INHERIT, so that workspace_app gains no privilege.
    IF NOT pg_has_role('workspace_app', 'workspace_reader', 'SET') THEN
        GRANT workspace_reader TO workspace_app WITH INHERIT FALSE, SET TRUE;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'read-only scopes run without the role workspace_reader: %', SQLERRM;
END
$$;

-- A backup reads every table as this role, the list of applied migrations included.
DO $$
BEGIN
    IF to_regclass('__diesel_schema_migrations') IS NOT NULL THEN
        GRANT SELECT ON __diesel_schema_migrations TO workspace_platform;
    END IF;
END
$$;
