CREATE OR REPLACE FUNCTION workspace_db_model_usage(
    of_workspace uuid, of_conversation uuid, of_message uuid, since timestamptz, until timestamptz
) RETURNS TABLE (
    model text, price_version text, calls bigint, calls_without_tokens bigint, calls_without_cost bigint,
    input_tokens bigint, cached_tokens bigint, output_tokens bigint, reasoning_tokens bigint, cost_usd numeric
)
LANGUAGE sql STABLE SET search_path FROM CURRENT
AS $function$
    -- Each of the three has its own index.
    WITH of_these AS (
        SELECT c.* FROM model_calls AS c WHERE c.workspace_id = of_workspace AND c.message_id = of_message
        UNION ALL
        SELECT c.* FROM messages AS m JOIN model_calls AS c ON c.workspace_id = m.workspace_id AND c.message_id = m.id
        WHERE of_message IS NULL AND m.workspace_id = of_workspace AND m.conversation_id = of_conversation
        UNION ALL
        SELECT c.* FROM model_calls AS c
        WHERE of_message IS NULL AND of_conversation IS NULL AND c.workspace_id = of_workspace
            AND c.created_at >= since AND c.created_at < until
    )
    SELECT c.model, c.price_version, count(*), count(*) FILTER (WHERE c.input_tokens IS NULL OR c.output_tokens IS NULL),
        count(*) FILTER (WHERE c.cost_usd IS NULL),
        sum(c.input_tokens), sum(c.cached_tokens), sum(c.output_tokens), sum(c.reasoning_tokens), sum(c.cost_usd)
    FROM of_these AS c
    -- The run of an agent repeats the tokens of the calls within it.
    WHERE NOT EXISTS (SELECT FROM model_calls AS part
        WHERE part.workspace_id = of_workspace AND part.message_id = c.message_id AND part.parent_id = c.id)
    GROUP BY c.model, c.price_version
    ORDER BY c.model, c.price_version NULLS LAST
$function$;
COMMENT ON FUNCTION workspace_db_model_usage(uuid, uuid, uuid, timestamptz, timestamptz) IS
    'Tokens and cost of the calls that contain no others, by model and price list, of a message, a conversation or a time.';
