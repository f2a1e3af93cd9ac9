CREATE OR REPLACE FUNCTION workspace_db_end_answer(
    of_workspace uuid, answer uuid, lease uuid, at_position bigint, rest text, ending message_state,
    new_tokens integer, new_confidence double precision, facts jsonb
) RETURNS TABLE (final_state message_state)
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
DECLARE
    conversation conversations;
    known messages;
    written text;
    head uuid;
    moment timestamptz;
    threshold double precision;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'an answer ends in a transaction with the isolation level READ COMMITTED: another would not see the last pieces'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    SELECT * INTO known FROM messages AS m WHERE m.workspace_id = of_workspace AND m.id = answer;
    -- The conversation first, as everywhere.
    SELECT * INTO conversation FROM conversations AS c
    WHERE c.workspace_id = of_workspace AND c.id = known.conversation_id FOR NO KEY UPDATE;
    -- Not the transaction's start: the lock may have been waited for. Without a lease, the writer's must be over.
    moment := clock_timestamp();
    SELECT * INTO known FROM messages AS m
    WHERE m.workspace_id = of_workspace AND m.id = answer AND m.lease_token = coalesce(lease, m.lease_token)
        AND (m.lease_expires_at > moment) = (lease IS NOT NULL)
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT coalesce(string_agg(d.content, '' ORDER BY d.position), '') INTO written FROM message_deltas AS d
    WHERE d.workspace_id = of_workspace AND d.message_id = answer AND d.position < coalesce(at_position, 9223372036854775807);
    IF at_position IS NOT NULL AND octet_length(written) <> at_position THEN
        RAISE EXCEPTION 'of the answer %, % bytes are stored and not %', answer, octet_length(written), at_position
            USING ERRCODE = 'data_exception';
    END IF;
    written := written || rest;
    DELETE FROM message_deltas AS d WHERE d.workspace_id = of_workspace AND d.message_id = answer;
    head := workspace_db_conversation_head(of_workspace, known.conversation_id);
    -- Blanks are no answer.
    final_state := CASE WHEN ending = 'complete' AND btrim(written, E' \t\r\n') = '' THEN 'failed' ELSE ending END;
    IF final_state = 'failed' AND ending = 'complete' THEN
        facts := facts || '{"error": "the answer is empty"}';
    ELSIF final_state <> 'failed' AND written <> '' AND (conversation.speaker <> 'bot' OR conversation.status = 'closed'
        OR known.seq <= conversation.hand_over_seq) THEN
        facts := facts || CASE final_state WHEN 'interrupted' THEN '{"interrupted": true}'::jsonb ELSE '{}' END;
        final_state := 'withheld';
    END IF;
    IF coalesce(new_confidence, known.confidence) IS NOT NULL THEN
        SELECT w.confidence_threshold INTO threshold FROM workspaces AS w WHERE w.id = of_workspace;
    END IF;
    UPDATE messages AS m SET content = written, state = final_state, tokens = coalesce(new_tokens, m.tokens),
        confidence = coalesce(new_confidence, m.confidence), metadata = m.metadata || facts,
        needs_review = coalesce(coalesce(new_confidence, m.confidence) < threshold, false), review_threshold = threshold,
        lease_token = NULL, lease_expires_at = NULL
    WHERE m.workspace_id = of_workspace AND m.id = answer;
    IF workspace_db_is_shown(final_state, written) THEN
        UPDATE conversations AS c SET
            -- Not if the visitor has gone on, or chosen another branch.
            head_id = CASE WHEN head IS NOT DISTINCT FROM known.parent_id THEN answer ELSE c.head_id END,
            last_message_at = greatest(c.last_message_at, moment), updated_at = moment
        WHERE c.workspace_id = of_workspace AND c.id = known.conversation_id;
    END IF;
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION workspace_db_end_answer(uuid, uuid, uuid, bigint, text, message_state, integer, double precision, jsonb) IS
    'Ends an answer with what was flushed and the rest, under its lease, or after the lease is over if none is given. Returns no row if it changed nothing.';
