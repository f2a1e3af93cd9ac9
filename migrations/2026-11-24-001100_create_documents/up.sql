CREATE TYPE datasource_type AS ENUM ('web', 'file', 'api', 'notion', 'slack', 'manual');
COMMENT ON TYPE datasource_type IS 'Kind of a datasource.';

CREATE TYPE datasource_sync_status AS ENUM ('idle', 'running', 'failed', 'completed');
COMMENT ON TYPE datasource_sync_status IS 'State of the last synchronization of a datasource.';

CREATE TYPE document_status AS ENUM ('draft', 'processing', 'ready', 'archived', 'error');
COMMENT ON TYPE document_status IS 'State of a document; searches find only ready documents.';

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

COMMENT ON TABLE datasources IS 'Sources of a workspace''s documents.';
COMMENT ON COLUMN datasources.id IS 'Identity within the workspace.';
COMMENT ON COLUMN datasources.workspace_id IS 'The workspace.';
COMMENT ON COLUMN datasources.name IS 'Name for people.';
COMMENT ON COLUMN datasources.description IS 'Description of its content.';
COMMENT ON COLUMN datasources.type IS 'Kind of source.';
COMMENT ON COLUMN datasources.config IS 'Settings of the source, as a JSON object without secrets.';
COMMENT ON COLUMN datasources.sync_status IS 'State of the last synchronization.';
COMMENT ON COLUMN datasources.sync_cursor IS 'Position at which the next synchronization resumes.';
COMMENT ON COLUMN datasources.error_message IS 'Error of the last synchronization.';
COMMENT ON COLUMN datasources.is_managed IS 'True if the platform synchronizes it automatically.';
COMMENT ON COLUMN datasources.last_synced_at IS 'Time of the last completed synchronization.';
COMMENT ON COLUMN datasources.created_at IS 'Time of insertion.';
COMMENT ON COLUMN datasources.updated_at IS 'Time of the last change, set by the statement that makes it.';

SELECT workspace_db_isolate('datasources');
SELECT workspace_db_refuse_unreadable('datasources');

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
-- NULLS NOT DISTINCT, so that documents without a datasource have unique external ids too. Partial, since a workspace can have
-- many documents without an external id.
CREATE UNIQUE INDEX documents_external_id_key ON documents (workspace_id, datasource_id, external_id)
    NULLS NOT DISTINCT WHERE external_id IS NOT NULL;
CREATE INDEX documents_datasource_id_idx ON documents (workspace_id, datasource_id);
-- Finds a document that comes again under another name.
CREATE INDEX documents_content_hash_idx ON documents (workspace_id, content_hash);

COMMENT ON TABLE documents IS 'Texts from which a workspace answers.';
COMMENT ON COLUMN documents.id IS 'Identity within the workspace.';
COMMENT ON COLUMN documents.workspace_id IS 'The workspace.';
COMMENT ON COLUMN documents.datasource_id IS 'The datasource of the document, if any.';
COMMENT ON COLUMN documents.external_id IS 'Id in the datasource, unique there.';
COMMENT ON COLUMN documents.title IS 'Title for people.';
COMMENT ON COLUMN documents.slug IS 'Name in URLs.';
COMMENT ON COLUMN documents.summary IS 'Summary in a few sentences.';
COMMENT ON COLUMN documents.content_hash IS 'SHA-256 of the source bytes in hexadecimal, which detects a change.';
COMMENT ON COLUMN documents.metadata IS 'Anything else, as a JSON object.';
COMMENT ON COLUMN documents.status IS 'State; searches find only ready documents.';
COMMENT ON COLUMN documents.is_published IS 'True if public answers may quote it.';
COMMENT ON COLUMN documents.created_at IS 'Time of insertion.';
COMMENT ON COLUMN documents.updated_at IS 'Time of the last change, set by the statement that makes it.';

SELECT workspace_db_isolate('documents');
SELECT workspace_db_refuse_unreadable('documents');
