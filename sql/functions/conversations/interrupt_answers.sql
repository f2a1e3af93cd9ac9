CREATE OR REPLACE FUNCTION workspace_db_interrupt_answers(most integer) RETURNS TABLE (of_workspace uuid, answer uuid)
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
DECLARE
    talk uuid;
BEGIN
    FOR of_workspace, talk, answer IN
        SELECT m.workspace_id, m.conversation_id, m.id FROM messages AS m
        WHERE m.lease_token IS NOT NULL AND m.lease_expires_at <= clock_timestamp()
        ORDER BY m.lease_expires_at LIMIT most
    LOOP
        -- One workspace that holds a lock or has a bad row delays its own answers only.
        BEGIN
            PERFORM FROM conversations AS c WHERE c.workspace_id = of_workspace AND c.id = talk FOR NO KEY UPDATE SKIP LOCKED;
            IF FOUND AND EXISTS (
                SELECT FROM workspace_db_end_answer(of_workspace, answer, NULL, NULL, '', 'interrupted', NULL, NULL, '{}')
            ) THEN
                RETURN NEXT;
            END IF;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'the answer % of workspace % was not interrupted: %', answer, of_workspace, SQLERRM;
        END;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION workspace_db_interrupt_answers(integer) IS
    'Ends the answers whose writer''s lease is over, at most `most`, with what was flushed.';
