-- Calls of models for answers. A call can contain others, as the run of an agent does: costs are summed over those that contain none.
CREATE TABLE model_calls (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    message_id uuid NOT NULL,
    parent_id uuid,
    model text NOT NULL,
    input_tokens integer,
    cached_tokens integer,
    output_tokens integer,
    reasoning_tokens integer,
    price_version text,
    cost_usd numeric,
    latency_ms integer,
    first_token_ms integer,
    stop_reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT model_calls_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT model_calls_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT model_calls_message_id_fkey
        FOREIGN KEY (workspace_id, message_id) REFERENCES messages (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT model_calls_message_id_key UNIQUE (workspace_id, message_id, id),
    CONSTRAINT model_calls_parent_id_fkey
        FOREIGN KEY (workspace_id, message_id, parent_id) REFERENCES model_calls (workspace_id, message_id, id),
    CONSTRAINT model_calls_parent_id_check CHECK (parent_id <> id),
    CONSTRAINT model_calls_model_check CHECK (char_length(model) BETWEEN 1 AND 200),
    -- The parts that providers report are parts of the whole.
    CONSTRAINT model_calls_input_tokens_check CHECK (input_tokens >= 0),
    CONSTRAINT model_calls_cached_tokens_check CHECK (cached_tokens >= 0 AND cached_tokens <= input_tokens),
    CONSTRAINT model_calls_output_tokens_check CHECK (output_tokens >= 0),
    CONSTRAINT model_calls_reasoning_tokens_check CHECK (reasoning_tokens >= 0 AND reasoning_tokens <= output_tokens),
    CONSTRAINT model_calls_price_version_check CHECK (char_length(price_version) BETWEEN 1 AND 200),
    -- NaN is above infinity.
    CONSTRAINT model_calls_cost_usd_check
        CHECK (cost_usd >= 0 AND cost_usd < 'infinity' AND (cost_usd IS NULL OR price_version IS NOT NULL)),
    CONSTRAINT model_calls_latency_ms_check CHECK (latency_ms >= 0),
    CONSTRAINT model_calls_first_token_ms_check CHECK (first_token_ms >= 0),
    CONSTRAINT model_calls_stop_reason_check CHECK (char_length(stop_reason) BETWEEN 1 AND 200)
);
-- The table is new: nobody waits for its indexes.
-- safety-assured:start
CREATE INDEX model_calls_parent_id_idx ON model_calls (workspace_id, message_id, parent_id);
CREATE INDEX model_calls_created_at_idx ON model_calls (workspace_id, created_at);
-- safety-assured:end
COMMENT ON TABLE model_calls IS 'Calls of models for answers, with their tokens and cost.';
COMMENT ON COLUMN model_calls.id IS 'Identity within the workspace.';
COMMENT ON COLUMN model_calls.workspace_id IS 'The workspace.';
COMMENT ON COLUMN model_calls.message_id IS 'The answer.';
COMMENT ON COLUMN model_calls.parent_id IS 'The call of the same answer that contains this one, as the run of an agent does.';
COMMENT ON COLUMN model_calls.model IS 'Name of the model.';
COMMENT ON COLUMN model_calls.input_tokens IS 'Tokens of the input, with those from the cache; NULL if the provider does not say.';
COMMENT ON COLUMN model_calls.cached_tokens IS 'Those of the input that came from the provider''s cache.';
COMMENT ON COLUMN model_calls.output_tokens IS 'Tokens of the output, with those of the reasoning.';
COMMENT ON COLUMN model_calls.reasoning_tokens IS 'Those of the output that were reasoning.';
COMMENT ON COLUMN model_calls.price_version IS 'Price list by which the cost was computed.';
COMMENT ON COLUMN model_calls.cost_usd IS 'Cost in US dollars; NULL if the price or the tokens are unknown.';
COMMENT ON COLUMN model_calls.latency_ms IS 'Time from the request to the end of the output, in milliseconds.';
COMMENT ON COLUMN model_calls.first_token_ms IS 'Time from the request to the first token of the output, in milliseconds.';
COMMENT ON COLUMN model_calls.stop_reason IS 'Why the output ended, in the provider''s word.';
COMMENT ON COLUMN model_calls.created_at IS 'Time of insertion.';

SELECT workspace_db_isolate('model_calls');
SELECT workspace_db_refuse_unreadable('model_calls');

CREATE FUNCTION workspace_db_model_usage(
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
