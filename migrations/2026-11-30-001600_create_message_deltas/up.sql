-- Pieces of answers that are being made. A change of the message for each piece would write the whole text again.
CREATE TABLE message_deltas (
    workspace_id uuid NOT NULL,
    message_id uuid NOT NULL,
    position bigint NOT NULL,
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT message_deltas_pkey PRIMARY KEY (workspace_id, message_id, position),
    CONSTRAINT message_deltas_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT message_deltas_message_id_fkey
        FOREIGN KEY (workspace_id, message_id) REFERENCES messages (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT message_deltas_position_check CHECK (position >= 0)
);
COMMENT ON TABLE message_deltas IS 'Pieces of answers that are being made, until the answer ends.';
COMMENT ON COLUMN message_deltas.workspace_id IS 'The workspace.';
COMMENT ON COLUMN message_deltas.message_id IS 'The answer.';
COMMENT ON COLUMN message_deltas.position IS 'Number of bytes of the answer before the piece.';
COMMENT ON COLUMN message_deltas.content IS 'Text of the piece.';
COMMENT ON COLUMN message_deltas.created_at IS 'Time of insertion.';

SELECT workspace_db_isolate('message_deltas');
SELECT workspace_db_refuse_unreadable('message_deltas');

CREATE FUNCTION workspace_db_flush_answer(
    of_workspace uuid, answer uuid, lease uuid, at_position bigint, piece text, lease_length interval
) RETURNS TABLE (is_withheld boolean)
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
DECLARE
    moment CONSTANT timestamptz := clock_timestamp();
    known record;
BEGIN
    -- The end of an answer takes the same lock: the piece is in the text, or the writer learns that it is too late.
    SELECT m.seq, m.state, m.lease_expires_at, c.speaker, c.hand_over_seq INTO known FROM messages AS m
    JOIN conversations AS c ON c.workspace_id = m.workspace_id AND c.id = m.conversation_id
    WHERE m.workspace_id = of_workspace AND m.id = answer AND m.lease_token = lease AND m.lease_expires_at > moment
    FOR NO KEY UPDATE OF m;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF piece <> '' THEN
        -- The same position again is the same piece, and perhaps more: the writer has not heard that it was stored.
        INSERT INTO message_deltas AS d (workspace_id, message_id, position, content)
        VALUES (of_workspace, answer, at_position, piece)
        ON CONFLICT (workspace_id, message_id, position) DO UPDATE SET content = excluded.content
        WHERE octet_length(excluded.content) > octet_length(d.content);
    END IF;
    -- A new version of the row for every flush would cost more than the text.
    IF (known.state = 'pending' AND piece <> '') OR known.lease_expires_at < moment + lease_length * 0.6 THEN
        UPDATE messages SET state = CASE WHEN piece = '' THEN state ELSE 'streaming' END, lease_expires_at = moment + lease_length
        WHERE workspace_id = of_workspace AND id = answer;
    END IF;
    is_withheld := known.speaker <> 'bot' OR known.seq <= known.hand_over_seq;
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION workspace_db_flush_answer(uuid, uuid, uuid, bigint, text, interval) IS
    'Stores a piece of an answer that is being made, and extends its lease. Returns no row if the lease is lost.';

CREATE FUNCTION workspace_db_end_answer(
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

CREATE FUNCTION workspace_db_interrupt_answers(most integer) RETURNS TABLE (of_workspace uuid, answer uuid)
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
