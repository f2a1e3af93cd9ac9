-- Takes the workspace away with everything that was put into it since: what up.sql made is what is deleted.
DELETE FROM workspaces WHERE id = '00000000-0000-7000-8000-000000000002';
DELETE FROM admin_users WHERE id = '00000000-0000-7000-8000-000000000001';
