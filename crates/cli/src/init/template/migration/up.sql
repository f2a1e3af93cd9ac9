CREATE TABLE notes (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    document_id uuid NOT NULL,
    text text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notes_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT notes_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT notes_document_id_fkey
        FOREIGN KEY (workspace_id, document_id) REFERENCES documents (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT notes_created_at_readable CHECK (workspace_db_is_readable(created_at))
);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX notes_document_id_idx ON notes (workspace_id, document_id);

COMMENT ON TABLE notes IS 'Notes that people write beside a document.';
COMMENT ON COLUMN notes.id IS 'Identity within the workspace.';
COMMENT ON COLUMN notes.workspace_id IS 'The workspace.';
COMMENT ON COLUMN notes.document_id IS 'The document.';
COMMENT ON COLUMN notes.text IS 'The text of the note.';
COMMENT ON COLUMN notes.created_at IS 'Time of insertion.';

SELECT workspace_db_isolate('notes');
