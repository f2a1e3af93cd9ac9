-- Every object of this crate's schema and what it is, in words that all supported versions of PostgreSQL share.
WITH plain AS (
    SELECT 'workspace_app' AS role UNION ALL SELECT 'workspace_platform' UNION ALL SELECT 'PUBLIC'
),
ours AS (
    SELECT c.oid, c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relacl
    FROM pg_class AS c
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
        AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT LIKE '\_\_%'
)
SELECT 'table ' || relname AS object,
    CASE relkind WHEN 'p' THEN 'partitioned, ' ELSE '' END
        || CASE WHEN relrowsecurity AND relforcerowsecurity THEN 'row-level security forced'
            WHEN relrowsecurity THEN 'row-level security not forced' ELSE 'no row-level security' END AS definition
FROM ours
UNION ALL
SELECT 'column ' || t.relname || '.' || a.attname,
    format_type(a.atttypid, a.atttypmod)
        || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
        || CASE WHEN a.attgenerated <> '' OR a.attidentity <> '' THEN ' generated ' WHEN d.adbin IS NOT NULL THEN ' default ' ELSE '' END
        || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
        || CASE WHEN a.attstorage <> y.typstorage THEN ' storage ' || a.attstorage::text ELSE '' END
FROM ours AS t
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type AS y ON y.oid = a.atttypid
LEFT JOIN pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = a.attnum
UNION ALL
-- From 18 on, NOT NULL is a constraint too; it stands with the column.
SELECT 'constraint ' || t.relname || '.' || k.conname,
    pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ' (not validated)' END
FROM ours AS t JOIN pg_constraint AS k ON k.conrelid = t.oid AND k.contype <> 'n'
UNION ALL
SELECT 'index ' || t.relname || '.' || c.relname,
    regexp_replace(pg_get_indexdef(i.indexrelid), ' ON \w+\.', ' ON ') || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END
FROM ours AS t JOIN pg_index AS i ON i.indrelid = t.oid JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    -- What `index retrain` makes for large workspaces.
    AND c.relname NOT LIKE 'document\_chunks\_near\_%'
UNION ALL
SELECT 'policy ' || t.relname || '.' || p.polname,
    CASE p.polcmd WHEN '*' THEN 'all' WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' ELSE 'delete' END
        || ' to ' || (SELECT string_agg(CASE WHEN r = (SELECT relowner FROM pg_class WHERE oid = t.oid) THEN 'its owner'
            WHEN r = 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ' ORDER BY r) FROM unnest(p.polroles) AS r)
        || CASE WHEN p.polpermissive THEN '' ELSE ' restrictive' END
        || coalesce(' using ' || pg_get_expr(p.polqual, t.oid), '')
        || coalesce(' check ' || pg_get_expr(p.polwithcheck, t.oid), '')
FROM ours AS t JOIN pg_policy AS p ON p.polrelid = t.oid
UNION ALL
SELECT 'trigger ' || t.relname || '.' || g.tgname, pg_get_triggerdef(g.oid)
FROM ours AS t JOIN pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal
UNION ALL
SELECT 'grant ' || t.relname || ' to ' || role, privileges
FROM ours AS t, plain, LATERAL (
    SELECT string_agg(privilege, ', ' ORDER BY privilege) AS privileges
    FROM (
        SELECT lower(a.privilege_type) AS privilege
        FROM aclexplode(t.relacl) AS a
        WHERE a.grantee = CASE role WHEN 'PUBLIC' THEN 0 ELSE to_regrole(role)::oid END
        UNION ALL
        SELECT lower(a.privilege_type) || ' (' || c.attname || ')'
        FROM pg_attribute AS c, aclexplode(c.attacl) AS a
        WHERE c.attrelid = t.oid AND a.grantee = CASE role WHEN 'PUBLIC' THEN 0 ELSE to_regrole(role)::oid END
    ) AS granted
) AS all_of_them
WHERE privileges IS NOT NULL
UNION ALL
SELECT 'enum ' || t.typname, (SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = t.oid)
FROM pg_type AS t
WHERE t.typtype = 'e' AND t.typnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
UNION ALL
SELECT 'function ' || p.oid::regprocedure,
    l.lanname || CASE WHEN p.prosecdef THEN ', with its owner''s rights' ELSE '' END
        || coalesce(', ' || array_to_string(p.proconfig, ', '), '')
        -- The body of one that was parsed when it was made is written differently by each version.
        || CASE WHEN p.prosqlbody IS NULL THEN ', ' || md5(p.prosrc) ELSE '' END
        || coalesce(', execute: ' || (
            SELECT string_agg(CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, ', ' ORDER BY a.grantee::regrole::text)
            FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE a.grantee <> p.proowner
        ), '')
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
WHERE p.proname LIKE 'workspace\_db\_%'
ORDER BY object
