CREATE OR REPLACE FUNCTION workspace_db_release_message(of_workspace uuid, withheld uuid) RETURNS TABLE (released boolean)
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
DECLARE
    talk uuid;
    head uuid;
    is_closed boolean;
BEGIN
    SELECT m.conversation_id INTO talk FROM messages AS m WHERE m.workspace_id = of_workspace AND m.id = withheld;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- The conversation first, as everywhere.
    SELECT c.status = 'closed' INTO is_closed FROM conversations AS c
    WHERE c.workspace_id = of_workspace AND c.id = talk FOR NO KEY UPDATE;
    IF is_closed THEN
        RETURN NEXT;
        RETURN;
    END IF;
    head := workspace_db_conversation_head(of_workspace, talk);
    UPDATE messages SET state = CASE WHEN metadata ? 'interrupted' THEN 'interrupted' ELSE 'complete' END::message_state
    WHERE workspace_id = of_workspace AND id = withheld AND state = 'withheld';
    released := FOUND;
    IF released THEN
        UPDATE conversations AS c SET
            head_id = CASE WHEN head IS NOT DISTINCT FROM m.parent_id THEN m.id ELSE c.head_id END,
            last_message_at = greatest(c.last_message_at, clock_timestamp()), updated_at = clock_timestamp()
        FROM messages AS m
        WHERE c.workspace_id = of_workspace AND c.id = talk AND m.workspace_id = of_workspace AND m.id = withheld;
    END IF;
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION workspace_db_release_message(uuid, uuid) IS
    'Shows an answer that was withheld. Returns NULL if the conversation is closed, and no row if there is no such message.';
