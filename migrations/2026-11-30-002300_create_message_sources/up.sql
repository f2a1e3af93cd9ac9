-- Sources of answers. They have no foreign key to the chunk, so they stay as they were when the document is ingested again.
CREATE TABLE message_sources (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    message_id uuid NOT NULL,
    rank integer NOT NULL,
    chunk_id uuid NOT NULL,
    document_id uuid NOT NULL,
    title text NOT NULL,
    external_id text,
    content_hash text NOT NULL,
    shown_text text,
    score double precision NOT NULL,
    method text NOT NULL,
    citation integer,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT message_sources_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT message_sources_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT message_sources_message_id_fkey
        FOREIGN KEY (workspace_id, message_id) REFERENCES messages (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT message_sources_rank_key UNIQUE (workspace_id, message_id, rank),
    CONSTRAINT message_sources_rank_check CHECK (rank > 0),
    CONSTRAINT message_sources_citation_check CHECK (citation > 0),
    CONSTRAINT message_sources_content_hash_check CHECK (content_hash ~ '^[0-9a-f]{64}$'),
    -- NaN is above infinity.
    CONSTRAINT message_sources_score_check CHECK (score > '-infinity' AND score < 'infinity'),
    CONSTRAINT message_sources_method_check CHECK (char_length(method) BETWEEN 1 AND 100)
);
COMMENT ON TABLE message_sources IS 'Passages that were retrieved for an answer, as they were then.';
COMMENT ON COLUMN message_sources.id IS 'Identity within the workspace.';
COMMENT ON COLUMN message_sources.workspace_id IS 'The workspace.';
COMMENT ON COLUMN message_sources.message_id IS 'The answer.';
COMMENT ON COLUMN message_sources.rank IS 'Position in the result of the search, from 1.';
COMMENT ON COLUMN message_sources.chunk_id IS 'The chunk, which may be gone.';
COMMENT ON COLUMN message_sources.document_id IS 'The document, which may be gone.';
COMMENT ON COLUMN message_sources.title IS 'Title of the document.';
COMMENT ON COLUMN message_sources.external_id IS 'Id of the document in its datasource.';
COMMENT ON COLUMN message_sources.content_hash IS 'SHA-256 of the chunk''s text in hexadecimal.';
COMMENT ON COLUMN message_sources.shown_text IS 'Text that the model was shown; NULL if the passage was retrieved only.';
COMMENT ON COLUMN message_sources.score IS 'Score in the search.';
COMMENT ON COLUMN message_sources.method IS 'How the passage was found, such as hybrid or bits.';
COMMENT ON COLUMN message_sources.citation IS 'Number by which the answer cites the passage, perhaps with others; NULL if it does not.';
COMMENT ON COLUMN message_sources.created_at IS 'Time of insertion.';

SELECT workspace_db_isolate('message_sources');
SELECT workspace_db_refuse_unreadable('message_sources');

CREATE FUNCTION workspace_db_conversation_page(
    of_workspace uuid, of_conversation uuid, is_forward boolean, cursor_id uuid, most integer
) RETURNS TABLE (conversation jsonb, messages jsonb, is_known_cursor boolean)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_sort = off SET enable_incremental_sort = off
AS $function$
#variable_conflict use_column
DECLARE
    at record;
    -- Bounds of the numbered messages, both exclusive, and of those without a number, which follow them.
    low bigint := 0;
    high bigint := 9223372036854775807;
    low_time timestamptz := '-infinity';
    high_time timestamptz := 'infinity';
    low_id uuid := '00000000-0000-0000-0000-000000000000';
    high_id uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    ids uuid[];
BEGIN
    SELECT to_jsonb(c) INTO conversation FROM conversations AS c WHERE c.workspace_id = of_workspace AND c.id = of_conversation;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    is_known_cursor := true;
    IF cursor_id IS NOT NULL THEN
        SELECT m.seq, m.created_at, m.id INTO at FROM messages AS m
        WHERE m.workspace_id = of_workspace AND m.id = cursor_id AND m.conversation_id IS NOT DISTINCT FROM of_conversation;
        is_known_cursor := FOUND;
        IF is_forward AND at.seq IS NOT NULL THEN
            low := at.seq;
        ELSIF is_forward THEN
            low := high;
            low_time := at.created_at;
            low_id := at.id;
        ELSIF at.seq IS NOT NULL THEN
            high := at.seq;
            high_time := low_time;
            high_id := low_id;
        ELSE
            high_time := at.created_at;
            high_id := at.id;
        END IF;
    END IF;
    IF is_forward THEN
        ids := ARRAY(
            SELECT page.id FROM (
                (SELECT m.id, m.seq, m.created_at FROM messages AS m
                WHERE m.workspace_id = of_workspace AND m.conversation_id = of_conversation AND m.seq > low AND m.seq < high
                ORDER BY m.seq LIMIT most)
                UNION ALL
                (SELECT m.id, m.seq, m.created_at FROM messages AS m
                WHERE m.workspace_id = of_workspace AND m.conversation_id = of_conversation AND m.seq IS NULL
                    AND (m.created_at, m.id) > (low_time, low_id) AND (m.created_at, m.id) < (high_time, high_id)
                ORDER BY m.created_at, m.id LIMIT most)
            ) AS page ORDER BY page.seq NULLS LAST, page.created_at, page.id LIMIT most);
    ELSE
        ids := ARRAY(
            SELECT page.id FROM (
                (SELECT m.id, m.seq, m.created_at FROM messages AS m
                WHERE m.workspace_id = of_workspace AND m.conversation_id = of_conversation AND m.seq > low AND m.seq < high
                ORDER BY m.seq DESC LIMIT most)
                UNION ALL
                (SELECT m.id, m.seq, m.created_at FROM messages AS m
                WHERE m.workspace_id = of_workspace AND m.conversation_id = of_conversation AND m.seq IS NULL
                    AND (m.created_at, m.id) > (low_time, low_id) AND (m.created_at, m.id) < (high_time, high_id)
                ORDER BY m.created_at DESC, m.id DESC LIMIT most)
            ) AS page ORDER BY page.seq DESC NULLS FIRST, page.created_at DESC, page.id DESC LIMIT most);
    END IF;
    messages := (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'message', to_jsonb(m),
            'feedback', (
                SELECT coalesce(jsonb_agg(to_jsonb(f) ORDER BY f.judge), '[]') FROM feedback AS f
                WHERE f.workspace_id = of_workspace AND f.message_id = m.id),
            'sources', (
                SELECT coalesce(jsonb_agg(to_jsonb(s) || jsonb_build_object('is_gone',
                    -- An ingested document has new chunks, of which the same may be one.
                    NOT EXISTS (SELECT FROM document_chunks AS c
                        WHERE c.workspace_id = of_workspace AND c.id = s.chunk_id
                            AND encode(sha256(convert_to(c.content, 'UTF8')), 'hex') = s.content_hash)
                    AND NOT EXISTS (SELECT FROM document_chunks AS c
                        WHERE c.workspace_id = of_workspace AND c.document_id = s.document_id
                            AND encode(sha256(convert_to(c.content, 'UTF8')), 'hex') = s.content_hash)) ORDER BY s.rank), '[]')
                FROM message_sources AS s
                WHERE s.workspace_id = of_workspace AND s.message_id = m.id)
        ) ORDER BY m.seq NULLS LAST, m.created_at, m.id), '[]')
        FROM unnest(ids) AS page (id) JOIN messages AS m ON m.workspace_id = of_workspace AND m.id = page.id);
    RETURN NEXT;
END
$function$;
COMMENT ON FUNCTION workspace_db_conversation_page(uuid, uuid, boolean, uuid, integer) IS
    'A conversation with a page of its messages after or before one of them, the oldest first, each with its feedback and sources. Returns no row if there is no such conversation.';
