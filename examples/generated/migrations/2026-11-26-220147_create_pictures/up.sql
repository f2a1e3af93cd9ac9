CREATE TABLE pictures (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    conversation_id uuid,
    status document_status NOT NULL,
    look vector(1536) NOT NULL,
    look_bits bit(1536) NOT NULL GENERATED ALWAYS AS (binary_quantize(look)::bit(1536)) STORED,
    words text[] NOT NULL,
    metadata jsonb NOT NULL,
    width integer NOT NULL,
    taken_on date,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pictures_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT pictures_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT pictures_conversation_id_fkey
        FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversations (workspace_id, id) ON DELETE SET NULL (conversation_id),
    CONSTRAINT pictures_look_check CHECK (vector_norm(look) BETWEEN 1e-15 AND 1e15),
    CONSTRAINT pictures_words_check CHECK (array_position(words, NULL) IS NULL),
    CONSTRAINT pictures_words_readable CHECK (workspace_db_is_readable(words)),
    CONSTRAINT pictures_metadata_readable CHECK (workspace_db_is_readable(metadata)),
    CONSTRAINT pictures_taken_on_readable CHECK (workspace_db_is_readable(taken_on)),
    CONSTRAINT pictures_created_at_readable CHECK (workspace_db_is_readable(created_at)),
    CONSTRAINT pictures_updated_at_readable CHECK (workspace_db_is_readable(updated_at))
);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX pictures_conversation_id_idx ON pictures (workspace_id, conversation_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX pictures_look_bits_idx ON pictures (workspace_id, id) INCLUDE (look_bits);

COMMENT ON TABLE pictures IS 'Pictures that visitors send, and what they look like.';
COMMENT ON COLUMN pictures.id IS 'Identity within the workspace.';
COMMENT ON COLUMN pictures.workspace_id IS 'The workspace.';
COMMENT ON COLUMN pictures.conversation_id IS 'The talk in which it came, if it is kept.';
COMMENT ON COLUMN pictures.status IS 'The status.';
COMMENT ON COLUMN pictures.look IS 'What it shows, as an embedding of 1536 dimensions.';
COMMENT ON COLUMN pictures.look_bits IS 'Signs of the components of look, generated from it.';
COMMENT ON COLUMN pictures.words IS 'The words.';
COMMENT ON COLUMN pictures.metadata IS 'The metadata.';
COMMENT ON COLUMN pictures.width IS 'Width in pixels.';
COMMENT ON COLUMN pictures.taken_on IS 'Day on which it was taken, where the picture says so.';
COMMENT ON COLUMN pictures.created_at IS 'Time of insertion.';
COMMENT ON COLUMN pictures.updated_at IS 'Time of the last change, set by the statement that makes it.';

SELECT workspace_db_isolate('pictures');
