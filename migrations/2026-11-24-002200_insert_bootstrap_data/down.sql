-- Deletes the workspace and the administrator that up.sql inserted, WITH EVERYTHING that the workspace contains now.
SET LOCAL ROLE workspace_platform;
DELETE FROM workspaces WHERE id = '00000000-0000-7000-8000-000000000002';
DELETE FROM admin_users WHERE id = '00000000-0000-7000-8000-000000000001';
RESET ROLE;
