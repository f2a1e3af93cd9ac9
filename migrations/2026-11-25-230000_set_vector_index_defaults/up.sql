-- What a query gets that orders by a distance itself, where an index answers it. pgvector's own defaults look into one
-- list of a hundred, and give up once they have looked: a workspace then gets few of its rows or none.

DO $$
BEGIN
    -- Loads pgvector. Before that its settings are names of nothing, which only a superuser may store.
    PERFORM '[1]'::vector;
    EXECUTE format('ALTER DATABASE %I SET ivfflat.probes = 10', current_database());
    EXECUTE format('ALTER DATABASE %I SET ivfflat.iterative_scan = relaxed_order', current_database());
    EXECUTE format('ALTER DATABASE %I SET hnsw.ef_search = 100', current_database());
    EXECUTE format('ALTER DATABASE %I SET hnsw.iterative_scan = strict_order', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'the defaults of vector indexes were not set, since % does not own the database', current_user
        USING HINT = 'As its owner, run `workspace-db index retrain`, which sets them.';
END
$$;
