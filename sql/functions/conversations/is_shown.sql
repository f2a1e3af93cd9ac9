CREATE OR REPLACE FUNCTION workspace_db_is_shown(state message_state, content text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN state = 'complete' OR state = 'interrupted' AND content <> '';
COMMENT ON FUNCTION workspace_db_is_shown(message_state, text) IS
    'True if the visitor sees the message: it is complete, or interrupted with text.';
