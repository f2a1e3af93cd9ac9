-- Facts about a passage, such as its page or section. Documents have their own.
ALTER TABLE document_chunks
    ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT document_chunks_metadata_readable CHECK (workspace_db_is_readable(metadata)) NOT VALID;
COMMENT ON COLUMN document_chunks.metadata IS 'Facts about the chunk, such as its page, which a search can filter by.';
