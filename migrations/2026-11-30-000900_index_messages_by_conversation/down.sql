DROP INDEX CONCURRENTLY IF EXISTS messages_conversation_id_key;
