-- The tables that the login may read, as one JSON array.
SELECT ARRAY[coalesce(json_agg(t ORDER BY t.name), '[]')::text] AS cells
FROM (
    SELECT c.relname AS name,
        obj_description(c.oid, 'pg_class') AS comment,
        c.reltuples::float8 AS estimate,
        has_table_privilege('workspace_app', c.oid, 'SELECT') AS in_workspace,
        has_table_privilege('workspace_app', c.oid, 'INSERT') AND has_table_privilege('workspace_app', c.oid, 'UPDATE')
            AND has_table_privilege('workspace_app', c.oid, 'DELETE') AS is_written,
        (
            SELECT json_agg(json_build_object(
                'name', a.attname,
                'type', format_type(a.atttypid, a.atttypmod),
                'not_null', a.attnotnull,
                'generated', a.attgenerated <> '' OR a.attidentity = 'a',
                'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
                'comment', col_description(c.oid, a.attnum),
                'labels', (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = a.atttypid)
            ) ORDER BY a.attnum)
            FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ) AS columns,
        coalesce((
            SELECT json_agg(a.attname ORDER BY k.n)
            FROM pg_constraint AS p, unnest(p.conkey) WITH ORDINALITY AS k (attnum, n)
                JOIN pg_attribute AS a USING (attnum)
            WHERE p.conrelid = c.oid AND p.contype = 'p' AND a.attrelid = c.oid
        ), '[]') AS key,
        coalesce((
            SELECT json_agg(json_build_object(
                'name', f.conname,
                'table', r.relname,
                'columns', (SELECT json_agg(a.attname ORDER BY k.n) FROM unnest(f.conkey) WITH ORDINALITY AS k (attnum, n)
                    JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.attnum),
                'refers_to', (SELECT json_agg(a.attname ORDER BY k.n) FROM unnest(f.confkey) WITH ORDINALITY AS k (attnum, n)
                    JOIN pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = k.attnum)
            ) ORDER BY f.conname)
            FROM pg_constraint AS f JOIN pg_class AS r ON r.oid = f.confrelid
            WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0
        ), '[]') AS foreign_keys,
        coalesce((
            SELECT json_agg(json_build_object(
                'name', x.relname,
                'definition', regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', ''),
                'is_unique', i.indisunique,
                'is_valid', i.indisvalid,
                -- Columns by which rows are filtered and sorted.
                'columns', CASE WHEN m.amname = 'btree' AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indisvalid THEN (
                    SELECT json_agg(a.attname ORDER BY k.n)
                    FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, n)
                        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
                ) END
            ) ORDER BY x.relname)
            FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid JOIN pg_am AS m ON m.oid = x.relam
            WHERE i.indrelid = c.oid
        ), '[]') AS indexes,
        coalesce((
            SELECT json_agg(json_build_object('name', k.conname, 'definition', pg_get_constraintdef(k.oid)) ORDER BY k.conname)
            FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'c'
        ), '[]') AS checks
    FROM pg_class AS c
    WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
        AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname NOT LIKE '\_\_%'
        AND has_table_privilege(c.oid, 'SELECT')
) AS t
