CREATE OR REPLACE FUNCTION workspace_db_message_history(of_workspace uuid, of_conversation uuid, leaf uuid, most integer)
RETURNS SETOF messages
LANGUAGE sql STABLE
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
    -- The keys of parents keep the branch in its conversation. OFFSET 0 and the lookups by id alone keep the planner, which may know
    -- nothing of the table, from reading the whole conversation for each parent.
    WITH RECURSIVE start (id) AS MATERIALIZED (
        SELECT coalesce(leaf, workspace_db_conversation_head(of_workspace, of_conversation))
    ), chain (id, parent_id, shown) AS (
        SELECT m.id, m.parent_id, workspace_db_is_shown(m.state, m.content)::integer FROM start
        CROSS JOIN LATERAL (SELECT * FROM messages WHERE workspace_id = of_workspace AND id = start.id OFFSET 0) AS m
        WHERE m.conversation_id = of_conversation
        UNION ALL
        SELECT m.id, m.parent_id, c.shown + workspace_db_is_shown(m.state, m.content)::integer FROM chain AS c
        CROSS JOIN LATERAL (SELECT * FROM messages WHERE workspace_id = of_workspace AND id = c.parent_id OFFSET 0) AS m
        WHERE c.shown < most
    ), branch (id) AS (
        SELECT id FROM chain
        UNION
        -- Messages that another program inserted since the last append follow the head.
        SELECT m.id FROM messages AS m
        WHERE m.workspace_id = of_workspace AND m.conversation_id = of_conversation AND m.seq IS NULL AND leaf IS NULL
    ), last AS (
        SELECT m.* FROM branch AS b
        CROSS JOIN LATERAL (SELECT * FROM messages WHERE workspace_id = of_workspace AND id = b.id OFFSET 0) AS m
        WHERE workspace_db_is_shown(m.state, m.content)
        ORDER BY m.seq DESC NULLS FIRST, m.created_at DESC, m.id DESC
        LIMIT most
    )
    SELECT * FROM last ORDER BY seq NULLS LAST, created_at, id
$function$;
COMMENT ON FUNCTION workspace_db_message_history(uuid, uuid, uuid, integer) IS
    'The last `most` shown messages of the branch that ends with `leaf`, or with the head, the oldest first.';
