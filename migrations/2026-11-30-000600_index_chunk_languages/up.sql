-- A full-text search reads from it in which languages the workspace's passages are, and parses the question in those.
CREATE INDEX CONCURRENTLY IF NOT EXISTS document_chunks_language_idx ON document_chunks (workspace_id, language);
