-- A parent is a message of the same conversation: the foreign key needs all three columns.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS messages_conversation_id_key ON messages (workspace_id, conversation_id, id);
