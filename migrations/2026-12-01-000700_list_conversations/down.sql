DROP FUNCTION workspace_db_list_conversations(uuid, text, conversation_status, conversation_speaker, integer, boolean, timestamptz, uuid, integer);
