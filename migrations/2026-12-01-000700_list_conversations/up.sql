CREATE FUNCTION workspace_db_list_conversations(
    of_workspace uuid, person text, of_status conversation_status, of_speaker conversation_speaker, rating integer,
    is_to_review boolean, before_time timestamptz, before_id uuid, most integer
) RETURNS SETOF conversations
LANGUAGE plpgsql STABLE
-- A plan for these arguments: which index fits depends on those that are given.
SET search_path FROM CURRENT SET jit = off SET plan_cache_mode = force_custom_plan
AS $function$
DECLARE
    to_review uuid[];
BEGIN
    IF is_to_review THEN
        to_review := ARRAY(SELECT DISTINCT q.conversation_id FROM workspace_db_review_queue(of_workspace, NULL, NULL, NULL) AS q);
    END IF;
    RETURN QUERY
    SELECT c.* FROM conversations AS c
    WHERE c.workspace_id = of_workspace
        AND (person IS NULL OR (c.external_user_id = person AND (octet_length(c.external_user_id) <= 500 OR octet_length(person) > 500)))
        AND (of_status IS NULL OR c.status = of_status)
        AND (of_speaker IS NULL OR c.speaker = of_speaker)
        AND (before_time IS NULL OR (c.created_at, c.id) < (before_time, before_id))
        AND (NOT is_to_review OR c.id = ANY (to_review))
        -- OFFSET 0: a lookup for each conversation, and not a join of all messages of all tenants.
        AND (rating IS NULL OR EXISTS (
            SELECT FROM messages AS m
            CROSS JOIN LATERAL (SELECT FROM feedback AS f
                WHERE f.workspace_id = of_workspace AND f.message_id = m.id AND f.score = rating OFFSET 0) AS judged
            WHERE m.workspace_id = of_workspace AND m.conversation_id = c.id OFFSET 0))
    ORDER BY c.created_at DESC, c.id DESC
    LIMIT most;
END
$function$;
COMMENT ON FUNCTION workspace_db_list_conversations(uuid, text, conversation_status, conversation_speaker, integer, boolean, timestamptz, uuid, integer) IS
    'Conversations that all given arguments describe, at most `most`, the newest first, before a time and id.';
