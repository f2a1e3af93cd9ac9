DROP FUNCTION workspace_db_training_lines(uuid, uuid, boolean, integer);
