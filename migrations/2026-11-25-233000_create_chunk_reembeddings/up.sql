-- Vectors of the model that a workspace is being switched to, until all of its passages have one: then they take the place
-- of the old ones in one transaction, and go from here.

CREATE TABLE chunk_reembeddings (
    workspace_id uuid NOT NULL,
    chunk_id uuid NOT NULL,
    embedding_model text NOT NULL,
    content_hash text NOT NULL,
    -- Inline, as it will lie in document_chunks.
    vector vector(1536) STORAGE PLAIN NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT chunk_reembeddings_pkey PRIMARY KEY (workspace_id, chunk_id),
    CONSTRAINT chunk_reembeddings_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT chunk_reembeddings_chunk_id_fkey
        FOREIGN KEY (workspace_id, chunk_id) REFERENCES document_chunks (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT chunk_reembeddings_vector_check CHECK (vector_norm(vector) > 0)
);
COMMENT ON TABLE chunk_reembeddings IS 'Vectors of the model that a workspace is being switched to.';
COMMENT ON COLUMN chunk_reembeddings.workspace_id IS 'The workspace.';
COMMENT ON COLUMN chunk_reembeddings.chunk_id IS 'The passage.';
COMMENT ON COLUMN chunk_reembeddings.embedding_model IS 'What made the vector.';
COMMENT ON COLUMN chunk_reembeddings.content_hash IS
    'SHA-256 of the text that the vector was made of, in hexadecimal: a passage that has changed since needs another.';
COMMENT ON COLUMN chunk_reembeddings.vector IS 'The embedding, 1536 dimensions.';
COMMENT ON COLUMN chunk_reembeddings.created_at IS 'Time of insertion.';

SELECT workspace_db_isolate('chunk_reembeddings');
