DROP FUNCTION workspace_db_conversation_page(uuid, uuid, boolean, uuid, integer);
-- Loses the sources of all answers.
DROP TABLE message_sources;
