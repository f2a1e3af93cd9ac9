CREATE OR REPLACE FUNCTION workspace_db_message_history(of_workspace uuid, of_conversation uuid, leaf uuid, most integer)
RETURNS SETOF messages
LANGUAGE sql STABLE
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
    WITH RECURSIVE chain (id, parent_id, shown) AS (
        SELECT m.id, m.parent_id, (m.state IN ('complete', 'interrupted'))::integer FROM messages AS m
        WHERE m.workspace_id = of_workspace AND m.conversation_id = of_conversation
            AND m.id = coalesce(leaf, workspace_db_conversation_head(of_workspace, of_conversation))
        UNION ALL
        SELECT m.id, m.parent_id, c.shown + (m.state IN ('complete', 'interrupted'))::integer FROM chain AS c
        JOIN messages AS m ON m.workspace_id = of_workspace AND m.conversation_id = of_conversation AND m.id = c.parent_id
        WHERE c.shown < most
    ), branch (id) AS (
        SELECT id FROM chain
        UNION
        -- Messages that another program inserted since the last append follow the head.
        SELECT m.id FROM messages AS m
        WHERE m.workspace_id = of_workspace AND m.conversation_id = of_conversation AND m.seq IS NULL AND leaf IS NULL
    ), last AS (
        SELECT m.* FROM branch AS b JOIN messages AS m ON m.workspace_id = of_workspace AND m.id = b.id
        WHERE (m.state = 'complete' OR m.state = 'interrupted' AND m.content <> '')
        ORDER BY m.seq DESC NULLS FIRST, m.created_at DESC, m.id DESC
        LIMIT most
    )
    SELECT * FROM last ORDER BY seq NULLS LAST, created_at, id
$function$;
COMMENT ON FUNCTION workspace_db_message_history(uuid, uuid, uuid, integer) IS
    'The last `most` shown messages of the branch that ends with `leaf`, or with the head, the oldest first.';
