DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT k.of_table::regclass AS of_table, k.name, k.definition FROM workspace_db_adoption.foreign_keys AS k LOOP
        EXECUTE format('ALTER TABLE %s {change}', one.of_table, {argument});
    END LOOP;
END
$$
