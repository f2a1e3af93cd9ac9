-- Checks the server and creates the extensions. The comment of an extension that this migration creates ends with
-- "(created by workspace-db)", so that down.sql drops it and keeps one that existed before. The messages contain the remedies,
-- since the Diesel CLI does not show HINTs; this crate recognizes the kind of error by the constraint name.
DO $$
DECLARE
    shipped text := (SELECT default_version FROM pg_available_extensions WHERE name = 'vector');
    installed text := (SELECT extversion FROM pg_extension WHERE extname = 'vector');
    present text := coalesce(installed, shipped);
BEGIN
    IF current_setting('server_version_num')::int < 160000 THEN
        RAISE EXCEPTION 'this server is PostgreSQL %, 16 is the oldest that works; upgrade it, or let `workspace-db up` bring one',
            current_setting('server_version')
            USING ERRCODE = 'feature_not_supported', CONSTRAINT = 'workspace_db_prerequisite';
    END IF;

    IF present IS NULL THEN
        RAISE EXCEPTION 'this server does not ship the extension "vector" (pgvector); install 0.8 or newer beside the server: '
            'the package postgresql-%-pgvector on Debian and Ubuntu, pgvector_% on Red Hat, `brew install pgvector` on macOS, '
            'a switch at a managed service; or let `workspace-db up` bring a server that has it',
            current_setting('server_version_num')::int / 10000, current_setting('server_version_num')::int / 10000
            USING ERRCODE = 'feature_not_supported', CONSTRAINT = 'workspace_db_prerequisite';
    END IF;

    -- Index scans that continue until enough rows pass the filters (iterative scans) came with 0.8.
    IF string_to_array(present, '.')::int[] < ARRAY[0, 8] THEN
        RAISE EXCEPTION 'pgvector % is too old, 0.8 is the oldest that works; upgrade the package, '
            'then run ALTER EXTENSION vector UPDATE in this database', present
            USING ERRCODE = 'feature_not_supported', CONSTRAINT = 'workspace_db_prerequisite';
    END IF;

    IF installed IS NULL THEN
        BEGIN
            CREATE EXTENSION vector;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION 'role "%" may not create the extension "vector"; run CREATE EXTENSION vector in this database once '
                'as a superuser of the server, then migrate again', current_user
                USING ERRCODE = 'insufficient_privilege', CONSTRAINT = 'workspace_db_prerequisite';
        END;
        -- A managed service may create it under another role; down.sql then keeps it.
        BEGIN
            COMMENT ON EXTENSION vector IS 'vector similarity search (created by workspace-db)';
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'the extension vector belongs to another role and stays when this migration is reverted';
        END;
    END IF;

    -- The contract lists pgcrypto. Nothing here needs it, since gen_random_uuid() is part of the core.
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pgcrypto' AND installed_version IS NULL) THEN
        BEGIN
            CREATE EXTENSION pgcrypto;
            COMMENT ON EXTENSION pgcrypto IS 'cryptographic functions (created by workspace-db)';
        EXCEPTION WHEN OTHERS THEN
            RAISE NOTICE 'pgcrypto was not enabled, and nothing needs it: %', SQLERRM;
        END;
    END IF;
END
$$;
