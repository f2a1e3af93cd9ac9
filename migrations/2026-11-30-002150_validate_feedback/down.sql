ALTER TABLE feedback
    DROP CONSTRAINT feedback_updated_at_readable,
    ADD CONSTRAINT feedback_updated_at_readable CHECK (workspace_db_is_readable(updated_at)) NOT VALID;
