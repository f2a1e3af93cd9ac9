-- Ways to break the isolation of workspaces. A heading has a name, whether nothing may be served, and a word of what is
-- said; SQL for a superuser follows. Privileges by objects by logins, what a login may become, policies, kinds of keys,
-- views, functions, defaults.

-- M7 superuser role to SET | grave | more privileges than the application
CREATE ROLE dba SUPERUSER; GRANT dba TO test_app WITH INHERIT FALSE, SET TRUE;
-- M8 BYPASSRLS role to SET | grave | more privileges than the application
CREATE ROLE allrows BYPASSRLS; GRANT allrows TO test_app WITH INHERIT FALSE, SET TRUE;
-- M20 ADMIN on workspace_platform | grave | more privileges than the application
GRANT workspace_platform TO test_app WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;
-- M11 BYPASSRLS login through a group in between | grave | more privileges than the application
CREATE ROLE between; GRANT workspace_app TO between; CREATE ROLE second LOGIN BYPASSRLS; GRANT between TO second;
-- M9 pg_read_server_files to the login | grave | more privileges than the application
GRANT pg_read_server_files TO test_app;
-- M9 pg_write_server_files to the login | grave | more privileges than the application
GRANT pg_write_server_files TO test_app;
-- M9 pg_execute_server_program to the login | grave | more privileges than the application
GRANT pg_execute_server_program TO test_app;
-- M9 pg_read_all_data to the login | grave | more privileges than the application
GRANT pg_read_all_data TO test_app;
-- M9 pg_write_all_data to the login | grave | more privileges than the application
GRANT pg_write_all_data TO test_app;
-- M9 pg_signal_backend to the login | grave | more privileges than the application
GRANT pg_signal_backend TO test_app;
-- M9 pg_monitor to the login | grave | more privileges than the application
GRANT pg_monitor TO test_app;
-- M9 pg_read_all_stats to the login | grave | more privileges than the application
GRANT pg_read_all_stats TO test_app;
-- M9 pg_read_all_settings to the login | grave | more privileges than the application
GRANT pg_read_all_settings TO test_app;
-- M9 pg_checkpoint to the login | grave | more privileges than the application
GRANT pg_checkpoint TO test_app;
-- M9 pg_maintain to the login | grave | more privileges than the application
GRANT pg_maintain TO test_app;
-- M9 pg_create_subscription to the login | grave | more privileges than the application
GRANT pg_create_subscription TO test_app;
-- M9 pg_use_reserved_connections to the login | grave | more privileges than the application
GRANT pg_use_reserved_connections TO test_app;
-- M9c pg_read_all_data through workspace_app | grave | more privileges than the application
GRANT pg_read_all_data TO workspace_app;
-- predefined role two groups away, by admin alone | grave | more privileges than the application
CREATE ROLE a1; CREATE ROLE a2; GRANT pg_execute_server_program TO a1 WITH ADMIN TRUE, INHERIT FALSE, SET FALSE; GRANT a1 TO a2 WITH INHERIT FALSE, SET TRUE; GRANT a2 TO test_app;
-- the login has SUPERUSER | grave | more privileges than the application
ALTER ROLE test_app SUPERUSER;
-- a role to SET has SUPERUSER | grave | more privileges than the application
CREATE ROLE strong SUPERUSER; GRANT strong TO test_app WITH INHERIT FALSE, SET TRUE;
-- the login has BYPASSRLS | grave | more privileges than the application
ALTER ROLE test_app BYPASSRLS;
-- a role to SET has BYPASSRLS | grave | more privileges than the application
CREATE ROLE strong BYPASSRLS; GRANT strong TO test_app WITH INHERIT FALSE, SET TRUE;
-- the login has CREATEROLE | grave | more privileges than the application
ALTER ROLE test_app CREATEROLE;
-- a role to SET has CREATEROLE | grave | more privileges than the application
CREATE ROLE strong CREATEROLE; GRANT strong TO test_app WITH INHERIT FALSE, SET TRUE;
-- the login has CREATEDB | grave | more privileges than the application
ALTER ROLE test_app CREATEDB;
-- a role to SET has CREATEDB | grave | more privileges than the application
CREATE ROLE strong CREATEDB; GRANT strong TO test_app WITH INHERIT FALSE, SET TRUE;
-- the login has REPLICATION | grave | more privileges than the application
ALTER ROLE test_app REPLICATION;
-- a role to SET has REPLICATION | grave | more privileges than the application
CREATE ROLE strong REPLICATION; GRANT strong TO test_app WITH INHERIT FALSE, SET TRUE;
-- workspace_app has BYPASSRLS | grave | attributes
ALTER ROLE workspace_app BYPASSRLS;
-- workspace_platform has BYPASSRLS | grave | attributes
ALTER ROLE workspace_platform BYPASSRLS;
-- workspace_app logs in | grave | attributes
ALTER ROLE workspace_app LOGIN;
-- platform to the login, inherited | grave | more privileges than the application
GRANT workspace_platform TO test_app;
-- platform to workspace_app | grave | more privileges than the application
GRANT workspace_platform TO workspace_app;
-- the owner to the login | grave | more privileges than the application
GRANT test_owner TO test_app WITH INHERIT FALSE, SET TRUE;
-- the owner inherits workspace_app | grave | more privileges than the application
GRANT workspace_app TO test_owner WITH INHERIT TRUE;
-- a second login of both groups | grave | more privileges than the application
CREATE ROLE second LOGIN; GRANT workspace_app, workspace_platform TO second;
-- a login that only SETs the application, and platform | grave | more privileges than the application
CREATE ROLE setter LOGIN; GRANT workspace_app, workspace_platform TO setter WITH INHERIT FALSE, SET TRUE;
-- the login of the platform is also one of the application | grave | more privileges than the application
GRANT workspace_app TO test_platform;
-- the login administers workspace_app | minor | can grant membership
GRANT workspace_app TO test_app WITH ADMIN TRUE;
-- workspace_app is in a group without rights | minor | group role as a member
CREATE ROLE plain; GRANT plain TO workspace_app;
-- a group that owns a table | grave | more privileges than the application
CREATE ROLE keeper; GRANT keeper TO test_app; CREATE TABLE kept (x int); ALTER TABLE kept OWNER TO keeper;
-- the login owns a tenants table | grave | more privileges than the application
ALTER TABLE jobs OWNER TO test_app;
-- workspace_app owns a tenants table | grave | more privileges than the application
ALTER TABLE jobs OWNER TO workspace_app;
-- the login owns a schema | grave | more privileges than the application
CREATE SCHEMA mine AUTHORIZATION test_app;
-- the login owns the database | grave | more privileges than the application
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I OWNER TO test_app', current_database()); END $$;
-- the login owns a function of ours | grave | more privileges than the application
ALTER FUNCTION workspace_db_isolate(regclass) OWNER TO test_app;
-- the login owns a type | grave | more privileges than the application
ALTER TYPE job_status OWNER TO test_app;
-- workspace_platform owns a table | minor | or workspace_platform, and an owner
ALTER TABLE jobs OWNER TO workspace_platform;
-- truncating documents, to workspace_app | grave | no policy limits
GRANT TRUNCATE ON documents TO workspace_app;
-- truncating documents, to the login | grave | no policy limits
GRANT TRUNCATE ON documents TO test_app;
-- truncating documents, to everyone | grave | no policy limits
GRANT TRUNCATE ON documents TO PUBLIC;
-- truncating documents, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second;  GRANT TRUNCATE ON documents TO second;
-- triggers on documents, to workspace_app | grave | no policy limits
GRANT TRIGGER ON documents TO workspace_app;
-- triggers on documents, to the login | grave | no policy limits
GRANT TRIGGER ON documents TO test_app;
-- triggers on documents, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app;  GRANT TRIGGER ON documents TO between;
-- triggers on documents, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT TRIGGER ON documents TO setto;
-- references to documents, to workspace_app | minor | not by the migrations
GRANT REFERENCES ON documents TO workspace_app;
-- references to documents, to the login | minor | not by the migrations
GRANT REFERENCES ON documents TO test_app;
-- references to documents, to everyone | minor | not by the migrations
GRANT REFERENCES ON documents TO PUBLIC;
-- references to documents, to a second login | minor | not by the migrations
CREATE ROLE second LOGIN; GRANT workspace_app TO second;  GRANT REFERENCES ON documents TO second;
-- administrators read, to workspace_app | minor | not by the migrations
GRANT SELECT ON admin_users TO workspace_app;
-- administrators read, to the login | minor | not by the migrations
GRANT SELECT ON admin_users TO test_app;
-- administrators read, to a group in between | minor | not by the migrations
CREATE ROLE between; GRANT between TO test_app;  GRANT SELECT ON admin_users TO between;
-- administrators read, to a role to SET | minor | not by the migrations
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT SELECT ON admin_users TO setto;
-- one column of administrators, to workspace_app | minor | not by the migrations
GRANT SELECT (email) ON admin_users TO workspace_app;
-- one column of administrators, to the login | minor | not by the migrations
GRANT SELECT (email) ON admin_users TO test_app;
-- one column of administrators, to everyone | minor | not by the migrations
GRANT SELECT (email) ON admin_users TO PUBLIC;
-- one column of administrators, to a second login | minor | not by the migrations
CREATE ROLE second LOGIN; GRANT workspace_app TO second;  GRANT SELECT (email) ON admin_users TO second;
-- tokens changed, to workspace_app | minor | not by the migrations
GRANT UPDATE ON admin_tokens TO workspace_app;
-- tokens changed, to the login | minor | not by the migrations
GRANT UPDATE ON admin_tokens TO test_app;
-- tokens changed, to a group in between | minor | not by the migrations
CREATE ROLE between; GRANT between TO test_app;  GRANT UPDATE ON admin_tokens TO between;
-- tokens changed, to a role to SET | minor | not by the migrations
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT UPDATE ON admin_tokens TO setto;
-- queues paused, to workspace_app | minor | not by the migrations
GRANT UPDATE ON job_queues TO workspace_app;
-- queues paused, to the login | minor | not by the migrations
GRANT UPDATE ON job_queues TO test_app;
-- queues paused, to everyone | minor | not by the migrations
GRANT UPDATE ON job_queues TO PUBLIC;
-- queues paused, to a second login | minor | not by the migrations
CREATE ROLE second LOGIN; GRANT workspace_app TO second;  GRANT UPDATE ON job_queues TO second;
-- migrations read, to workspace_app | grave | no policy limits
GRANT SELECT ON __diesel_schema_migrations TO workspace_app;
-- migrations read, to the login | grave | no policy limits
GRANT SELECT ON __diesel_schema_migrations TO test_app;
-- migrations read, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app;  GRANT SELECT ON __diesel_schema_migrations TO between;
-- migrations read, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT SELECT ON __diesel_schema_migrations TO setto;
-- migrations written, to workspace_app | grave | no policy limits
GRANT INSERT ON __diesel_schema_migrations TO workspace_app;
-- migrations written, to the login | grave | no policy limits
GRANT INSERT ON __diesel_schema_migrations TO test_app;
-- migrations written, to everyone | grave | no policy limits
GRANT INSERT ON __diesel_schema_migrations TO PUBLIC;
-- migrations written, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second;  GRANT INSERT ON __diesel_schema_migrations TO second;
-- workspaces made, to workspace_app | minor | not by the migrations
GRANT INSERT ON workspaces TO workspace_app;
-- workspaces made, to the login | minor | not by the migrations
GRANT INSERT ON workspaces TO test_app;
-- workspaces made, to a group in between | minor | not by the migrations
CREATE ROLE between; GRANT between TO test_app;  GRANT INSERT ON workspaces TO between;
-- workspaces made, to a role to SET | minor | not by the migrations
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT INSERT ON workspaces TO setto;
-- published state, to workspace_app | minor | not by the migrations
GRANT UPDATE (is_published) ON workspaces TO workspace_app;
-- published state, to the login | minor | not by the migrations
GRANT UPDATE (is_published) ON workspaces TO test_app;
-- published state, to everyone | minor | not by the migrations
GRANT UPDATE (is_published) ON workspaces TO PUBLIC;
-- published state, to a second login | minor | not by the migrations
CREATE ROLE second LOGIN; GRANT workspace_app TO second;  GRANT UPDATE (is_published) ON workspaces TO second;
-- the log forged, to workspace_app | minor | not by the migrations
GRANT INSERT ON audit_log TO workspace_app;
-- the log forged, to the login | minor | not by the migrations
GRANT INSERT ON audit_log TO test_app;
-- the log forged, to a group in between | minor | not by the migrations
CREATE ROLE between; GRANT between TO test_app;  GRANT INSERT ON audit_log TO between;
-- the log forged, to a role to SET | minor | not by the migrations
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT INSERT ON audit_log TO setto;
-- members made, to workspace_app | minor | not by the migrations
GRANT INSERT ON workspace_admins TO workspace_app;
-- members made, to the login | minor | not by the migrations
GRANT INSERT ON workspace_admins TO test_app;
-- members made, to everyone | minor | not by the migrations
GRANT INSERT ON workspace_admins TO PUBLIC;
-- members made, to a second login | minor | not by the migrations
CREATE ROLE second LOGIN; GRANT workspace_app TO second;  GRANT INSERT ON workspace_admins TO second;
-- M3b a report of titles, to workspace_app | grave | no policy limits
CREATE TABLE report AS SELECT title FROM documents; GRANT SELECT ON report TO workspace_app;
-- M3b a report of titles, to the login | grave | no policy limits
CREATE TABLE report AS SELECT title FROM documents; GRANT SELECT ON report TO test_app;
-- M3b a report of titles, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app; CREATE TABLE report AS SELECT title FROM documents; GRANT SELECT ON report TO between;
-- M3b a report of titles, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE; CREATE TABLE report AS SELECT title FROM documents; GRANT SELECT ON report TO setto;
-- a report, write alone, to workspace_app | grave | no policy limits
CREATE TABLE report AS SELECT title FROM documents; GRANT INSERT ON report TO workspace_app;
-- a report, write alone, to the login | grave | no policy limits
CREATE TABLE report AS SELECT title FROM documents; GRANT INSERT ON report TO test_app;
-- a report, write alone, to everyone | grave | no policy limits
CREATE TABLE report AS SELECT title FROM documents; GRANT INSERT ON report TO PUBLIC;
-- a report, write alone, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second; CREATE TABLE report AS SELECT title FROM documents; GRANT INSERT ON report TO second;
-- a report, one column, to workspace_app | grave | no policy limits
CREATE TABLE report AS SELECT title FROM documents; GRANT SELECT (title) ON report TO workspace_app;
-- a report, one column, to the login | grave | no policy limits
CREATE TABLE report AS SELECT title FROM documents; GRANT SELECT (title) ON report TO test_app;
-- a report, one column, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app; CREATE TABLE report AS SELECT title FROM documents; GRANT SELECT (title) ON report TO between;
-- a report, one column, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE; CREATE TABLE report AS SELECT title FROM documents; GRANT SELECT (title) ON report TO setto;
-- M3 a tenants table by another column, to workspace_app | grave | no policy limits
CREATE TABLE notes (ws uuid, id uuid, PRIMARY KEY (ws, id)); GRANT SELECT ON notes TO workspace_app;
-- M3 a tenants table by another column, to the login | grave | no policy limits
CREATE TABLE notes (ws uuid, id uuid, PRIMARY KEY (ws, id)); GRANT SELECT ON notes TO test_app;
-- M3 a tenants table by another column, to everyone | grave | no policy limits
CREATE TABLE notes (ws uuid, id uuid, PRIMARY KEY (ws, id)); GRANT SELECT ON notes TO PUBLIC;
-- M3 a tenants table by another column, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second; CREATE TABLE notes (ws uuid, id uuid, PRIMARY KEY (ws, id)); GRANT SELECT ON notes TO second;
-- a table in another schema, to workspace_app | grave | no policy limits
CREATE SCHEMA other; CREATE TABLE other.documents AS SELECT title FROM documents; GRANT USAGE ON SCHEMA other TO PUBLIC; GRANT SELECT ON other.documents TO workspace_app;
-- a table in another schema, to the login | grave | no policy limits
CREATE SCHEMA other; CREATE TABLE other.documents AS SELECT title FROM documents; GRANT USAGE ON SCHEMA other TO PUBLIC; GRANT SELECT ON other.documents TO test_app;
-- a table in another schema, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app; CREATE SCHEMA other; CREATE TABLE other.documents AS SELECT title FROM documents; GRANT USAGE ON SCHEMA other TO PUBLIC; GRANT SELECT ON other.documents TO between;
-- a table in another schema, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE; CREATE SCHEMA other; CREATE TABLE other.documents AS SELECT title FROM documents; GRANT USAGE ON SCHEMA other TO PUBLIC; GRANT SELECT ON other.documents TO setto;
-- a materialized view, to workspace_app | grave | no policy limits
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM documents; GRANT SELECT ON counted TO workspace_app;
-- a materialized view, to the login | grave | no policy limits
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM documents; GRANT SELECT ON counted TO test_app;
-- a materialized view, to everyone | grave | no policy limits
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM documents; GRANT SELECT ON counted TO PUBLIC;
-- a materialized view, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second; CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM documents; GRANT SELECT ON counted TO second;
-- M2 a materialized view on an invoker view, to workspace_app | grave | no policy limits
CREATE VIEW v WITH (security_invoker) AS SELECT title FROM documents; CREATE MATERIALIZED VIEW mv AS SELECT * FROM v; GRANT SELECT ON mv TO workspace_app;
-- M2 a materialized view on an invoker view, to the login | grave | no policy limits
CREATE VIEW v WITH (security_invoker) AS SELECT title FROM documents; CREATE MATERIALIZED VIEW mv AS SELECT * FROM v; GRANT SELECT ON mv TO test_app;
-- M2 a materialized view on an invoker view, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app; CREATE VIEW v WITH (security_invoker) AS SELECT title FROM documents; CREATE MATERIALIZED VIEW mv AS SELECT * FROM v; GRANT SELECT ON mv TO between;
-- M2 a materialized view on an invoker view, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE; CREATE VIEW v WITH (security_invoker) AS SELECT title FROM documents; CREATE MATERIALIZED VIEW mv AS SELECT * FROM v; GRANT SELECT ON mv TO setto;
-- M2b a materialized view on a function, to workspace_app | grave | no policy limits
CREATE FUNCTION titles() RETURNS SETOF text LANGUAGE sql AS 'SELECT title FROM public.documents'; CREATE MATERIALIZED VIEW mv AS SELECT titles(); GRANT SELECT ON mv TO workspace_app;
-- M2b a materialized view on a function, to the login | grave | no policy limits
CREATE FUNCTION titles() RETURNS SETOF text LANGUAGE sql AS 'SELECT title FROM public.documents'; CREATE MATERIALIZED VIEW mv AS SELECT titles(); GRANT SELECT ON mv TO test_app;
-- M2b a materialized view on a function, to everyone | grave | no policy limits
CREATE FUNCTION titles() RETURNS SETOF text LANGUAGE sql AS 'SELECT title FROM public.documents'; CREATE MATERIALIZED VIEW mv AS SELECT titles(); GRANT SELECT ON mv TO PUBLIC;
-- M2b a materialized view on a function, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second; CREATE FUNCTION titles() RETURNS SETOF text LANGUAGE sql AS 'SELECT title FROM public.documents'; CREATE MATERIALIZED VIEW mv AS SELECT titles(); GRANT SELECT ON mv TO second;
-- a sequence, to workspace_app | minor | not by the migrations
CREATE SEQUENCE counter; GRANT USAGE ON SEQUENCE counter TO workspace_app;
-- a sequence, to the login | minor | not by the migrations
CREATE SEQUENCE counter; GRANT USAGE ON SEQUENCE counter TO test_app;
-- a sequence, to a group in between | minor | not by the migrations
CREATE ROLE between; GRANT between TO test_app; CREATE SEQUENCE counter; GRANT USAGE ON SEQUENCE counter TO between;
-- a sequence, to a role to SET | minor | not by the migrations
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE; CREATE SEQUENCE counter; GRANT USAGE ON SEQUENCE counter TO setto;
-- a foreign table, to workspace_app | grave | no policy limits
CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER away FOREIGN DATA WRAPPER nothing; CREATE FOREIGN TABLE far (x int) SERVER away; GRANT SELECT ON far TO workspace_app;
-- a foreign table, to the login | grave | no policy limits
CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER away FOREIGN DATA WRAPPER nothing; CREATE FOREIGN TABLE far (x int) SERVER away; GRANT SELECT ON far TO test_app;
-- a foreign table, to everyone | grave | no policy limits
CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER away FOREIGN DATA WRAPPER nothing; CREATE FOREIGN TABLE far (x int) SERVER away; GRANT SELECT ON far TO PUBLIC;
-- a foreign table, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second; CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER away FOREIGN DATA WRAPPER nothing; CREATE FOREIGN TABLE far (x int) SERVER away; GRANT SELECT ON far TO second;
-- a foreign server, to workspace_app | grave | no policy limits
CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER away FOREIGN DATA WRAPPER nothing; GRANT USAGE ON FOREIGN SERVER away TO workspace_app;
-- a foreign server, to the login | grave | no policy limits
CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER away FOREIGN DATA WRAPPER nothing; GRANT USAGE ON FOREIGN SERVER away TO test_app;
-- a foreign server, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app; CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER away FOREIGN DATA WRAPPER nothing; GRANT USAGE ON FOREIGN SERVER away TO between;
-- a foreign server, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE; CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER away FOREIGN DATA WRAPPER nothing; GRANT USAGE ON FOREIGN SERVER away TO setto;
-- a foreign data wrapper, to workspace_app | grave | no policy limits
CREATE FOREIGN DATA WRAPPER nothing; GRANT USAGE ON FOREIGN DATA WRAPPER nothing TO workspace_app;
-- a foreign data wrapper, to the login | grave | no policy limits
CREATE FOREIGN DATA WRAPPER nothing; GRANT USAGE ON FOREIGN DATA WRAPPER nothing TO test_app;
-- a foreign data wrapper, to everyone | grave | no policy limits
CREATE FOREIGN DATA WRAPPER nothing; GRANT USAGE ON FOREIGN DATA WRAPPER nothing TO PUBLIC;
-- a foreign data wrapper, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second; CREATE FOREIGN DATA WRAPPER nothing; GRANT USAGE ON FOREIGN DATA WRAPPER nothing TO second;
-- creating in public, to workspace_app | grave | no policy limits
GRANT CREATE ON SCHEMA public TO workspace_app;
-- creating in public, to the login | grave | no policy limits
GRANT CREATE ON SCHEMA public TO test_app;
-- creating in public, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app;  GRANT CREATE ON SCHEMA public TO between;
-- creating in public, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT CREATE ON SCHEMA public TO setto;
-- creating in another schema, to workspace_app | grave | no policy limits
CREATE SCHEMA other; GRANT CREATE ON SCHEMA other TO workspace_app;
-- creating in another schema, to the login | grave | no policy limits
CREATE SCHEMA other; GRANT CREATE ON SCHEMA other TO test_app;
-- creating in another schema, to everyone | grave | no policy limits
CREATE SCHEMA other; GRANT CREATE ON SCHEMA other TO PUBLIC;
-- creating in another schema, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second; CREATE SCHEMA other; GRANT CREATE ON SCHEMA other TO second;
-- password hashes of the server, to workspace_app | grave | no policy limits
GRANT SELECT ON pg_authid TO workspace_app;
-- password hashes of the server, to the login | grave | no policy limits
GRANT SELECT ON pg_authid TO test_app;
-- password hashes of the server, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app;  GRANT SELECT ON pg_authid TO between;
-- password hashes of the server, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT SELECT ON pg_authid TO setto;
-- statistics, with values, to workspace_app | grave | no policy limits
GRANT SELECT ON pg_statistic TO workspace_app;
-- statistics, with values, to the login | grave | no policy limits
GRANT SELECT ON pg_statistic TO test_app;
-- statistics, with values, to everyone | grave | no policy limits
GRANT SELECT ON pg_statistic TO PUBLIC;
-- statistics, with values, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second;  GRANT SELECT ON pg_statistic TO second;
-- large objects as a table, to workspace_app | grave | no policy limits
GRANT SELECT ON pg_largeobject TO workspace_app;
-- large objects as a table, to the login | grave | no policy limits
GRANT SELECT ON pg_largeobject TO test_app;
-- large objects as a table, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app;  GRANT SELECT ON pg_largeobject TO between;
-- large objects as a table, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT SELECT ON pg_largeobject TO setto;
-- a column of pg_authid, to workspace_app | grave | no policy limits
GRANT SELECT (rolpassword) ON pg_authid TO workspace_app;
-- a column of pg_authid, to the login | grave | no policy limits
GRANT SELECT (rolpassword) ON pg_authid TO test_app;
-- a column of pg_authid, to everyone | grave | no policy limits
GRANT SELECT (rolpassword) ON pg_authid TO PUBLIC;
-- a column of pg_authid, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second;  GRANT SELECT (rolpassword) ON pg_authid TO second;
-- pg_read_file, to workspace_app | grave | no policy limits
GRANT EXECUTE ON FUNCTION pg_read_file(text) TO workspace_app;
-- pg_read_file, to the login | grave | no policy limits
GRANT EXECUTE ON FUNCTION pg_read_file(text) TO test_app;
-- pg_read_file, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app;  GRANT EXECUTE ON FUNCTION pg_read_file(text) TO between;
-- pg_read_file, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT EXECUTE ON FUNCTION pg_read_file(text) TO setto;
-- pg_ls_dir, to workspace_app | grave | no policy limits
GRANT EXECUTE ON FUNCTION pg_ls_dir(text) TO workspace_app;
-- pg_ls_dir, to the login | grave | no policy limits
GRANT EXECUTE ON FUNCTION pg_ls_dir(text) TO test_app;
-- pg_ls_dir, to everyone | grave | no policy limits
GRANT EXECUTE ON FUNCTION pg_ls_dir(text) TO PUBLIC;
-- pg_ls_dir, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second;  GRANT EXECUTE ON FUNCTION pg_ls_dir(text) TO second;
-- lo_import, to workspace_app | grave | no policy limits
GRANT EXECUTE ON FUNCTION lo_import(text) TO workspace_app;
-- lo_import, to the login | grave | no policy limits
GRANT EXECUTE ON FUNCTION lo_import(text) TO test_app;
-- lo_import, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app;  GRANT EXECUTE ON FUNCTION lo_import(text) TO between;
-- lo_import, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT EXECUTE ON FUNCTION lo_import(text) TO setto;
-- pg_reload_conf, to workspace_app | grave | no policy limits
GRANT EXECUTE ON FUNCTION pg_reload_conf() TO workspace_app;
-- pg_reload_conf, to the login | grave | no policy limits
GRANT EXECUTE ON FUNCTION pg_reload_conf() TO test_app;
-- pg_reload_conf, to everyone | grave | no policy limits
GRANT EXECUTE ON FUNCTION pg_reload_conf() TO PUBLIC;
-- pg_reload_conf, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second;  GRANT EXECUTE ON FUNCTION pg_reload_conf() TO second;
-- expiring the log, to workspace_app | grave | owner's privileges
GRANT EXECUTE ON FUNCTION workspace_db_expire_audit_log(uuid, timestamptz, integer) TO workspace_app;
-- expiring the log, to the login | grave | owner's privileges
GRANT EXECUTE ON FUNCTION workspace_db_expire_audit_log(uuid, timestamptz, integer) TO test_app;
-- expiring the log, to a group in between | grave | owner's privileges
CREATE ROLE between; GRANT between TO test_app;  GRANT EXECUTE ON FUNCTION workspace_db_expire_audit_log(uuid, timestamptz, integer) TO between;
-- expiring the log, to a role to SET | grave | owner's privileges
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT EXECUTE ON FUNCTION workspace_db_expire_audit_log(uuid, timestamptz, integer) TO setto;
-- isolating, to workspace_app | minor | not by the migrations
GRANT EXECUTE ON FUNCTION workspace_db_isolate(regclass) TO workspace_app;
-- isolating, to the login | minor | not by the migrations
GRANT EXECUTE ON FUNCTION workspace_db_isolate(regclass) TO test_app;
-- isolating, to a second login | minor | not by the migrations
CREATE ROLE second LOGIN; GRANT workspace_app TO second;  GRANT EXECUTE ON FUNCTION workspace_db_isolate(regclass) TO second;
-- rescuing jobs, to workspace_app | minor | not by the migrations
GRANT EXECUTE ON FUNCTION workspace_db_rescue_jobs(integer) TO workspace_app;
-- rescuing jobs, to the login | minor | not by the migrations
GRANT EXECUTE ON FUNCTION workspace_db_rescue_jobs(integer) TO test_app;
-- rescuing jobs, to a group in between | minor | not by the migrations
CREATE ROLE between; GRANT between TO test_app;  GRANT EXECUTE ON FUNCTION workspace_db_rescue_jobs(integer) TO between;
-- rescuing jobs, to a role to SET | minor | not by the migrations
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT EXECUTE ON FUNCTION workspace_db_rescue_jobs(integer) TO setto;
-- a large object, to workspace_app | grave | no policy limits
SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO workspace_app;
-- a large object, to the login | grave | no policy limits
SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO test_app;
-- a large object, to everyone | grave | no policy limits
SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC;
-- a large object, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second; SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO second;
-- a parameter, to workspace_app | grave | no policy limits
GRANT SET ON PARAMETER session_replication_role TO workspace_app;
-- a parameter, to the login | grave | no policy limits
GRANT SET ON PARAMETER session_replication_role TO test_app;
-- a parameter, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app;  GRANT SET ON PARAMETER session_replication_role TO between;
-- a parameter, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT SET ON PARAMETER session_replication_role TO setto;
-- a parameter of the server, to workspace_app | grave | no policy limits
GRANT ALTER SYSTEM ON PARAMETER work_mem TO workspace_app;
-- a parameter of the server, to the login | grave | no policy limits
GRANT ALTER SYSTEM ON PARAMETER work_mem TO test_app;
-- a parameter of the server, to everyone | grave | no policy limits
GRANT ALTER SYSTEM ON PARAMETER work_mem TO PUBLIC;
-- a parameter of the server, to a second login | grave | no policy limits
CREATE ROLE second LOGIN; GRANT workspace_app TO second;  GRANT ALTER SYSTEM ON PARAMETER work_mem TO second;
-- a table space, to workspace_app | grave | no policy limits
GRANT CREATE ON TABLESPACE pg_default TO workspace_app;
-- a table space, to the login | grave | no policy limits
GRANT CREATE ON TABLESPACE pg_default TO test_app;
-- a table space, to a group in between | grave | no policy limits
CREATE ROLE between; GRANT between TO test_app;  GRANT CREATE ON TABLESPACE pg_default TO between;
-- a table space, to a role to SET | grave | no policy limits
CREATE ROLE setto; GRANT setto TO test_app WITH INHERIT FALSE, SET TRUE;  GRANT CREATE ON TABLESPACE pg_default TO setto;
-- creating in the database | grave | no policy limits
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO test_app', current_database()); END $$;
-- documents for everyone | minor | not by the migrations
GRANT SELECT ON documents TO PUBLIC;
-- documents to the login itself | minor | not by the migrations
GRANT SELECT ON documents TO test_app;
-- documents with a grant option | minor | not by the migrations
GRANT SELECT ON documents TO workspace_app WITH GRANT OPTION;
-- maintaining documents | minor | not by the migrations
GRANT MAINTAIN ON documents TO workspace_app;
-- the storage of documents | grave | no policy limits
DO $$ BEGIN EXECUTE (SELECT format('GRANT SELECT ON %s TO workspace_app', reltoastrelid::regclass) FROM pg_class WHERE oid = 'documents'::regclass); END $$;
-- a partition by itself | grave | does not have row-level
CREATE TABLE parted (workspace_id uuid, id uuid, PRIMARY KEY (workspace_id, id)) PARTITION BY HASH (workspace_id); CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 1, REMAINDER 0); SELECT workspace_db_isolate('parted'); GRANT SELECT ON parted_0 TO test_app;
-- a child by inheritance | grave | does not have row-level
CREATE TABLE child () INHERITS (documents); GRANT SELECT ON child TO workspace_app;
-- a grant that is missing | minor | must grant SELECT
REVOKE DELETE ON documents FROM workspace_app;
-- the log corrected by the platform | minor | can change or delete
GRANT UPDATE ON audit_log TO workspace_platform;
-- not enabled: documents | grave | does not have row-level
ALTER TABLE documents DISABLE ROW LEVEL SECURITY;
-- not forced: documents | grave | does not force
ALTER TABLE documents NO FORCE ROW LEVEL SECURITY;
-- not enabled: workspaces | grave | does not have row-level
ALTER TABLE workspaces DISABLE ROW LEVEL SECURITY;
-- not forced: workspaces | grave | does not force
ALTER TABLE workspaces NO FORCE ROW LEVEL SECURITY;
-- not enabled: admin_users | grave | does not have row-level
ALTER TABLE admin_users DISABLE ROW LEVEL SECURITY;
-- not forced: admin_users | grave | does not force
ALTER TABLE admin_users NO FORCE ROW LEVEL SECURITY;
-- not enabled: admin_tokens | grave | does not have row-level
ALTER TABLE admin_tokens DISABLE ROW LEVEL SECURITY;
-- not forced: admin_tokens | grave | does not force
ALTER TABLE admin_tokens NO FORCE ROW LEVEL SECURITY;
-- not enabled: login_throttles | grave | does not have row-level
ALTER TABLE login_throttles DISABLE ROW LEVEL SECURITY;
-- not forced: login_throttles | grave | does not force
ALTER TABLE login_throttles NO FORCE ROW LEVEL SECURITY;
-- not enabled: job_queues | grave | does not have row-level
ALTER TABLE job_queues DISABLE ROW LEVEL SECURITY;
-- not forced: job_queues | grave | does not force
ALTER TABLE job_queues NO FORCE ROW LEVEL SECURITY;
-- not enabled: audit_log | grave | does not have row-level
ALTER TABLE audit_log DISABLE ROW LEVEL SECURITY;
-- not forced: audit_log | grave | does not force
ALTER TABLE audit_log NO FORCE ROW LEVEL SECURITY;
-- policy: without the reader | grave | lacks the policy that limits workspace_app
ALTER POLICY workspace_isolation ON documents TO workspace_app;
-- policy: the reader sees all | grave | neither of the two
CREATE POLICY r ON documents FOR SELECT TO workspace_reader USING (true);
-- a reader that writes | minor | group role as a member
REVOKE workspace_reader FROM workspace_app; GRANT workspace_app TO workspace_reader;
-- a reader that inserts | minor | not by the migrations
GRANT INSERT ON documents TO workspace_reader;
-- a reader that truncates | grave | no policy limits
GRANT TRUNCATE ON documents TO workspace_reader;
-- a reader with a role of the server | grave | more privileges than the application
GRANT pg_read_all_data TO workspace_reader WITH INHERIT FALSE, SET TRUE;
-- a reader that reads nothing | minor | must grant SELECT
REVOKE SELECT ON messages FROM workspace_reader;
-- a reader with BYPASSRLS | grave | attributes
ALTER ROLE workspace_reader BYPASSRLS;
-- a reader owns a table | grave | more privileges than the application
ALTER TABLE jobs OWNER TO workspace_reader;
-- no policy | grave | lacks the policy that limits workspace_app
DROP POLICY workspace_isolation ON documents;
-- policy: true | grave | lacks the policy that limits workspace_app
DROP POLICY IF EXISTS workspace_isolation ON documents; CREATE POLICY workspace_isolation ON documents TO workspace_app USING (true) WITH CHECK (true);
-- policy: shows all, checks | grave | lacks the policy that limits workspace_app
DROP POLICY IF EXISTS workspace_isolation ON documents; CREATE POLICY workspace_isolation ON documents TO workspace_app USING (true) WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid));
-- policy: no check | grave | lacks the policy that limits workspace_app
DROP POLICY IF EXISTS workspace_isolation ON documents; CREATE POLICY workspace_isolation ON documents TO workspace_app USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)) WITH CHECK (true);
-- policy: for everyone | grave | lacks the policy that limits workspace_app
DROP POLICY IF EXISTS workspace_isolation ON documents; CREATE POLICY workspace_isolation ON documents USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)) WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid));
-- policy: by id in place of workspace_id | grave | lacks the policy that limits workspace_app
DROP POLICY IF EXISTS workspace_isolation ON documents; CREATE POLICY workspace_isolation ON documents TO workspace_app USING (id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)) WITH CHECK (id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid));
-- policy: open where nothing is set | grave | lacks the policy that limits workspace_app
DROP POLICY IF EXISTS workspace_isolation ON documents; CREATE POLICY workspace_isolation ON documents TO workspace_app USING (workspace_id = coalesce((SELECT nullif(current_setting('app.workspace_id', true), '')::uuid), workspace_id));
-- policy: another setting | grave | lacks the policy that limits workspace_app
DROP POLICY IF EXISTS workspace_isolation ON documents; CREATE POLICY workspace_isolation ON documents TO workspace_app USING (workspace_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid)) WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid));
-- policy: reads alone | grave | lacks the policy that limits workspace_app
DROP POLICY IF EXISTS workspace_isolation ON documents; CREATE POLICY workspace_isolation ON documents FOR SELECT TO workspace_app USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid));
-- policy: restrictive | grave | lacks the policy that limits workspace_app
DROP POLICY IF EXISTS workspace_isolation ON documents; CREATE POLICY workspace_isolation ON documents AS RESTRICTIVE TO workspace_app USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)) WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid));
-- policy: everyone to workspaces | grave | lacks the policy that limits workspace_app
DROP POLICY IF EXISTS workspace_isolation ON workspaces; CREATE POLICY workspace_isolation ON workspaces TO workspace_app USING (true);
-- policy: a function of the same name in another schema | grave | lacks the policy that limits workspace_app
CREATE SCHEMA shim; CREATE FUNCTION shim.current_setting(text, boolean) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'; DROP POLICY IF EXISTS workspace_isolation ON documents; CREATE POLICY workspace_isolation ON documents TO workspace_app USING (workspace_id = (SELECT nullif(shim.current_setting('app.workspace_id', true), '')::uuid)) WITH CHECK (workspace_id = (SELECT nullif(shim.current_setting('app.workspace_id', true), '')::uuid));
-- policy beside, for a login | grave | neither of the two
CREATE POLICY support ON documents FOR SELECT TO test_app USING (true);
-- policy beside, for everyone | grave | neither of the two
CREATE POLICY aside ON messages FOR SELECT USING (true);
-- policy beside, on administrators | grave | neither of the two
CREATE POLICY aside ON admin_users FOR SELECT TO workspace_app USING (true);
-- policy beside, on queues | grave | neither of the two
CREATE POLICY aside ON job_queues TO workspace_app USING (true);
-- policy beside, of a meant name | grave | neither of the two
DROP POLICY IF EXISTS platform_access ON jobs; CREATE POLICY platform_access ON jobs TO workspace_app, workspace_platform USING (true) WITH CHECK (true);
-- policy beside, for deleting | grave | neither of the two
CREATE POLICY tidy ON jobs FOR DELETE TO workspace_app USING (true);
-- policy beside, a table that would be shared | grave | neither of the two
CREATE POLICY shared_with_every_workspace ON documents FOR SELECT TO workspace_app USING (true);
-- retention without its day | grave | neither of the two
DROP POLICY retention_deletes ON audit_log; CREATE POLICY retention_deletes ON audit_log FOR DELETE TO test_owner USING (true);
-- retention to the application | grave | neither of the two
DROP POLICY retention_deletes ON audit_log; CREATE POLICY retention_deletes ON audit_log FOR DELETE TO workspace_app USING (true);
-- no policy of the platform | minor | gives workspace_platform
DROP POLICY platform_access ON feedback;
-- a registered table is gone | grave | no table of this name
DROP TABLE feedback CASCADE;
-- a tenants table that nobody isolated | grave | does not have row-level
CREATE TABLE tags (workspace_id uuid, id uuid, PRIMARY KEY (workspace_id, id));
-- an isolated table that is not registered | minor | is not registered
CREATE TABLE tags (workspace_id uuid REFERENCES workspaces, id uuid, PRIMARY KEY (workspace_id, id)); SELECT workspace_db_isolate('tags');
-- a tenants table in another schema | minor | is not registered
CREATE SCHEMA other; CREATE TABLE other.tags (workspace_id uuid REFERENCES workspaces, id uuid, PRIMARY KEY (workspace_id, id)); SELECT workspace_db_isolate('other.tags');
-- a view with its owners rights | grave | owner's privileges and that an application
CREATE VIEW recent AS SELECT * FROM documents; GRANT SELECT ON recent TO workspace_app;
-- a view to the login alone | grave | owner's privileges and that an application
CREATE VIEW recent AS SELECT * FROM documents; GRANT SELECT ON recent TO test_app;
-- a view, one column, to everyone | grave | owner's privileges and that an application
CREATE VIEW recent AS SELECT * FROM documents; GRANT SELECT (title) ON recent TO PUBLIC;
-- a view on a view | grave | owner's privileges and that an application
CREATE VIEW a1 WITH (security_invoker) AS SELECT * FROM documents; CREATE VIEW a2 AS SELECT * FROM a1; GRANT SELECT ON a2 TO workspace_app;
-- an invoker view on a definer view, both granted | grave | owner's privileges and that an application
CREATE VIEW a1 AS SELECT * FROM documents; CREATE VIEW a2 WITH (security_invoker) AS SELECT * FROM a1; GRANT SELECT ON a1, a2 TO workspace_app;
-- a view on a function | grave | owner's privileges and that an application
CREATE FUNCTION titles() RETURNS SETOF text LANGUAGE sql AS 'SELECT title FROM documents'; CREATE VIEW a1 AS SELECT titles(); GRANT SELECT ON a1 TO workspace_app;
-- a view on a materialized view | grave | owner's privileges and that an application
CREATE MATERIALIZED VIEW mv AS SELECT title FROM documents; CREATE VIEW a1 AS SELECT * FROM mv; GRANT SELECT ON a1 TO workspace_app;
-- a view in another schema | grave | owner's privileges and that an application
CREATE SCHEMA other; GRANT USAGE ON SCHEMA other TO PUBLIC; CREATE VIEW other.a1 AS SELECT title FROM documents; GRANT SELECT ON other.a1 TO workspace_app;
-- a view of administrators | grave | owner's privileges and that an application
CREATE VIEW a1 AS SELECT email FROM admin_users; GRANT SELECT ON a1 TO workspace_app;
-- a view on a view, granted to nobody | minor | is a view that runs with its owner's privileges; define
CREATE VIEW a1 WITH (security_invoker) AS SELECT * FROM documents; CREATE VIEW a2 AS SELECT * FROM a1;
-- a definer function in SQL | grave | SECURITY DEFINER
CREATE FUNCTION all_titles() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT title FROM documents';
-- a definer function in plpgsql, to the login alone | grave | SECURITY DEFINER
CREATE FUNCTION all_titles() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN 1; END'; REVOKE EXECUTE ON FUNCTION all_titles() FROM PUBLIC; GRANT EXECUTE ON FUNCTION all_titles() TO test_app;
-- a definer procedure | grave | SECURITY DEFINER
CREATE PROCEDURE wipe() LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM documents';
-- a definer function among PostgreSQLs own | grave | SECURITY DEFINER
CREATE FUNCTION pg_catalog.all_titles() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT title FROM public.documents';
-- a function of PostgreSQLs own made a definer | grave | SECURITY DEFINER
ALTER FUNCTION pg_catalog.query_to_xml(text, boolean, boolean, text) SECURITY DEFINER;
-- a definer function in another schema | grave | SECURITY DEFINER
CREATE SCHEMA other; GRANT USAGE ON SCHEMA other TO PUBLIC; CREATE FUNCTION other.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
-- a definer trigger that nobody may call | grave | SECURITY DEFINER
CREATE FUNCTION mirror() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN new; END'; REVOKE EXECUTE ON FUNCTION mirror() FROM PUBLIC; CREATE TRIGGER mirror BEFORE INSERT ON feedback FOR EACH ROW EXECUTE FUNCTION mirror();
-- a definer function in an aggregate | grave | SECURITY DEFINER
CREATE FUNCTION step(int, text) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION step(int, text) FROM PUBLIC; CREATE AGGREGATE every_title(text) (SFUNC = step, STYPE = int);
-- a definer function in a default | grave | SECURITY DEFINER
CREATE FUNCTION stamp() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT $$x$$'; REVOKE EXECUTE ON FUNCTION stamp() FROM PUBLIC; ALTER TABLE feedback ALTER comment SET DEFAULT stamp();
-- the definer function of search, another text | grave | bypasses row-level security
CREATE OR REPLACE FUNCTION workspace_db_matching_chunks(question tsquery, most integer) RETURNS uuid[] LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT array_agg(id) FROM public.document_chunks';
-- the definer function of search, without its condition | grave | bypasses row-level security
CREATE OR REPLACE FUNCTION workspace_db_matching_chunks(question tsquery, most integer) RETURNS uuid[] LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog BEGIN ATOMIC SELECT coalesce(array_agg(c.id), '{}') FROM document_chunks c WHERE c.search_text @@ question; END;
-- the definer function of search, of another owner | grave | bypasses row-level security
ALTER FUNCTION workspace_db_matching_chunks(tsquery, integer) OWNER TO postgres;
-- the definer function of search, by another search_path | grave | bypasses row-level security
ALTER FUNCTION workspace_db_matching_chunks(tsquery, integer) SET search_path = public, pg_catalog;
-- the definer function of messages, another text | grave | bypasses row-level security
CREATE OR REPLACE FUNCTION workspace_db_matching_messages(question tsquery, excluded tsquery, most integer, person text, in_conversation uuid, in_states message_state[], since timestamptz, until timestamptz, rating integer) RETURNS TABLE (ids uuid[], is_bounded boolean) LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT array_agg(id), false FROM public.messages';
-- the definer function of messages, without its condition | grave | bypasses row-level security
CREATE OR REPLACE FUNCTION workspace_db_matching_messages(question tsquery, excluded tsquery, most integer, person text, in_conversation uuid, in_states message_state[], since timestamptz, until timestamptz, rating integer) RETURNS TABLE (ids uuid[], is_bounded boolean) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog BEGIN ATOMIC SELECT coalesce(array_agg(m.id), '{}'), false FROM messages m WHERE workspace_db_search_text(m.workspace_id, m.language, m.content) @@ question; END;
-- the definer function of messages, of another owner | grave | bypasses row-level security
ALTER FUNCTION workspace_db_matching_messages OWNER TO postgres;
-- the definer function of messages, by another search_path | grave | bypasses row-level security
ALTER FUNCTION workspace_db_matching_messages SET search_path = public, pg_catalog;
-- a function in C | grave | untrusted
CREATE FUNCTION read_any(text) RETURNS text LANGUAGE internal STRICT AS 'pg_read_file_all';
-- a rewrite rule on a table | grave | rewrite rule
CREATE RULE mirror AS ON INSERT TO feedback DO ALSO UPDATE jobs SET priority = 1;
-- a rewrite rule on an invoker view | grave | rewrite rule
CREATE VIEW a1 WITH (security_invoker) AS SELECT * FROM feedback; GRANT SELECT, INSERT ON a1 TO workspace_app; CREATE RULE mirror AS ON INSERT TO a1 DO INSTEAD DELETE FROM documents;
-- key: unique index without it | minor | is a key without workspace_id
CREATE UNIQUE INDEX k ON documents (content_hash);
-- key: unique index that only INCLUDEs it | minor | is a key without workspace_id
CREATE UNIQUE INDEX k ON documents (content_hash) INCLUDE (workspace_id);
-- key: unique constraint that only INCLUDEs it | minor | is a key without workspace_id
ALTER TABLE documents ADD CONSTRAINT k UNIQUE (content_hash) INCLUDE (workspace_id);
-- key: unique index of an expression | minor | is a key without workspace_id
CREATE UNIQUE INDEX k ON documents (lower(title));
-- key: unique index of an expression of it | minor | is a key without workspace_id
CREATE UNIQUE INDEX k ON documents ((workspace_id::text || title));
-- key: partial unique index | minor | is a key without workspace_id
CREATE UNIQUE INDEX k ON documents (title) WHERE is_published;
-- key: NULLS NOT DISTINCT | minor | is a key without workspace_id
CREATE UNIQUE INDEX k ON documents (content_hash) NULLS NOT DISTINCT;
-- key: exclusion without it | minor | is a key without workspace_id
ALTER TABLE documents ADD CONSTRAINT k EXCLUDE USING btree (content_hash WITH =);
-- key: exclusion by hash | minor | is a key without workspace_id
ALTER TABLE documents ADD CONSTRAINT k EXCLUDE USING hash (title WITH =);
-- key: exclusion where another workspace counts | minor | is a key without workspace_id
ALTER TABLE documents ADD CONSTRAINT k EXCLUDE USING btree (title WITH =) WHERE (is_published);
-- key: exclusion that INCLUDEs it | minor | is a key without workspace_id
ALTER TABLE documents ADD CONSTRAINT k EXCLUDE USING btree (title WITH =) INCLUDE (workspace_id);
-- key: exclusion of ranges | minor | is a key without workspace_id
CREATE TABLE rooms (workspace_id uuid NOT NULL, id uuid, during tstzrange, PRIMARY KEY (workspace_id, id), CONSTRAINT k EXCLUDE USING gist (during WITH &&)); SELECT workspace_db_isolate($$rooms$$);
-- key: a primary key of the id, it INCLUDEd | minor | is a key without workspace_id
ALTER TABLE feedback DROP CONSTRAINT feedback_pkey; ALTER TABLE feedback ADD CONSTRAINT k PRIMARY KEY (id) INCLUDE (workspace_id);
-- key: unique, deferrable | minor | is a key without workspace_id
ALTER TABLE documents ADD CONSTRAINT k UNIQUE (content_hash) DEFERRABLE;
-- key: an exclusion by another operator than = | minor | is a key without workspace_id
ALTER TABLE documents ADD CONSTRAINT k EXCLUDE USING btree (workspace_id WITH =, title WITH =); UPDATE pg_constraint SET conexclop = ARRAY['pg_catalog.<>(uuid,uuid)'::regoperator::oid, conexclop[2]] WHERE conname = 'k';
-- foreign keys not enforced | minor | does not enforce
ALTER TABLE messages DISABLE TRIGGER ALL;
-- a leakproof function | grave | LEAKPROOF
CREATE FUNCTION spy(text) RETURNS boolean LANGUAGE plpgsql LEAKPROOF COST 0.01 AS 'BEGIN RAISE NOTICE $$ % $$, $1; RETURN true; END';
-- a function in another workspace | grave | SET clause for the workspace
CREATE FUNCTION peek() RETURNS SETOF text LANGUAGE sql SET app.workspace_id = '00000000-0000-0000-0000-000000000001' AS 'SELECT title FROM public.documents';
-- pg_read_all_data to workspace_platform | minor | group role as a member
GRANT pg_read_all_data TO workspace_platform;
-- workspace_app to workspace_platform | grave | more privileges than the application
GRANT workspace_app TO workspace_platform;
-- key: primary key of the id alone | minor | no primary key
ALTER TABLE feedback DROP CONSTRAINT feedback_pkey; ALTER TABLE feedback ADD PRIMARY KEY (id);
-- key: primary key, the workspace second | minor | no primary key
ALTER TABLE feedback DROP CONSTRAINT feedback_pkey; ALTER TABLE feedback ADD PRIMARY KEY (id, workspace_id);
-- key: no primary key | minor | no primary key
ALTER TABLE feedback DROP CONSTRAINT feedback_pkey;
-- key: a row without a workspace | minor | without a workspace
ALTER TABLE workspace_settings DROP CONSTRAINT workspace_settings_pkey; ALTER TABLE workspace_settings ALTER workspace_id DROP NOT NULL;
-- foreign key without the workspace | minor | foreign key without workspace_id
ALTER TABLE conversations ADD UNIQUE (id); ALTER TABLE messages ADD CONSTRAINT k FOREIGN KEY (conversation_id) REFERENCES conversations (id);
-- foreign key that crosses the columns | minor | foreign key without workspace_id
ALTER TABLE documents ADD k uuid, ADD l uuid, ADD CONSTRAINT k FOREIGN KEY (k, workspace_id) REFERENCES conversations (workspace_id, id);
-- foreign key to workspaces by another column | minor | foreign key without workspace_id
ALTER TABLE documents ADD shared_with uuid REFERENCES workspaces (id);
-- foreign key of a global table to a tenants | minor | foreign key without workspace_id
CREATE TABLE favourites (workspace uuid, document uuid, FOREIGN KEY (workspace, document) REFERENCES documents (workspace_id, id));
-- foreign key that nulls the workspace | minor | can set workspace_id to NULL
ALTER TABLE analytics_events DROP CONSTRAINT analytics_events_message_id_fkey, ADD CONSTRAINT k FOREIGN KEY (workspace_id, message_id) REFERENCES messages (workspace_id, id) ON DELETE SET NULL;
-- foreign key that nulls the workspace on update | minor | can set workspace_id to NULL
ALTER TABLE analytics_events DROP CONSTRAINT analytics_events_message_id_fkey, ADD CONSTRAINT k FOREIGN KEY (workspace_id, message_id) REFERENCES messages (workspace_id, id) ON UPDATE SET NULL;
-- default privileges on tables | minor | default privileges that give
ALTER DEFAULT PRIVILEGES FOR ROLE test_owner GRANT SELECT ON TABLES TO workspace_app;
-- default privileges on sequences | minor | default privileges that give
ALTER DEFAULT PRIVILEGES FOR ROLE test_owner GRANT USAGE ON SEQUENCES TO workspace_app;
-- default privileges on functions | minor | default privileges that give
ALTER DEFAULT PRIVILEGES FOR ROLE test_owner GRANT EXECUTE ON FUNCTIONS TO workspace_app;
-- default privileges on schemas | minor | default privileges that give
ALTER DEFAULT PRIVILEGES FOR ROLE test_owner GRANT USAGE ON SCHEMAS TO workspace_app;
-- default privileges to the login, in a schema | minor | default privileges that give
ALTER DEFAULT PRIVILEGES FOR ROLE test_owner IN SCHEMA public GRANT SELECT ON TABLES TO test_app;
-- default privileges to everyone | minor | default privileges that give
ALTER DEFAULT PRIVILEGES FOR ROLE test_owner GRANT SELECT ON TABLES TO PUBLIC;
-- a workspace by the database | grave | sessions that set none
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET app.workspace_id = ''00000000-0000-0000-0000-000000000001''', current_database()); END $$;
-- a workspace by the login, in capitals | grave | sessions that set none
ALTER ROLE test_app SET App.Workspace_ID = '00000000-0000-0000-0000-000000000001';
-- a workspace by all roles | grave | sessions that set none
ALTER ROLE ALL SET app.workspace_id = '00000000-0000-0000-0000-000000000001';
-- a role by the login | grave | sessions that set none
ALTER ROLE test_app SET role = 'workspace_platform';
-- a library by the login | grave | sessions that set none
ALTER ROLE test_app SET session_preload_libraries = 'auto_explain';
-- no triggers by the login | grave | sessions that set none
ALTER ROLE test_app SET session_replication_role = replica;
-- row_security off by the login | minor | weakens
ALTER ROLE test_app SET row_security = off;
-- search_path by the login | minor | weakens
ALTER ROLE test_app SET search_path = other, public;
-- a large object of the login | minor | large object owned by
SELECT lo_create(4712); ALTER LARGE OBJECT 4712 OWNER TO test_app;
