CREATE OR REPLACE FUNCTION workspace_db_training_lines(of_workspace uuid, of_message uuid, is_preference boolean, most integer)
RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
DECLARE
    answer messages;
    review feedback;
    better text;
    sibling text;
    prompt jsonb;
    has_question boolean;
    head uuid;
BEGIN
    SELECT * INTO answer FROM messages AS m
    WHERE m.workspace_id = of_workspace AND m.id = of_message AND m.role = 'assistant';
    SELECT * INTO review FROM feedback AS f
    WHERE f.workspace_id = of_workspace AND f.message_id = of_message AND f.judge = 'reviewer';
    IF answer.id IS NULL OR review.id IS NULL THEN
        RETURN;
    END IF;
    better := CASE WHEN NOT workspace_db_has_no_text(review.better_answer) THEN review.better_answer END;
    IF answer.state NOT IN ('complete', 'interrupted') OR workspace_db_has_no_text(answer.content) THEN
        answer.content := NULL;
    END IF;
    IF is_preference THEN
        better := nullif(better, answer.content);
        IF review.score < 0 AND answer.parent_id IS NOT NULL AND answer.content IS NOT NULL THEN
            -- Of the other answers to the same question, the last that a reviewer found good.
            SELECT m.content INTO sibling FROM messages AS m
            JOIN feedback AS f ON f.workspace_id = m.workspace_id AND f.message_id = m.id AND f.judge = 'reviewer' AND f.score > 0
            WHERE m.workspace_id = of_workspace AND m.parent_id = answer.parent_id
                AND m.conversation_id IS NOT DISTINCT FROM answer.conversation_id AND m.id <> of_message
                AND m.role = 'assistant' AND m.state = 'complete' AND NOT workspace_db_has_no_text(m.content) AND m.content <> answer.content
            ORDER BY m.seq DESC NULLS LAST, m.id DESC LIMIT 1;
        END IF;
        sibling := nullif(sibling, better);
        IF answer.content IS NULL OR (better IS NULL AND sibling IS NULL) THEN
            RETURN;
        END IF;
    ELSE
        better := coalesce(better, CASE WHEN review.score > 0 AND answer.state = 'complete' THEN answer.content END);
        IF better IS NULL THEN
            RETURN;
        END IF;
    END IF;
    -- Providers require the system message first, then the visitor and the assistant in turn, and the visitor last. The prompt is the
    -- last half megabyte of text. It has no results of tools, since their calls are not stored.
    IF answer.parent_id IS NULL AND answer.seq IS NULL THEN
        head := workspace_db_conversation_head(of_workspace, answer.conversation_id);
    END IF;
    WITH before_answer AS (
        SELECT h.role, h.content, row_number() OVER () AS place
        FROM workspace_db_message_history(of_workspace, answer.conversation_id, coalesce(answer.parent_id, head), most) AS h
        WHERE coalesce(answer.parent_id, head) IS NOT NULL
        UNION ALL
        -- A message that another program inserted since the last append follows the head, and those of earlier times.
        SELECT late.role, late.content, most + row_number() OVER (ORDER BY late.created_at, late.id) FROM (
            SELECT m.role, m.content, m.created_at, m.id FROM messages AS m
            WHERE answer.parent_id IS NULL AND answer.seq IS NULL
                AND m.workspace_id = of_workspace AND m.conversation_id = answer.conversation_id AND m.seq IS NULL
                AND (m.created_at, m.id) < (answer.created_at, answer.id) AND workspace_db_is_shown(m.state, m.content)
            ORDER BY m.created_at DESC, m.id DESC LIMIT most
        ) AS late
    ), bounded AS (
        SELECT b.*, sum(octet_length(b.content)) OVER newest - octet_length(b.content) AS bytes_after, row_number() OVER newest AS number
        FROM before_answer AS b
        WHERE b.role <> 'tool' AND NOT workspace_db_has_no_text(b.content)
        WINDOW newest AS (ORDER BY b.place DESC)
    ), kept AS (
        SELECT b.*, min(b.place) FILTER (WHERE b.role = 'user') OVER () AS first_question,
            max(b.place) FILTER (WHERE b.role = 'user') OVER () AS last_question
        FROM bounded AS b WHERE b.bytes_after < 524288 AND b.number <= most
    ), turns AS (
        SELECT k.role, k.content, k.place,
            count(*) FILTER (WHERE k.begins) OVER (ORDER BY k.role = 'system' DESC, k.place) AS turn
        FROM (
            SELECT k.*, k.role IS DISTINCT FROM lag(k.role) OVER (ORDER BY k.role = 'system' DESC, k.place) AS begins FROM kept AS k
            WHERE k.role = 'system' OR k.place BETWEEN k.first_question AND k.last_question
        ) AS k
    ), merged AS (
        SELECT t.turn, min(t.role::text) AS role, string_agg(t.content, E'\n\n' ORDER BY t.place) AS content
        FROM turns AS t GROUP BY t.turn
    )
    SELECT jsonb_agg(jsonb_build_object('role', m.role, 'content', m.content) ORDER BY m.turn), bool_or(m.role = 'user')
    INTO prompt, has_question FROM merged AS m;
    IF has_question IS NOT TRUE THEN
        RETURN;
    END IF;
    IF NOT is_preference THEN
        RETURN NEXT jsonb_build_object('messages', prompt || jsonb_build_object('role', 'assistant', 'content', better))::text;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT jsonb_build_object(
        'input', jsonb_build_object('messages', prompt),
        'preferred_output', jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', preferred.content)),
        'non_preferred_output', jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', answer.content)))::text
    FROM (VALUES (1, better), (2, sibling)) AS preferred (place, content)
    WHERE preferred.content IS NOT NULL ORDER BY preferred.place;
END
$function$;
COMMENT ON FUNCTION workspace_db_training_lines(uuid, uuid, boolean, integer) IS
    'Lines of JSON for fine-tuning out of a reviewed answer: a chat, or pairs of a preferred and another answer. The question is preceded by at most `most` messages.';
