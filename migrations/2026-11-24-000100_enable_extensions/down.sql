DO $$
DECLARE
    extension text;
BEGIN
    FOR extension IN
        SELECT extname FROM pg_extension
        WHERE extname IN ('vector', 'pgcrypto')
          AND obj_description(oid, 'pg_extension') LIKE '%(created by workspace-db)'
    LOOP
        EXECUTE format('DROP EXTENSION %I', extension);
    END LOOP;
END
$$;
