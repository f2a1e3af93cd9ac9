-- Inserts a first administrator and a first workspace, for a new platform. Inserts nothing if administrators exist, or if the
-- setting workspace_db.bootstrap is off:
--   PGOPTIONS='-c workspace_db.bootstrap=off'                 for one run of the Diesel CLI, or
--   ALTER DATABASE ... SET workspace_db.bootstrap = 'off'     as a superuser, before the first migration.
-- Row-level security hides the tables from the owner.
SET LOCAL ROLE workspace_platform;
DO $$
DECLARE
    the_admin CONSTANT uuid := '00000000-0000-7000-8000-000000000001';
    the_workspace CONSTANT uuid := '00000000-0000-7000-8000-000000000002';
BEGIN
    IF coalesce(current_setting('workspace_db.bootstrap', true), '') = 'off'
        OR EXISTS (SELECT FROM admin_users)
    THEN
        RETURN;
    END IF;

    -- argon2id of the documented password. The administrator must change it at the first login.
    INSERT INTO admin_users (id, email, password_hash, must_change_password, first_name, last_name, role, status)
    VALUES (
        the_admin, 'admin@example.com',
        '$argon2id$v=19$m=19456,t=2,p=1$o0+k5TF9kdLYRAvUPozwpg$OAblueHNKvhbC62ojMbJpWoXgDgtWnQjfMnfsEl0rw4',
        true, 'Super', 'Admin', 'superadmin', 'active'
    );

    INSERT INTO workspaces (id, slug, name) VALUES (the_workspace, 'acme', 'Acme Demo Workspace')
    ON CONFLICT (slug) DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    INSERT INTO workspace_settings (workspace_id, welcome_message)
    VALUES (the_workspace, 'Hello! What would you like to know?');

    INSERT INTO datasources (id, workspace_id, name, description, type, sync_status)
    VALUES (
        '00000000-0000-7000-8000-000000000003', the_workspace,
        'Getting Started', 'Documents that are written by hand.', 'manual', 'completed'
    );

    INSERT INTO workspace_admins (id, workspace_id, admin_user_id, role, joined_at)
    VALUES ('00000000-0000-7000-8000-000000000004', the_workspace, the_admin, 'superadmin', now());
END
$$;
RESET ROLE;
