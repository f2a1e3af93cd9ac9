DROP FUNCTION workspace_db_model_usage(uuid, uuid, uuid, timestamptz, timestamptz);
DROP TABLE model_calls;
