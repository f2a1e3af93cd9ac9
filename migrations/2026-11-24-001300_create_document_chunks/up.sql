CREATE TABLE document_chunks (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    document_id uuid NOT NULL,
    chunk_index integer NOT NULL,
    content text NOT NULL,
    token_count integer,
    embedding_model text NOT NULL DEFAULT 'text-embedding-3-large',
    -- Inline: reading a vector through TOAST costs five page reads, and twice the time of a rerank.
    vector vector(1536) STORAGE PLAIN NOT NULL,
    vector_bits bit(1536) NOT NULL GENERATED ALWAYS AS (binary_quantize(vector)::bit(1536)) STORED,
    created_at timestamptz NOT NULL DEFAULT now(),
    language text,
    search_text tsvector NOT NULL GENERATED ALWAYS AS (workspace_db_search_text(workspace_id, language, content)) STORED,
    CONSTRAINT document_chunks_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT document_chunks_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT document_chunks_document_id_fkey
        FOREIGN KEY (workspace_id, document_id) REFERENCES documents (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT document_chunks_chunk_index_key UNIQUE (workspace_id, document_id, chunk_index),
    CONSTRAINT document_chunks_token_count_check CHECK (token_count >= 0),
    CONSTRAINT document_chunks_language_check CHECK (language ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$'),
    -- pgvector sums squares in single precision: the sum of a tiny or huge vector is 0 or infinite, and its cosine is wrong.
    CONSTRAINT document_chunks_vector_check CHECK (vector_norm(vector) BETWEEN 1e-15 AND 1e15)
) WITH (
    -- Keeps the passage on the page of its vector where both fit.
    toast_tuple_target = 8160,
    -- An index-only scan needs the visibility map, which covers new rows after a vacuum.
    autovacuum_vacuum_insert_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02
);
-- The index that the contract asks for. On an empty table it has no data to train on, and this crate's searches don't use it:
-- docs/decisions/vector-search.md.
CREATE INDEX document_chunks_vector_idx ON document_chunks USING ivfflat (vector vector_cosine_ops) WITH (lists = 100);
-- Searches of up to some tens of thousands of chunks read this index alone: docs/decisions/vector-search.md.
CREATE INDEX document_chunks_bits_idx ON document_chunks (workspace_id, embedding_model)
    INCLUDE (id, document_id, vector_bits);
CREATE INDEX document_chunks_search_text_idx ON document_chunks USING gin (search_text);

COMMENT ON TABLE document_chunks IS 'Chunks (passages) of documents with their embeddings.';
COMMENT ON COLUMN document_chunks.id IS 'Identity within the workspace.';
COMMENT ON COLUMN document_chunks.workspace_id IS 'The workspace.';
COMMENT ON COLUMN document_chunks.document_id IS 'The document.';
COMMENT ON COLUMN document_chunks.chunk_index IS 'Position in the document, from 0.';
COMMENT ON COLUMN document_chunks.content IS 'Text of the chunk.';
COMMENT ON COLUMN document_chunks.token_count IS 'Length in tokens of cl100k_base.';
COMMENT ON COLUMN document_chunks.embedding_model IS 'Model that made the vector; vectors of different models can''t be compared.';
COMMENT ON COLUMN document_chunks.vector IS 'The embedding, 1536 dimensions.';
COMMENT ON COLUMN document_chunks.vector_bits IS 'Signs of the embedding''s components, generated from vector.';
COMMENT ON COLUMN document_chunks.created_at IS 'Time of insertion.';
COMMENT ON COLUMN document_chunks.language IS
    'Language of the text, a BCP 47 tag, which selects the stemmer; NULL for no stemming.';
COMMENT ON COLUMN document_chunks.search_text IS 'Lexemes for full-text search, generated from workspace_id, language and content.';

SELECT workspace_db_isolate('document_chunks');
SELECT workspace_db_refuse_unreadable('document_chunks');

-- Row-level security keeps the index from answering `@@`: the operator is not leakproof, so PostgreSQL applies the policy first
-- and reads every row of the workspace. This function therefore runs as workspace_platform, whose policy hides nothing, and
-- restricts both of its conditions to the workspace that the transaction has set. It returns ids; the caller reads the rows
-- under the policy.
CREATE FUNCTION workspace_db_matching_chunks(question tsquery, most integer) RETURNS uuid[]
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
REVOKE EXECUTE ON FUNCTION workspace_db_matching_chunks(tsquery, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION workspace_db_matching_chunks(tsquery, integer) TO workspace_app;
DO $$
BEGIN
    -- The new owner of a function needs CREATE on its schema.
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO workspace_platform', current_schema());
    ALTER FUNCTION workspace_db_matching_chunks(tsquery, integer) OWNER TO workspace_platform;
    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM workspace_platform', current_schema());
END
$$;
SELECT workspace_db_let_readers_in();
