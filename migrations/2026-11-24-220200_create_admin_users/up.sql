CREATE TYPE admin_role AS ENUM ('superadmin', 'admin');
COMMENT ON TYPE admin_role IS 'What an administrator may enter: every workspace, or those of workspace_admins.';

CREATE TYPE admin_status AS ENUM ('active', 'disabled');
COMMENT ON TYPE admin_status IS 'Whether an administrator may log in.';

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
    CONSTRAINT admin_users_pkey PRIMARY KEY (id),
    -- A password in the clear has neither shape. bcrypt is for rows adopted from the TypeScript package.
    CONSTRAINT admin_users_password_hash_check CHECK (password_hash ~ '^\$(argon2id|2[abxy])\$')
);
CREATE UNIQUE INDEX admin_users_email_key ON admin_users (lower(email));

COMMENT ON TABLE admin_users IS 'People who administer the platform. Global: an administrator may enter several workspaces.';
COMMENT ON COLUMN admin_users.id IS 'Identity, UUID v7 when made by this crate.';
COMMENT ON COLUMN admin_users.email IS 'Login name, unique without regard to case.';
COMMENT ON COLUMN admin_users.password_hash IS 'Hash in PHC string format: argon2id, or bcrypt in an adopted row until its first login.';
COMMENT ON COLUMN admin_users.must_change_password IS 'Whether nothing but a change of password is allowed.';
COMMENT ON COLUMN admin_users.first_name IS 'Given name.';
COMMENT ON COLUMN admin_users.last_name IS 'Family name.';
COMMENT ON COLUMN admin_users.role IS 'Reach: superadmin enters every workspace, admin those of workspace_admins.';
COMMENT ON COLUMN admin_users.status IS 'Whether this administrator may log in.';
COMMENT ON COLUMN admin_users.last_login_at IS 'Time of the last successful login.';
COMMENT ON COLUMN admin_users.created_at IS 'Time of insertion.';
COMMENT ON COLUMN admin_users.updated_at IS 'Time of the last change, set by the statement that makes it.';
