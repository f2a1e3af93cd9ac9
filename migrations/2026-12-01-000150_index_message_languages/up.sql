-- A search by words is parsed in each language of the workspace's messages, which are the first entries of this index.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_language_idx ON messages (workspace_id, language);
