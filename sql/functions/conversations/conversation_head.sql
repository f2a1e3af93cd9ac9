-- The pointer is a hint: a message that it names and that is gone, or of another conversation, is no head.
CREATE OR REPLACE FUNCTION workspace_db_conversation_head(of_workspace uuid, of_conversation uuid) RETURNS uuid
LANGUAGE sql STABLE
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_sort = off SET enable_incremental_sort = off
AS $function$
    SELECT coalesce(
        (SELECT m.id FROM messages AS m
        WHERE m.workspace_id = of_workspace AND m.id = (
                SELECT c.head_id FROM conversations AS c WHERE c.workspace_id = of_workspace AND c.id = of_conversation)
            AND m.conversation_id IS NOT DISTINCT FROM of_conversation AND m.seq IS NOT NULL
            AND workspace_db_is_shown(m.state, m.content)),
        (SELECT m.id FROM messages AS m
        WHERE m.workspace_id = of_workspace AND m.conversation_id = of_conversation AND m.seq IS NOT NULL
            AND workspace_db_is_shown(m.state, m.content)
        ORDER BY m.seq DESC LIMIT 1))
$function$;
COMMENT ON FUNCTION workspace_db_conversation_head(uuid, uuid) IS
    'Last message of a conversation''s active branch: that of head_id, or else the last shown one.';
