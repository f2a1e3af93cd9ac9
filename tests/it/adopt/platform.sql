-- The schema of the TypeScript package, from its dictionary: names, types, defaults, enums, keys. Without its composite foreign
-- keys, which repeat the others and which a database may lack: so rows can refer to another workspace's.
CREATE EXTENSION IF NOT EXISTS vector;

CREATE TYPE language AS ENUM ('en', 'nl');
CREATE TYPE admin_role AS ENUM ('superadmin', 'admin');
CREATE TYPE admin_status AS ENUM ('active', 'disabled');
CREATE TYPE datasource_type AS ENUM ('web', 'file', 'api', 'notion', 'slack', 'manual');
CREATE TYPE datasource_sync_status AS ENUM ('idle', 'running', 'failed', 'completed');
CREATE TYPE conversation_status AS ENUM ('open', 'pending', 'resolved', 'closed');
CREATE TYPE message_role AS ENUM ('system', 'user', 'assistant', 'tool');
CREATE TYPE job_status AS ENUM ('queued', 'running', 'completed', 'failed', 'cancelled');

CREATE TABLE admin_users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email text NOT NULL,
    password_hash text NOT NULL,
    first_name text,
    last_name text,
    role admin_role NOT NULL DEFAULT 'admin',
    status admin_status NOT NULL DEFAULT 'active',
    last_login_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX admin_users_email_unique ON admin_users (lower(email));

CREATE TABLE workspaces (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    description text,
    default_language language NOT NULL DEFAULT 'en',
    is_active boolean NOT NULL DEFAULT true,
    is_published boolean NOT NULL DEFAULT false,
    confidence_threshold numeric(4, 3) NOT NULL DEFAULT 0.700 CHECK (confidence_threshold BETWEEN 0 AND 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE workspace_settings (
    workspace_id uuid PRIMARY KEY REFERENCES workspaces ON DELETE CASCADE,
    tone text DEFAULT 'professional',
    primary_color text,
    accent_color text,
    background_color text,
    welcome_message text,
    logo_url text,
    banner_url text,
    support_email text,
    default_language language DEFAULT 'en',
    fallback_language language,
    watermark_enabled boolean NOT NULL DEFAULT false,
    confidence_threshold numeric(4, 3) DEFAULT 0.700,
    webhook_url text,
    webhook_secret text,
    webhook_events text[] NOT NULL DEFAULT '{}',
    is_published boolean NOT NULL DEFAULT false,
    temperature numeric(3, 2) DEFAULT 0.70 CHECK (temperature BETWEEN 0 AND 2),
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE workspace_admins (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    admin_user_id uuid NOT NULL REFERENCES admin_users ON DELETE CASCADE,
    role admin_role NOT NULL DEFAULT 'admin',
    invited_at timestamptz NOT NULL DEFAULT now(),
    joined_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace_id, admin_user_id)
);

CREATE TABLE datasources (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    name text NOT NULL,
    description text,
    type datasource_type NOT NULL,
    config jsonb NOT NULL DEFAULT '{}',
    sync_status datasource_sync_status NOT NULL DEFAULT 'idle',
    sync_cursor text,
    error_message text,
    is_managed boolean NOT NULL DEFAULT true,
    last_synced_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace_id, id)
);

CREATE TABLE documents (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    datasource_id uuid REFERENCES datasources ON DELETE CASCADE,
    external_id text,
    title text NOT NULL,
    slug text,
    summary text,
    content_hash text,
    metadata jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'ready' CHECK (status IN ('draft', 'processing', 'ready', 'archived', 'error')),
    is_published boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace_id, id),
    UNIQUE (workspace_id, external_id)
);

CREATE TABLE document_chunks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    document_id uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    chunk_index integer NOT NULL,
    content text NOT NULL,
    token_count integer CHECK (token_count >= 0),
    embedding_model text NOT NULL DEFAULT 'text-embedding-3-large',
    vector vector(1536) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (document_id, chunk_index)
);
CREATE INDEX document_chunks_vector_idx ON document_chunks USING ivfflat (vector vector_l2_ops) WITH (lists = 100);

CREATE TABLE conversations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    external_user_id text,
    title text,
    status conversation_status NOT NULL DEFAULT 'open',
    metadata jsonb NOT NULL DEFAULT '{}',
    first_message_at timestamptz,
    last_message_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    UNIQUE (workspace_id, id)
);

CREATE TABLE messages (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    role message_role NOT NULL,
    content text NOT NULL,
    tokens integer CHECK (tokens >= 0),
    confidence numeric(3, 2) CHECK (confidence BETWEEN 0 AND 1),
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace_id, id)
);

CREATE TABLE feedback (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    message_id uuid NOT NULL UNIQUE REFERENCES messages ON DELETE CASCADE,
    admin_user_id uuid REFERENCES admin_users ON DELETE SET NULL,
    score smallint NOT NULL DEFAULT 0 CHECK (score BETWEEN -1 AND 1),
    label text,
    comment text,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE analytics_events (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    conversation_id uuid REFERENCES conversations ON DELETE SET NULL,
    message_id uuid REFERENCES messages ON DELETE SET NULL,
    event_type text NOT NULL,
    user_identifier text,
    source text,
    properties jsonb NOT NULL DEFAULT '{}',
    occurred_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE webhook_subscriptions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    url text NOT NULL,
    secret text,
    events text[] NOT NULL DEFAULT '{}',
    headers jsonb NOT NULL DEFAULT '{}',
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace_id, url)
);

CREATE TABLE jobs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid REFERENCES workspaces ON DELETE SET NULL,
    job_type text NOT NULL,
    status job_status NOT NULL DEFAULT 'queued',
    payload jsonb NOT NULL DEFAULT '{}',
    attempts integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL DEFAULT 3,
    priority integer NOT NULL DEFAULT 5 CHECK (priority >= 0),
    scheduled_at timestamptz DEFAULT now(),
    started_at timestamptz,
    completed_at timestamptz,
    failed_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
