-- Objects outside the old platform's tables that depend on them or on its enums, through pg_depend.
WITH RECURSIVE old_tables AS (
    SELECT c.oid, c.reltype FROM pg_class c
    WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p') AND c.relname = ANY ($2)
    UNION
    -- A partition is a part of its table.
    SELECT c.oid, c.reltype FROM old_tables o JOIN pg_inherits i ON i.inhparent = o.oid
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
), old_types AS (
    SELECT t.oid, t.typarray FROM pg_type t
    WHERE t.typnamespace = to_regnamespace($1) AND t.typtype = 'e' AND t.typname = ANY ($3)
), old_objects (classid, oid, is_type) AS (
    SELECT 'pg_class'::regclass, oid, false FROM old_tables
    UNION ALL SELECT 'pg_type'::regclass, reltype, false FROM old_tables
    UNION ALL SELECT 'pg_type'::regclass, t.typarray, false FROM old_tables JOIN pg_type t ON t.oid = reltype
    -- A view can depend on a primary key, and a foreign key depends on its index.
    UNION ALL SELECT 'pg_constraint'::regclass, k.oid, false FROM pg_constraint k WHERE k.conrelid IN (SELECT oid FROM old_tables)
    UNION ALL SELECT 'pg_class'::regclass, i.indexrelid, false FROM pg_index i WHERE i.indrelid IN (SELECT oid FROM old_tables)
    UNION ALL SELECT 'pg_type'::regclass, oid, true FROM old_types
    UNION ALL SELECT 'pg_type'::regclass, typarray, true FROM old_types
), dependents AS (
    SELECT d.classid, d.objid, d.objsubid, bool_and(o.is_type) AS is_of_type
    FROM pg_depend d JOIN old_objects o ON o.classid = d.refclassid AND o.oid = d.refobjid
    WHERE d.deptype IN ('n', 'a') GROUP BY 1, 2, 3
), owned AS (
    -- The table that a dependent belongs to, if any.
    SELECT d.*, coalesce(
        (SELECT k.conrelid FROM pg_constraint k WHERE d.classid = 'pg_constraint'::regclass AND k.oid = d.objid AND k.conrelid <> 0),
        (SELECT a.adrelid FROM pg_attrdef a WHERE d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid),
        (SELECT t.tgrelid FROM pg_trigger t WHERE d.classid = 'pg_trigger'::regclass AND t.oid = d.objid),
        (SELECT p.polrelid FROM pg_policy p WHERE d.classid = 'pg_policy'::regclass AND p.oid = d.objid),
        (SELECT r.ev_class FROM pg_rewrite r WHERE d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid),
        (SELECT e.stxrelid FROM pg_statistic_ext e WHERE d.classid = 'pg_statistic_ext'::regclass AND e.oid = d.objid),
        (SELECT i.indrelid FROM pg_index i WHERE d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid),
        (SELECT c.oid FROM pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind <> 'i')
    ) AS of_table FROM dependents d
)
SELECT DISTINCT
    CASE WHEN o.classid = 'pg_rewrite'::regclass AND v.relkind IN ('v', 'm') THEN pg_describe_object('pg_class'::regclass, v.oid, 0)
        ELSE pg_describe_object(o.classid, o.objid, o.objsubid) END AS object,
    CASE
        -- A foreign key from another table on the id of workspaces or administrators, which the new tables have too.
        WHEN k.contype = 'f' AND k.conparentid = 0 AND cardinality(k.confkey) = 1 AND f.relname IN ('workspaces', 'admin_users')
            AND a.attname = 'id' THEN 'repointed'
        WHEN o.of_table IN (SELECT oid FROM old_tables) THEN 'dropped'
        WHEN o.is_of_type THEN 'kept'
        ELSE 'blocking'
    END AS outcome,
    o.of_table, k.conname::text AS name, pg_get_constraintdef(k.oid) AS definition
FROM owned o
LEFT JOIN pg_class v ON v.oid = o.of_table
LEFT JOIN pg_constraint k ON o.classid = 'pg_constraint'::regclass AND k.oid = o.objid
LEFT JOIN pg_class f ON f.oid = k.confrelid AND f.oid IN (SELECT oid FROM old_tables)
LEFT JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = k.confkey[1]
WHERE NOT (
    -- Excludes the parts of the old tables.
    o.of_table IN (SELECT oid FROM old_tables) AND (
        o.classid IN ('pg_class'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass)
        OR o.classid = 'pg_trigger'::regclass AND (SELECT t.tgisinternal FROM pg_trigger t WHERE t.oid = o.objid)
    )
)
-- Parts of a foreign key on the partitions, triggers of foreign keys, and sequences of the old columns.
AND NOT (o.classid = 'pg_constraint'::regclass AND k.conparentid <> 0)
AND NOT (o.classid = 'pg_trigger'::regclass AND (SELECT t.tgisinternal FROM pg_trigger t WHERE t.oid = o.objid))
AND NOT (o.classid = 'pg_class'::regclass AND v.relkind IN ('t', 'S'))
UNION ALL
-- Publications that have the old tables without naming them.
SELECT 'publication ' || p.pubname, 'blocking', NULL, NULL, NULL FROM pg_publication p
WHERE p.puballtables OR EXISTS (SELECT FROM pg_publication_namespace n WHERE n.pnpubid = p.oid AND n.pnnspid = to_regnamespace($1))
UNION ALL
-- Objects that have the name of a new one.
SELECT pg_describe_object('pg_class'::regclass, c.oid, 0), 'blocking', NULL, NULL, NULL FROM pg_class c
WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname = ANY ($4)
UNION ALL
SELECT pg_describe_object('pg_type'::regclass, t.oid, 0), 'blocking', NULL, NULL, NULL FROM pg_type t
WHERE t.typnamespace = to_regnamespace($1) AND t.typtype IN ('e', 'd') AND t.typname = ANY ($5)
UNION ALL
-- Privileges of other roles on the old tables.
SELECT format('%s on table %s for %s', string_agg(DISTINCT p.privilege_type, ', '), c.relname,
        CASE p.grantee WHEN 0 THEN 'PUBLIC' ELSE 'role ' || pg_get_userbyid(p.grantee) END),
    'dropped', NULL, NULL, NULL
FROM old_tables o JOIN pg_class c ON c.oid = o.oid
CROSS JOIN LATERAL (
    SELECT a.grantee, a.privilege_type FROM aclexplode(c.relacl) AS a
    UNION ALL SELECT a.grantee, a.privilege_type || ' of columns' FROM pg_attribute t, aclexplode(t.attacl) AS a
    WHERE t.attrelid = c.oid AND NOT t.attisdropped
) AS p WHERE p.grantee <> c.relowner GROUP BY c.relname, p.grantee
ORDER BY outcome, object
