-- Of two indexes that cost the same, PostgreSQL takes the newer one: on a table without statistics each check of a parent read
-- its whole workspace by messages_language_idx.
REINDEX INDEX CONCURRENTLY messages_conversation_id_key;
