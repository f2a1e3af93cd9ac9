CREATE OR REPLACE FUNCTION workspace_db_append_message(
    of_workspace uuid, of_conversation uuid, new_id uuid, new_role message_role, is_by_human boolean, new_content text,
    new_client_id text, place text, place_id uuid, new_tokens integer, new_confidence double precision, new_metadata jsonb,
    new_language text, new_lease uuid, lease_length interval
) RETURNS TABLE (
    outcome text, message uuid, message_seq bigint, message_parent uuid, message_state message_state, is_withheld boolean
)
LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_sort = off SET enable_incremental_sort = off
AS $function$
#variable_conflict use_column
DECLARE
    conversation conversations;
    known record;
    numbering record;
    moment timestamptz;
    head uuid;
    last bigint;
    next_state message_state;
    threshold double precision;
    spoken text := new_language;
BEGIN
    -- The lock of the conversation comes first everywhere: it makes the order, and a message that is sent twice one.
    SELECT * INTO conversation FROM conversations WHERE workspace_id = of_workspace AND id = of_conversation FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        outcome := 'no_conversation';
        RETURN NEXT;
        RETURN;
    END IF;
    IF new_client_id IS NOT NULL THEN
        SELECT id, seq, parent_id, state, role, content INTO known FROM messages
        WHERE workspace_id = of_workspace AND client_id = new_client_id AND conversation_id IS NOT DISTINCT FROM of_conversation;
        IF FOUND THEN
            outcome := CASE WHEN known.role = new_role AND (new_lease IS NOT NULL OR known.content = new_content)
                THEN 'known' ELSE 'other_content' END;
            message := known.id;
            message_seq := known.seq;
            message_parent := known.parent_id;
            message_state := known.state;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    -- Whatever is refused is refused before anything changes: the statement commits with its outcome.
    IF conversation.status = 'closed' THEN
        outcome := 'closed';
    ELSIF is_by_human AND conversation.speaker <> 'human' THEN
        outcome := 'not_the_human';
    ELSIF place <> 'head' THEN
        SELECT id, state INTO known FROM messages
        WHERE workspace_id = of_workspace AND id = place_id AND conversation_id IS NOT DISTINCT FROM of_conversation;
        IF NOT FOUND THEN
            outcome := 'no_parent';
        ELSIF place = 'after' AND known.state IN ('pending', 'streaming') THEN
            outcome := 'unfinished_parent';
        END IF;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN NEXT;
        RETURN;
    END IF;
    moment := greatest(clock_timestamp(), conversation.last_message_at);
    -- Another program may have inserted rows with numbers of their own, and rows without. Without statistics all indexes look alike:
    -- each order has one index that gives it, and IS NOT DISTINCT FROM leaves a lookup by id the primary key alone.
    SELECT
        (SELECT seq FROM messages WHERE workspace_id = of_workspace AND conversation_id = of_conversation AND seq IS NOT NULL
            ORDER BY seq DESC LIMIT 1) AS last,
        (SELECT id FROM messages WHERE workspace_id = of_workspace AND id = conversation.head_id
            AND conversation_id IS NOT DISTINCT FROM of_conversation AND seq IS NOT NULL
            AND workspace_db_is_shown(state, content)) AS head,
        (SELECT id FROM messages WHERE workspace_id = of_workspace AND conversation_id = of_conversation AND seq IS NULL
            ORDER BY created_at LIMIT 1) AS first_late
    INTO known;
    last := greatest(conversation.last_seq, known.last);
    head := known.head;
    IF head IS NULL AND last > 0 THEN
        head := workspace_db_conversation_head(of_workspace, of_conversation);
    END IF;
    -- Rows without a number follow each other in the order of time.
    IF known.first_late IS NOT NULL THEN
        WITH late AS (
            SELECT id, row_number() OVER by_time AS number, lag(id) OVER by_time AS previous FROM messages
            WHERE workspace_id = of_workspace AND conversation_id = of_conversation AND seq IS NULL
            WINDOW by_time AS (ORDER BY created_at, id)
        ), numbered AS (
            UPDATE messages SET seq = last + late.number, parent_id = coalesce(messages.parent_id, late.previous, head),
                language = coalesce(messages.language, (SELECT default_language FROM workspaces WHERE id = of_workspace))
            FROM late WHERE messages.workspace_id = of_workspace AND messages.id = late.id
            RETURNING messages.id, messages.seq, messages.created_at
        )
        SELECT max(seq) AS seq, (array_agg(id ORDER BY seq DESC))[1] AS id, min(created_at) AS created_at
        INTO numbering FROM numbered;
        last := numbering.seq;
        head := numbering.id;
        conversation.head_id := head;
        conversation.first_message_at := least(conversation.first_message_at, numbering.created_at);
    END IF;
    IF place <> 'head' THEN
        SELECT CASE place WHEN 'beside' THEN parent_id ELSE id END INTO head FROM messages
        WHERE workspace_id = of_workspace AND id = place_id;
    END IF;
    is_withheld := new_role = 'assistant' AND NOT is_by_human AND conversation.speaker <> 'bot';
    next_state := CASE WHEN new_lease IS NOT NULL THEN 'pending' WHEN is_withheld THEN 'withheld' ELSE 'complete' END;
    IF new_confidence IS NOT NULL OR new_language IS NULL THEN
        SELECT CASE WHEN new_confidence IS NOT NULL THEN confidence_threshold END, coalesce(new_language, default_language)
        INTO threshold, spoken FROM workspaces WHERE id = of_workspace;
    END IF;
    last := last + 1;
    INSERT INTO messages (workspace_id, id, conversation_id, role, content, tokens, confidence, metadata, created_at, seq, parent_id,
        client_id, language, state, by_human, needs_review, review_threshold, lease_token, lease_expires_at)
    VALUES (of_workspace, new_id, of_conversation, new_role, new_content, new_tokens, new_confidence, new_metadata, moment, last, head,
        new_client_id, spoken, next_state, is_by_human, coalesce(new_confidence < threshold, false), threshold,
        new_lease, clock_timestamp() + lease_length);
    UPDATE conversations SET
        last_seq = last,
        -- An answer that is being made continues the branch of its parent: its end moves the head if it is still there.
        head_id = CASE next_state WHEN 'complete' THEN new_id WHEN 'pending' THEN head ELSE conversation.head_id END,
        first_message_at = coalesce(conversation.first_message_at, moment),
        last_message_at = CASE next_state WHEN 'withheld' THEN last_message_at ELSE moment END,
        -- The first line that the visitor writes.
        title = coalesce(title, CASE new_role WHEN 'user' THEN nullif(left(substring(new_content FROM '[^[:space:]][^\n\r]*'), 100), '') END),
        -- A visitor who writes again has another question.
        status = CASE WHEN new_role = 'user' AND status = 'resolved' THEN 'open' ELSE status END,
        closed_at = CASE WHEN new_role = 'user' AND status = 'resolved' THEN NULL ELSE closed_at END,
        updated_at = moment
    WHERE workspace_id = of_workspace AND id = of_conversation;
    outcome := 'inserted';
    message := new_id;
    message_seq := last;
    message_parent := head;
    message_state := next_state;
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION workspace_db_append_message(uuid, uuid, uuid, message_role, boolean, text, text, text, uuid, integer, double precision, jsonb, text, uuid, interval) IS
    'Appends a message to a conversation under its lock: numbers it, gives it its parent, and keeps the conversation''s columns. The same client id again returns the message that is there.';
