DROP INDEX CONCURRENTLY IF EXISTS document_chunks_language_idx;
