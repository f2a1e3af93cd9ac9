DROP FUNCTION workspace_db_enable_triggers(regclass, text[]);
DROP FUNCTION workspace_db_disable_triggers(regclass);
