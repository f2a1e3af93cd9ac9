CREATE OR REPLACE FUNCTION workspace_db_open_conversation(of_workspace uuid, visitor text, new_id uuid)
RETURNS TABLE (conversation uuid, is_new boolean)
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
BEGIN
    FOR attempt IN 1..2 LOOP
        SELECT c.id, false INTO conversation, is_new FROM conversations AS c
        WHERE c.workspace_id = of_workspace AND c.external_user_id = visitor AND octet_length(c.external_user_id) <= 500
            AND c.status IN ('open', 'pending')
        ORDER BY coalesce(c.last_message_at, c.created_at) DESC, c.id DESC LIMIT 1;
        IF FOUND THEN
            RETURN NEXT;
            RETURN;
        END IF;
        IF attempt = 1 THEN
            -- Until the end of the transaction: two first messages of one visitor at once make one conversation.
            PERFORM pg_advisory_xact_lock(hashtextextended(of_workspace::text || '/' || visitor, 0));
        END IF;
    END LOOP;
    INSERT INTO conversations (workspace_id, id, external_user_id) VALUES (of_workspace, new_id, visitor);
    conversation := new_id;
    is_new := true;
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION workspace_db_open_conversation(uuid, text, uuid) IS
    'Returns the visitor''s newest conversation that is open or pending, or inserts one.';
