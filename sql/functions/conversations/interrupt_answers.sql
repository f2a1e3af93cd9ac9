CREATE OR REPLACE FUNCTION workspace_db_interrupt_answers(most integer) RETURNS TABLE (of_workspace uuid, answer uuid)
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
BEGIN
    FOR of_workspace, answer IN
        SELECT m.workspace_id, m.id FROM messages AS m
        WHERE m.lease_token IS NOT NULL AND m.lease_expires_at <= clock_timestamp()
        -- In one order, so that two rescuers can't wait for each other.
        ORDER BY m.workspace_id, m.conversation_id, m.id LIMIT most
    LOOP
        IF EXISTS (SELECT FROM workspace_db_end_answer(of_workspace, answer, NULL, NULL, '', 'interrupted', NULL, NULL, '{}')) THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION workspace_db_interrupt_answers(integer) IS
    'Ends the answers whose writer''s lease is over, at most `most`, with what was flushed.';
