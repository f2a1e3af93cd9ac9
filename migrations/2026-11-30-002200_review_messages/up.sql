-- feedback_judge_key takes the place of this key.
ALTER TABLE feedback
    -- squawk-ignore ban-drop-constraint
    DROP CONSTRAINT feedback_message_id_key;

CREATE FUNCTION workspace_db_review_queue(of_workspace uuid, after_time timestamptz, after_id uuid, most integer)
RETURNS SETOF messages
LANGUAGE sql STABLE
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $function$
    WITH doubtful (id, created_at) AS (
        SELECT m.id, m.created_at FROM messages AS m
        WHERE m.workspace_id = of_workspace AND m.needs_review AND (m.created_at, m.id) > (coalesce(after_time, '-infinity'), coalesce(after_id, '00000000-0000-0000-0000-000000000000'))
        UNION
        SELECT m.id, m.created_at FROM feedback AS f
        JOIN messages AS m ON m.workspace_id = f.workspace_id AND m.id = f.message_id
        WHERE f.workspace_id = of_workspace AND f.judge = 'visitor' AND f.score < 0 AND (m.created_at, m.id) > (coalesce(after_time, '-infinity'), coalesce(after_id, '00000000-0000-0000-0000-000000000000'))
    ), unread AS (
        SELECT d.id, d.created_at FROM doubtful AS d
        WHERE NOT EXISTS (
            SELECT FROM feedback AS f WHERE f.workspace_id = of_workspace AND f.message_id = d.id AND f.judge = 'reviewer')
        ORDER BY d.created_at, d.id LIMIT most
    )
    SELECT m.* FROM unread AS u JOIN messages AS m ON m.workspace_id = of_workspace AND m.id = u.id ORDER BY m.created_at, m.id
$function$;
COMMENT ON FUNCTION workspace_db_review_queue(uuid, timestamptz, uuid, integer) IS
    'Messages with too little confidence or a bad mark of a visitor that no reviewer has judged, the oldest first.';
