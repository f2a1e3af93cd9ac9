CREATE TABLE captions (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL,
    picture_id uuid NOT NULL,
    author uuid,
    text text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT captions_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT captions_workspace_id_fkey
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
    CONSTRAINT captions_picture_id_fkey
        FOREIGN KEY (workspace_id, picture_id) REFERENCES pictures (workspace_id, id) ON DELETE CASCADE,
    CONSTRAINT captions_author_fkey
        FOREIGN KEY (author) REFERENCES admin_users (id) ON DELETE SET NULL (author),
    CONSTRAINT captions_created_at_readable CHECK (workspace_db_is_readable(created_at))
);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX captions_picture_id_idx ON captions (workspace_id, picture_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX captions_author_idx ON captions (author);

COMMENT ON TABLE captions IS 'What people write below a picture.';
COMMENT ON COLUMN captions.id IS 'Identity within the workspace.';
COMMENT ON COLUMN captions.workspace_id IS 'The workspace.';
COMMENT ON COLUMN captions.picture_id IS 'The picture.';
COMMENT ON COLUMN captions.author IS 'Who wrote it, while the account is there.';
COMMENT ON COLUMN captions.text IS 'The text.';
COMMENT ON COLUMN captions.created_at IS 'Time of insertion.';

SELECT workspace_db_isolate('captions');
