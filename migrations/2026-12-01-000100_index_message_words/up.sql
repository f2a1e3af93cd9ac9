-- Search in messages by words. An expression, and not a column: a generated column would rewrite the table under a lock.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_words_idx ON messages
    USING gin (workspace_db_search_text(workspace_id, language, content));
