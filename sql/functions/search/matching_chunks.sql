-- Row-level security keeps the index from answering `@@`: the operator is not leakproof, so PostgreSQL applies the policy first
-- and reads every row of the workspace. This function therefore runs as workspace_platform, whose policy hides nothing, and
-- restricts both of its conditions to the workspace that the transaction has set. It returns ids; the caller reads the rows
-- under the policy.
CREATE OR REPLACE FUNCTION workspace_db_matching_chunks(question tsquery, most integer) RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT coalesce(array_agg(matching.id), '{}') FROM (
        SELECT c.id
        FROM document_chunks AS c
        WHERE c.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
            -- A question without words would otherwise match every chunk of the workspace.
            AND numnode(question) > 0
            AND c.search_text @@ (question && format('%L',
                'workspace/' || nullif(current_setting('app.workspace_id', true), ''))::tsquery)
        LIMIT most
    ) AS matching;
END;
COMMENT ON FUNCTION workspace_db_matching_chunks(tsquery, integer) IS
    'Ids of chunks whose words match, at most `most`, of the workspace that the transaction has set.';
