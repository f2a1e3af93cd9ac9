DROP FUNCTION workspace_db_set_unreadable_aside(regclass);
DROP FUNCTION workspace_db_refuse_unreadable(regclass);
DROP FUNCTION workspace_db_is_readable(anyarray);
DROP FUNCTION workspace_db_is_readable(date);
DROP FUNCTION workspace_db_is_readable(timestamp);
DROP FUNCTION workspace_db_is_readable(timestamptz);
DROP FUNCTION workspace_db_is_readable(jsonb);
