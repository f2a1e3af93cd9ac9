-- Extensions that the migrations created, such as pgcrypto.
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT e.extname AS name FROM pg_extension AS e WHERE e.extnamespace = '{from}'::regnamespace LOOP
        EXECUTE format('ALTER EXTENSION %I SET SCHEMA {to}', one.name);
    END LOOP;
END
$$
