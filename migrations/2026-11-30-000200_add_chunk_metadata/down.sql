-- Loses the metadata of all chunks.
ALTER TABLE document_chunks DROP COLUMN metadata;
