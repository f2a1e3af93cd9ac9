DROP FUNCTION workspace_db_training_lines(uuid, uuid, boolean, integer);
DROP FUNCTION workspace_db_has_no_text(text);
