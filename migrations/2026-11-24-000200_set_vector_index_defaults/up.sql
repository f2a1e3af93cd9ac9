-- Defaults for your own queries that order by a distance and use an index. By pgvector's defaults a scan probes one list of a
-- hundred and then stops, so that a workspace gets few of its rows, or none.

DO $$
DECLARE
    setting record;
BEGIN
    -- Loads pgvector. Until then its settings are unknown names, which only a superuser may store.
    PERFORM '[1]'::vector;
    FOR setting IN
        SELECT * FROM (VALUES
            ('ivfflat.probes', '10'),
            ('ivfflat.iterative_scan', 'relaxed_order'),
            ('hnsw.ef_search', '100'),
            ('hnsw.iterative_scan', 'strict_order')
        ) AS wanted (name, value)
        -- A value that is set for this database already stays.
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
