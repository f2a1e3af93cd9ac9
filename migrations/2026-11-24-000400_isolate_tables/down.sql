DROP FUNCTION workspace_db_let_readers_in();
DROP FUNCTION workspace_db_isolate(regclass);
