-- In one transaction, behind the copy: the old tables with their types go aside, and the new ones take their place. Whatever
-- the migrations made is in the schema it was made in, and nothing else is.
DO $$
DECLARE
    one record;
BEGIN
    CREATE SCHEMA workspace_db_before;
    FOR one IN SELECT unnest(string_to_array('{tables}', ',')) AS name LOOP
        EXECUTE format('ALTER TABLE public.%I SET SCHEMA workspace_db_before', one.name);
    END LOOP;
    -- Types of the old package that are in the way of the new ones, or that nothing but the old tables uses.
    FOR one IN SELECT t.typname AS name FROM pg_type AS t
        WHERE t.typnamespace = 'public'::regnamespace AND t.typtype = 'e' AND t.typname = ANY (string_to_array('{types}', ','))
    LOOP
        EXECUTE format('ALTER TYPE public.%I SET SCHEMA workspace_db_before', one.name);
    END LOOP;
    FOR one IN SELECT c.relname AS name FROM pg_class AS c
        WHERE c.relnamespace = 'workspace_db_next'::regnamespace AND c.relkind IN ('r', 'p', 'v')
    LOOP
        EXECUTE format('ALTER TABLE workspace_db_next.%I SET SCHEMA public', one.name);
    END LOOP;
    FOR one IN SELECT t.typname AS name FROM pg_type AS t
        WHERE t.typnamespace = 'workspace_db_next'::regnamespace AND t.typtype = 'e'
    LOOP
        EXECUTE format('ALTER TYPE workspace_db_next.%I SET SCHEMA public', one.name);
    END LOOP;
    FOR one IN SELECT p.oid::regprocedure AS name, pg_get_userbyid(p.proowner) AS owner,
            p.proconfig::text LIKE '%workspace_db_next%' AS has_path
        FROM pg_proc AS p WHERE p.pronamespace = 'workspace_db_next'::regnamespace
    LOOP
        -- The path of this session is the one that the migrations would have found.
        IF one.has_path THEN
            EXECUTE format('ALTER FUNCTION %s SET search_path FROM CURRENT', one.name);
        END IF;
        IF one.owner = 'workspace_platform' THEN
            GRANT CREATE ON SCHEMA public TO workspace_platform;
            SET LOCAL ROLE workspace_platform;
            EXECUTE format('ALTER FUNCTION %s SET SCHEMA public', one.name);
            RESET ROLE;
            REVOKE CREATE ON SCHEMA public FROM workspace_platform;
        ELSE
            EXECUTE format('ALTER FUNCTION %s SET SCHEMA public', one.name);
        END IF;
    END LOOP;
    DROP SCHEMA workspace_db_next;
END
$$;
