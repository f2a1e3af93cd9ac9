-- Whatever the migrations made is in the schema it was made in, and nothing else is.
INSERT INTO workspace_db_adoption.moved (kind, object)
SELECT 'table', c.oid FROM pg_class c
WHERE c.relnamespace = '{from}'::regnamespace AND c.relkind IN ('r', 'p', 'v')
UNION ALL
SELECT 'type', t.oid FROM pg_type t WHERE t.typnamespace = '{from}'::regnamespace AND t.typtype = 'e'
UNION ALL
SELECT 'function', p.oid FROM pg_proc p WHERE p.pronamespace = '{from}'::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
