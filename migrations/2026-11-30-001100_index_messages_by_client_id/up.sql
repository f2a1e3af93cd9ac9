-- A message that is sent again is found by the sender's id.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS messages_client_id_key ON messages (workspace_id, client_id, conversation_id)
    WHERE client_id IS NOT NULL;
