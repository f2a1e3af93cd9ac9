DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT unnest(string_to_array('{tables}', ',')) AS name LOOP
        EXECUTE format('ALTER TABLE {from}.%I SET SCHEMA {to}', one.name);
    END LOOP;
    -- Some have the names of new ones. A column of another table keeps its type.
    FOR one IN SELECT t.typname AS name FROM pg_type AS t
        WHERE t.typnamespace = '{from}'::regnamespace AND t.typtype = 'e' AND t.typname = ANY (string_to_array('{types}', ','))
    LOOP
        EXECUTE format('ALTER TYPE {from}.%I SET SCHEMA {to}', one.name);
    END LOOP;
END
$$
