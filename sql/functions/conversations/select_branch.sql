CREATE OR REPLACE FUNCTION workspace_db_select_branch(of_workspace uuid, of_conversation uuid, chosen uuid) RETURNS TABLE (leaf uuid)
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
DECLARE
    next uuid;
BEGIN
    PERFORM FROM conversations WHERE workspace_id = of_workspace AND id = of_conversation FOR NO KEY UPDATE;
    SELECT m.id INTO next FROM messages AS m
    WHERE m.workspace_id = of_workspace AND m.id = chosen AND m.conversation_id IS NOT DISTINCT FROM of_conversation
        AND m.seq IS NOT NULL
        AND workspace_db_is_shown(m.state, m.content);
    WHILE next IS NOT NULL LOOP
        leaf := next;
        SELECT m.id INTO next FROM messages AS m
        WHERE m.workspace_id = of_workspace AND m.parent_id = leaf
            AND m.seq IS NOT NULL AND workspace_db_is_shown(m.state, m.content)
        ORDER BY m.seq DESC LIMIT 1;
    END LOOP;
    IF leaf IS NOT NULL THEN
        UPDATE conversations SET head_id = leaf, updated_at = clock_timestamp()
        WHERE workspace_id = of_workspace AND id = of_conversation;
        RETURN NEXT;
    END IF;
END
$function$;
COMMENT ON FUNCTION workspace_db_select_branch(uuid, uuid, uuid) IS
    'Makes the branch of a message the active one, and returns its last message.';
