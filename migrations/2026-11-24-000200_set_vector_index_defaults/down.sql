DO $$
DECLARE
    setting text;
BEGIN
    PERFORM '[1]'::vector;
    FOR setting IN
        SELECT split_part(known, '=', 1)
        FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase, unnest(s.setconfig) AS known
        WHERE d.datname = current_database() AND s.setrole = 0 AND known = ANY (ARRAY[
            'ivfflat.probes=10', 'ivfflat.iterative_scan=relaxed_order', 'hnsw.ef_search=100', 'hnsw.iterative_scan=strict_order'
        ])
    LOOP
        EXECUTE format('ALTER DATABASE %I RESET %s', current_database(), setting);
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'the defaults of vector indexes stay, since % does not own the database', current_user;
END
$$;
