-- What everything after this needs from the server. An extension that this migration creates carries
-- "(created by workspace-db)" in its comment, so that down.sql drops that one and leaves one that was here before.
-- The remedies stand in the messages and not in HINTs, which the Diesel CLI does not show; the constraint name tells
-- this crate what kind of error it is.
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
        RAISE EXCEPTION 'this server does not ship the extension "vector" (pgvector); install 0.7 or newer beside the server: '
            'the package postgresql-%-pgvector on Debian and Ubuntu, pgvector_% on Red Hat, `brew install pgvector` on macOS, '
            'a switch at a managed service; or let `workspace-db up` bring a server that has it',
            current_setting('server_version_num')::int / 10000, current_setting('server_version_num')::int / 10000
            USING ERRCODE = 'feature_not_supported', CONSTRAINT = 'workspace_db_prerequisite';
    END IF;

    -- binary_quantize, on which document_chunks.vector_bits stands, came with 0.7.
    IF string_to_array(present, '.')::int[] < ARRAY[0, 7] THEN
        RAISE EXCEPTION 'pgvector % is too old, 0.7 is the oldest that works; upgrade the package, '
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
        -- A managed service may make it under a role of its own; then it stays when this is reverted.
        BEGIN
            COMMENT ON EXTENSION vector IS 'vector similarity search (created by workspace-db)';
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'the extension vector belongs to another role and stays when this migration is reverted';
        END;
    END IF;

    -- The contract lists pgcrypto; nothing here needs it, since gen_random_uuid() is part of the core.
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
