-- Holds the vectors of the new model until every chunk of a workspace has one. One transaction then replaces the old vectors and
-- deletes these rows.
CREATE TABLE chunk_reembeddings (
    workspace_id uuid NOT NULL,
    chunk_id uuid NOT NULL,
    embedding_model text NOT NULL,
    content_hash text NOT NULL,
    -- Stored inline, as in document_chunks.
    vector vector(1536) STORAGE PLAIN NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT chunk_reembeddings_pkey PRIMARY KEY (workspace_id, chunk_id),
    CONSTRAINT chunk_reembeddings_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT chunk_reembeddings_chunk_id_fkey
        FOREIGN KEY (workspace_id, chunk_id) REFERENCES document_chunks (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT chunk_reembeddings_vector_check CHECK (vector_norm(vector) BETWEEN 1e-15 AND 1e15)
);
COMMENT ON TABLE chunk_reembeddings IS 'Vectors of the model to which a workspace is being switched.';
COMMENT ON COLUMN chunk_reembeddings.workspace_id IS 'The workspace.';
COMMENT ON COLUMN chunk_reembeddings.chunk_id IS 'The chunk.';
COMMENT ON COLUMN chunk_reembeddings.embedding_model IS 'Model that made the vector.';
COMMENT ON COLUMN chunk_reembeddings.content_hash IS
    'SHA-256 of the embedded text in hexadecimal; a chunk that has changed since needs a new vector.';
COMMENT ON COLUMN chunk_reembeddings.vector IS 'The embedding, 1536 dimensions.';
COMMENT ON COLUMN chunk_reembeddings.created_at IS 'Time of insertion.';

SELECT workspace_db_isolate('chunk_reembeddings');
SELECT workspace_db_refuse_unreadable('chunk_reembeddings');
