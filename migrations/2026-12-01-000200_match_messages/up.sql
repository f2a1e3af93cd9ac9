-- As workspace_db_matching_chunks: `@@` is not leakproof, so under the policy the index could not answer it. This function runs as
-- workspace_platform, restricts every table to the workspace that the transaction has set, and returns ids only.
--
-- The index knows which words a message has, and not where: to check a phrase, its lexemes are computed again. So the index finds
-- the messages with the words, and phrases are checked in the newest of these. OFFSET 0 keeps the planner from reading all tenants'
-- rows of another table at once.
CREATE FUNCTION workspace_db_matching_messages(
    question tsquery, excluded tsquery, most integer, person text, in_conversation uuid, in_states message_state[],
    since timestamptz, until timestamptz, rating integer
) RETURNS TABLE (ids uuid[], is_bounded boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    WITH here AS MATERIALIZED (
        SELECT nullif(current_setting('app.workspace_id', true), '')::uuid AS id,
            regexp_replace(question::text, '<(-|[0-9]+)>', '&', 'g')::tsquery AS words,
            CASE WHEN excluded::text !~ '<(-|[0-9]+)>' THEN !! excluded ELSE '' END AS without
    ), with_words AS MATERIALIZED (
        SELECT m.id, m.workspace_id, m.language, m.content, m.created_at
        FROM messages AS m
        WHERE m.workspace_id = (SELECT here.id FROM here)
            -- A question without words would otherwise match every message of the workspace.
            AND numnode(question) > 0
            AND workspace_db_search_text(m.workspace_id, m.language, m.content)
                @@ (SELECT here.words && here.without && format('%L', 'workspace/' || here.id)::tsquery FROM here)
            AND (in_conversation IS NULL OR m.conversation_id = in_conversation)
            AND (in_states IS NULL OR m.state = ANY (in_states))
            AND (since IS NULL OR m.created_at >= since) AND (until IS NULL OR m.created_at < until)
            AND (person IS NULL OR EXISTS (SELECT FROM conversations AS c
                WHERE c.workspace_id = (SELECT here.id FROM here) AND c.id = m.conversation_id AND c.external_user_id = person OFFSET 0))
            AND (rating IS NULL OR EXISTS (SELECT FROM feedback AS f
                WHERE f.workspace_id = (SELECT here.id FROM here) AND f.message_id = m.id AND f.score = rating OFFSET 0))
        ORDER BY m.created_at DESC, m.id DESC
        LIMIT 5::bigint * most
    ), matching AS (
        SELECT w.id FROM with_words AS w
        WHERE (question::text !~ '<(-|[0-9]+)>' AND coalesce(excluded::text !~ '<(-|[0-9]+)>', true))
            OR workspace_db_search_text(w.workspace_id, w.language, w.content)
                @@ (question && coalesce(!! excluded, ''))
        ORDER BY w.created_at DESC, w.id DESC
        LIMIT most
    )
    SELECT coalesce(array_agg(matching.id), '{}'), count(*) >= most OR (SELECT count(*) >= 5::bigint * most FROM with_words)
    FROM matching;
END;
COMMENT ON FUNCTION workspace_db_matching_messages(tsquery, tsquery, integer, text, uuid, message_state[], timestamptz, timestamptz, integer) IS
    'Ids of the newest messages whose words match, at most `most`, of the workspace that the transaction has set, and whether there may be more.';
REVOKE EXECUTE ON FUNCTION workspace_db_matching_messages(tsquery, tsquery, integer, text, uuid, message_state[], timestamptz, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION workspace_db_matching_messages(tsquery, tsquery, integer, text, uuid, message_state[], timestamptz, timestamptz, integer) TO workspace_app;
DO $$
BEGIN
    -- The new owner of a function needs CREATE on its schema.
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO workspace_platform', current_schema());
    ALTER FUNCTION workspace_db_matching_messages(tsquery, tsquery, integer, text, uuid, message_state[], timestamptz, timestamptz, integer)
        OWNER TO workspace_platform;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM workspace_platform', current_schema());
END
$$;
CREATE OR REPLACE FUNCTION workspace_db_let_readers_in() RETURNS void
LANGUAGE plpgsql SECURITY INVOKER
SET search_path = pg_catalog
AS $function$
DECLARE
    isolated regclass;
    matching regprocedure;
BEGIN
    IF to_regrole('workspace_reader') IS NULL THEN
        RETURN;
    END IF;
    -- These include tables of your own.
    FOR isolated IN
        SELECT p.polrelid FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid
        WHERE p.polname = 'workspace_isolation' AND pg_has_role(c.relowner, 'USAGE')
            AND NOT to_regrole('workspace_reader')::oid = ANY (p.polroles)
        ORDER BY p.polrelid
    LOOP
        EXECUTE format('ALTER POLICY workspace_isolation ON %s TO workspace_app, workspace_reader', isolated);
        EXECUTE format('GRANT SELECT ON %s TO workspace_reader', isolated);
    END LOOP;
    -- workspace_platform owns these functions, so only that role can grant them.
    FOR matching IN
        SELECT p.oid FROM pg_proc AS p WHERE p.proname IN ('workspace_db_matching_chunks', 'workspace_db_matching_messages')
    LOOP
        SET LOCAL ROLE workspace_platform;
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO workspace_reader', matching);
        RESET ROLE;
    END LOOP;
END
$function$;
COMMENT ON FUNCTION workspace_db_let_readers_in() IS
    'Grants workspace_reader SELECT on every isolated table, if the role exists. Can be repeated.';
SELECT workspace_db_let_readers_in();
