DROP FUNCTION workspace_db_release_message(uuid, uuid);
DROP FUNCTION workspace_db_select_branch(uuid, uuid, uuid);
DROP FUNCTION workspace_db_open_conversation(uuid, text, uuid);
DROP FUNCTION workspace_db_message_history(uuid, uuid, uuid, integer);
DROP FUNCTION workspace_db_append_message(uuid, uuid, uuid, message_role, boolean, text, text, text, uuid, integer, double precision, jsonb, text, uuid, interval);
DROP FUNCTION workspace_db_conversation_head(uuid, uuid);
DROP FUNCTION workspace_db_is_shown(message_state, text);
