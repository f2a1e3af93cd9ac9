-- What a query gets that orders by a distance itself, where an index answers it. pgvector's own defaults look into one
-- list of a hundred, and give up once they have looked: a workspace then gets few of its rows or none.

DO $$
DECLARE
    installed text := (SELECT extversion FROM pg_extension WHERE extname = 'vector');
    setting record;
BEGIN
    -- Scans that go on until enough rows have passed the filters came with 0.8.
    IF string_to_array(installed, '.')::int[] < ARRAY[0, 8] THEN
        RAISE EXCEPTION 'pgvector % is too old from here on, 0.8 is the oldest that works; upgrade the package, '
            'then run ALTER EXTENSION vector UPDATE in this database', installed
            USING ERRCODE = 'feature_not_supported', CONSTRAINT = 'workspace_db_prerequisite';
    END IF;

    -- Loads pgvector. Before that its settings are names of nothing, which only a superuser may store.
    PERFORM '[1]'::vector;
    FOR setting IN
        SELECT * FROM (VALUES
            ('ivfflat.probes', '10'),
            ('ivfflat.iterative_scan', 'relaxed_order'),
            ('hnsw.ef_search', '100'),
            ('hnsw.iterative_scan', 'strict_order')
        ) AS wanted (name, value)
        -- What somebody has set for this database stays.
        WHERE NOT EXISTS (
            SELECT FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase, unnest(s.setconfig) AS known
            WHERE d.datname = current_database() AND s.setrole = 0 AND starts_with(known, wanted.name || '=')
        )
    LOOP
        EXECUTE format('ALTER DATABASE %I SET %s = %L', current_database(), setting.name, setting.value);
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'the defaults of vector indexes were not set, since % does not own the database', current_user
        USING HINT = 'As its owner, run `workspace-db index retrain`, which sets them.';
END
$$;
