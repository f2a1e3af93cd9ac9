-- workspace_db_isolate (functions/isolation/isolate.sql) creates the policies of every tenant table. These are the others.

-- A workspace reads its own row of the table of tenants.
DROP POLICY IF EXISTS workspace_isolation ON workspaces;
CREATE POLICY workspace_isolation ON workspaces TO workspace_app, workspace_reader
    USING (id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))
    WITH CHECK (id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid));

-- Only the platform reads and writes the tables that belong to no workspace.
DROP POLICY IF EXISTS platform_access ON workspaces;
CREATE POLICY platform_access ON workspaces TO workspace_platform USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS platform_access ON admin_users;
CREATE POLICY platform_access ON admin_users TO workspace_platform USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS platform_access ON admin_tokens;
CREATE POLICY platform_access ON admin_tokens TO workspace_platform USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS platform_access ON login_throttles;
CREATE POLICY platform_access ON login_throttles TO workspace_platform USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS platform_access ON job_queues;
CREATE POLICY platform_access ON job_queues TO workspace_platform USING (true) WITH CHECK (true);

-- Retention deletes audit entries with the owner's rights. It never deletes an entry of the last day.
DROP POLICY IF EXISTS retention_reads ON audit_log;
CREATE POLICY retention_reads ON audit_log FOR SELECT TO CURRENT_USER USING (true);
DROP POLICY IF EXISTS retention_deletes ON audit_log;
CREATE POLICY retention_deletes ON audit_log FOR DELETE TO CURRENT_USER
    USING (occurred_at < now() - interval '1 day');
