DO $$
BEGIN
    PERFORM '[1]'::vector;
    EXECUTE format('ALTER DATABASE %I RESET ivfflat.probes', current_database());
    EXECUTE format('ALTER DATABASE %I RESET ivfflat.iterative_scan', current_database());
    EXECUTE format('ALTER DATABASE %I RESET hnsw.ef_search', current_database());
    EXECUTE format('ALTER DATABASE %I RESET hnsw.iterative_scan', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'the defaults of vector indexes stay, since % does not own the database', current_user;
END
$$;
