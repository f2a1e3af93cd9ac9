CREATE TYPE datasource_type AS ENUM ('web', 'file', 'api', 'notion', 'slack', 'manual');
COMMENT ON TYPE datasource_type IS 'Where a datasource reads from.';

CREATE TYPE datasource_sync_status AS ENUM ('idle', 'running', 'failed', 'completed');
COMMENT ON TYPE datasource_sync_status IS 'How the last synchronisation of a datasource stands.';

CREATE TYPE document_status AS ENUM ('draft', 'processing', 'ready', 'archived', 'error');
COMMENT ON TYPE document_status IS 'Stage of a document; only a ready one is searched.';

CREATE TABLE datasources (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    description text,
    type datasource_type NOT NULL,
    config jsonb NOT NULL DEFAULT '{}',
    sync_status datasource_sync_status NOT NULL DEFAULT 'idle',
    sync_cursor text,
    error_message text,
    is_managed boolean NOT NULL DEFAULT true,
    last_synced_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT datasources_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT datasources_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE
);

COMMENT ON TABLE datasources IS 'Where a workspace''s documents come from.';
COMMENT ON COLUMN datasources.id IS 'Identity within the workspace.';
COMMENT ON COLUMN datasources.workspace_id IS 'The workspace.';
COMMENT ON COLUMN datasources.name IS 'Name for people.';
COMMENT ON COLUMN datasources.description IS 'What is in it.';
COMMENT ON COLUMN datasources.type IS 'Kind of source.';
COMMENT ON COLUMN datasources.config IS 'What the kind needs to read it, as a JSON object without secrets.';
COMMENT ON COLUMN datasources.sync_status IS 'How the last synchronisation stands.';
COMMENT ON COLUMN datasources.sync_cursor IS 'Where the next synchronisation goes on.';
COMMENT ON COLUMN datasources.error_message IS 'Why the last synchronisation failed.';
COMMENT ON COLUMN datasources.is_managed IS 'Whether the platform keeps it up to date by itself.';
COMMENT ON COLUMN datasources.last_synced_at IS 'Time of the last completed synchronisation.';
COMMENT ON COLUMN datasources.created_at IS 'Time of insertion.';
COMMENT ON COLUMN datasources.updated_at IS 'Time of the last change, set by the statement that makes it.';

CREATE TABLE documents (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    datasource_id uuid,
    external_id text,
    title text NOT NULL,
    slug text,
    summary text,
    content_hash text,
    metadata jsonb NOT NULL DEFAULT '{}',
    status document_status NOT NULL DEFAULT 'ready',
    is_published boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT documents_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT documents_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT documents_datasource_id_fkey
        FOREIGN KEY (workspace_id, datasource_id) REFERENCES datasources (workspace_id, id) ON DELETE CASCADE
);
-- NULLS NOT DISTINCT, so that a document without a datasource can't repeat an external id either; partial, since
-- otherwise a workspace could hold only one document that has no external id.
CREATE UNIQUE INDEX documents_external_id_key ON documents (workspace_id, datasource_id, external_id)
    NULLS NOT DISTINCT WHERE external_id IS NOT NULL;
CREATE INDEX documents_datasource_id_idx ON documents (workspace_id, datasource_id);

COMMENT ON TABLE documents IS 'Texts that a workspace answers from.';
COMMENT ON COLUMN documents.id IS 'Identity within the workspace.';
COMMENT ON COLUMN documents.workspace_id IS 'The workspace.';
COMMENT ON COLUMN documents.datasource_id IS 'The datasource that brought it, if one did.';
COMMENT ON COLUMN documents.external_id IS 'Its name in the datasource, unique there.';
COMMENT ON COLUMN documents.title IS 'Title for people.';
COMMENT ON COLUMN documents.slug IS 'Name in addresses.';
COMMENT ON COLUMN documents.summary IS 'A few sentences on what is in it.';
COMMENT ON COLUMN documents.content_hash IS 'SHA-256 of the source bytes in hexadecimal, by which a change is noticed.';
COMMENT ON COLUMN documents.metadata IS 'Anything else, as a JSON object.';
COMMENT ON COLUMN documents.status IS 'Stage; only a ready document is searched.';
COMMENT ON COLUMN documents.is_published IS 'Whether the public side may quote it.';
COMMENT ON COLUMN documents.created_at IS 'Time of insertion.';
COMMENT ON COLUMN documents.updated_at IS 'Time of the last change, set by the statement that makes it.';

CREATE TABLE document_chunks (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    document_id uuid NOT NULL,
    chunk_index integer NOT NULL,
    content text NOT NULL,
    token_count integer,
    embedding_model text NOT NULL DEFAULT 'text-embedding-3-large',
    vector vector(1536) NOT NULL,
    vector_bits bit(1536) NOT NULL GENERATED ALWAYS AS (binary_quantize(vector)::bit(1536)) STORED,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT document_chunks_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT document_chunks_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT document_chunks_document_id_fkey
        FOREIGN KEY (workspace_id, document_id) REFERENCES documents (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT document_chunks_chunk_index_key UNIQUE (workspace_id, document_id, chunk_index),
    CONSTRAINT document_chunks_token_count_check CHECK (token_count >= 0),
    -- The cosine to a vector of zeros is NaN, which PostgreSQL sorts above every number: it would lead every answer.
    CONSTRAINT document_chunks_vector_check CHECK (vector_norm(vector) > 0)
);
-- The contract's index, for the measure that the platform ranks by. Built on an empty table it knows no data yet;
-- ARCHITECTURE.md, "Search", says who reads it and who does not.
CREATE INDEX document_chunks_vector_idx ON document_chunks USING ivfflat (vector vector_cosine_ops) WITH (lists = 100);

COMMENT ON TABLE document_chunks IS 'Passages of documents with their embeddings.';
COMMENT ON COLUMN document_chunks.id IS 'Identity within the workspace.';
COMMENT ON COLUMN document_chunks.workspace_id IS 'The workspace.';
COMMENT ON COLUMN document_chunks.document_id IS 'The document.';
COMMENT ON COLUMN document_chunks.chunk_index IS 'Place in the document, from 0.';
COMMENT ON COLUMN document_chunks.content IS 'The passage.';
COMMENT ON COLUMN document_chunks.token_count IS 'Length of the passage in tokens of cl100k_base.';
COMMENT ON COLUMN document_chunks.embedding_model IS 'What made the vector; vectors of two models can''t be compared.';
COMMENT ON COLUMN document_chunks.vector IS 'The embedding, 1536 dimensions.';
COMMENT ON COLUMN document_chunks.vector_bits IS 'Signs of the embedding''s components, generated from vector.';
COMMENT ON COLUMN document_chunks.created_at IS 'Time of insertion.';
