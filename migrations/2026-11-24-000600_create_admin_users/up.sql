CREATE TYPE admin_role AS ENUM ('superadmin', 'admin');
COMMENT ON TYPE admin_role IS 'Reach of an administrator: every workspace, or those of workspace_admins.';

CREATE TYPE admin_status AS ENUM ('active', 'disabled');
COMMENT ON TYPE admin_status IS 'State of an administrator''s account.';

CREATE TABLE admin_users (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    email text NOT NULL,
    password_hash text NOT NULL,
    must_change_password boolean NOT NULL DEFAULT false,
    first_name text,
    last_name text,
    role admin_role NOT NULL DEFAULT 'admin',
    status admin_status NOT NULL DEFAULT 'active',
    last_login_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    is_invited boolean NOT NULL DEFAULT false,
    CONSTRAINT admin_users_pkey PRIMARY KEY (id),
    -- Rejects a password in the clear. Rows adopted from the TypeScript package have bcrypt.
    CONSTRAINT admin_users_password_hash_check CHECK (password_hash ~ '^\$(argon2id|2[abxy])\$')
);
CREATE UNIQUE INDEX admin_users_email_key ON admin_users (lower(email));

COMMENT ON TABLE admin_users IS 'People who administer the platform. Global: an administrator may enter several workspaces.';
COMMENT ON COLUMN admin_users.id IS 'Identity, UUID v7 when made by this crate.';
COMMENT ON COLUMN admin_users.email IS 'Login name, unique without regard to case.';
COMMENT ON COLUMN admin_users.password_hash IS 'Hash in PHC string format: argon2id, or bcrypt in an adopted row until its first login.';
COMMENT ON COLUMN admin_users.must_change_password IS 'True if the administrator may only change the password.';
COMMENT ON COLUMN admin_users.first_name IS 'Given name.';
COMMENT ON COLUMN admin_users.last_name IS 'Family name.';
COMMENT ON COLUMN admin_users.role IS 'Reach: superadmin enters every workspace, admin those of workspace_admins.';
COMMENT ON COLUMN admin_users.status IS 'Active or disabled.';
COMMENT ON COLUMN admin_users.last_login_at IS 'Time of the last successful login.';
COMMENT ON COLUMN admin_users.created_at IS 'Time of insertion.';
COMMENT ON COLUMN admin_users.updated_at IS 'Time of the last change, set by the statement that makes it.';
COMMENT ON COLUMN admin_users.is_invited IS 'True until the first login to an account that an invitation created.';

ALTER TABLE admin_users ENABLE ROW LEVEL SECURITY;
ALTER TABLE admin_users FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_access ON admin_users TO workspace_platform USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON admin_users TO workspace_platform;
SELECT workspace_db_refuse_unreadable('admin_users');
