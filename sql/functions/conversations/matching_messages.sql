-- As workspace_db_matching_chunks: `@@` is not leakproof, so under the policy the index could not answer it. This function runs as
-- workspace_platform, restricts every table to the workspace that the transaction has set, and returns ids only.
CREATE OR REPLACE FUNCTION workspace_db_matching_messages(
    question tsquery, most integer, person text, in_conversation uuid, in_states message_state[], since timestamptz,
    until timestamptz, rating integer
) RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT coalesce(array_agg(matching.id), '{}') FROM (
        SELECT m.id
        FROM messages AS m
        WHERE m.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
            AND numnode(question) > 0
            AND workspace_db_search_text(m.workspace_id, m.language, m.content) @@ (question && format('%L',
                'workspace/' || nullif(current_setting('app.workspace_id', true), ''))::tsquery)
            AND (in_conversation IS NULL OR m.conversation_id = in_conversation)
            AND (in_states IS NULL OR m.state = ANY (in_states))
            AND (since IS NULL OR m.created_at >= since) AND (until IS NULL OR m.created_at < until)
            AND (person IS NULL OR EXISTS (SELECT FROM conversations AS c
                WHERE c.workspace_id = m.workspace_id AND c.id = m.conversation_id AND c.external_user_id = person))
            AND (rating IS NULL OR EXISTS (SELECT FROM feedback AS f
                WHERE f.workspace_id = m.workspace_id AND f.message_id = m.id AND f.score = rating))
        ORDER BY m.created_at DESC, m.id DESC
        LIMIT most
    ) AS matching;
END;
COMMENT ON FUNCTION workspace_db_matching_messages(tsquery, integer, text, uuid, message_state[], timestamptz, timestamptz, integer) IS
    'Ids of the newest messages whose words match, at most `most`, of the workspace that the transaction has set.';
