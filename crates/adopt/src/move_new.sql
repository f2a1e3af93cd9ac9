DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT m.object::regclass AS name FROM workspace_db_adoption.moved AS m WHERE m.kind = 'table' LOOP
        EXECUTE format('ALTER TABLE %s SET SCHEMA {to}', one.name);
    END LOOP;
    FOR one IN SELECT m.object::regtype AS name FROM workspace_db_adoption.moved AS m WHERE m.kind = 'type' LOOP
        EXECUTE format('ALTER TYPE %s SET SCHEMA {to}', one.name);
    END LOOP;
    FOR one IN SELECT p.oid::regprocedure AS name, pg_get_userbyid(p.proowner) AS owner,
            EXISTS (SELECT FROM unnest(p.proconfig) AS setting 
                WHERE setting LIKE 'search_path=%' AND setting NOT LIKE 'search_path=pg_catalog%') AS has_path
        FROM workspace_db_adoption.moved AS m JOIN pg_proc AS p ON p.oid = m.object WHERE m.kind = 'function'
    LOOP
        -- Functions with pg_catalog alone refer to the tables by their identity.
        IF one.has_path THEN
            EXECUTE format('ALTER FUNCTION %s SET search_path {path}', one.name);
        END IF;
        IF one.owner = 'workspace_platform' THEN
            GRANT CREATE ON SCHEMA {to} TO workspace_platform;
            SET LOCAL ROLE workspace_platform;
            EXECUTE format('ALTER FUNCTION %s SET SCHEMA {to}', one.name);
            RESET ROLE;
            REVOKE CREATE ON SCHEMA {to} FROM workspace_platform;
        ELSE
            EXECUTE format('ALTER FUNCTION %s SET SCHEMA {to}', one.name);
        END IF;
    END LOOP;
END
$$
