DROP FUNCTION workspace_db_expire_audit_log(uuid, timestamptz, integer);
DROP TABLE audit_log;
DROP TYPE audit_actor;
