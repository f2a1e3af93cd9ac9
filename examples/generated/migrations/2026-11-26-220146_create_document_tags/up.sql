CREATE TABLE document_tags (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    document_id uuid NOT NULL,
    tag text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT document_tags_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT document_tags_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT document_tags_document_id_tag_key UNIQUE (workspace_id, document_id, tag),
    CONSTRAINT document_tags_document_id_fkey
        FOREIGN KEY (workspace_id, document_id) REFERENCES documents (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT document_tags_created_at_readable CHECK (workspace_db_is_readable(created_at))
);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX document_tags_document_id_idx ON document_tags (workspace_id, document_id);

COMMENT ON TABLE document_tags IS 'Words that a workspace puts on its documents.';
COMMENT ON COLUMN document_tags.id IS 'Identity within the workspace.';
COMMENT ON COLUMN document_tags.workspace_id IS 'The workspace.';
COMMENT ON COLUMN document_tags.document_id IS 'The document.';
COMMENT ON COLUMN document_tags.tag IS 'The word, in lower case.';
COMMENT ON COLUMN document_tags.created_at IS 'Time of insertion.';

SELECT workspace_db_isolate('document_tags');
