CREATE OR REPLACE FUNCTION workspace_db_flush_answer(
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
