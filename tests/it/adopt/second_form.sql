-- The second form of the TypeScript package's schema, from its dictionary: what its newest schema file makes. On top of
-- platform.sql.
DROP INDEX document_chunks_vector_idx;
ALTER TABLE document_chunks ALTER COLUMN vector TYPE vector(3072), ADD COLUMN metadata jsonb;
ALTER TABLE workspace_settings ALTER COLUMN webhook_events DROP DEFAULT, ALTER COLUMN webhook_events DROP NOT NULL,
    ALTER COLUMN webhook_events TYPE text USING NULL, ALTER COLUMN metadata DROP NOT NULL;
ALTER TABLE workspace_admins ALTER COLUMN invited_at DROP NOT NULL;
ALTER TABLE documents ALTER COLUMN metadata DROP NOT NULL, DROP CONSTRAINT documents_workspace_id_id_key;
ALTER TABLE conversations ALTER COLUMN metadata DROP NOT NULL, DROP CONSTRAINT conversations_workspace_id_id_key;
ALTER TABLE messages ALTER COLUMN metadata DROP NOT NULL, DROP CONSTRAINT messages_workspace_id_id_key;
ALTER TABLE datasources DROP CONSTRAINT datasources_workspace_id_id_key;
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT conrelid::regclass AS of_table, conname FROM pg_constraint
        WHERE contype = 'c' AND connamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.of_table, one.conname);
    END LOOP;
END
$$;
ALTER TABLE feedback ALTER COLUMN score TYPE integer;

CREATE FUNCTION w(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION v(n double precision) RETURNS vector LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(sin(i * n)::real ORDER BY i)::vector FROM generate_series(1, 3072) AS i $$;

INSERT INTO admin_users (id, email, password_hash, role) VALUES (w(1), 'jane@example.com', :'hash', 'superadmin');
INSERT INTO workspaces (id, slug, name) SELECT w(n), 'w' || n, 'W' FROM generate_series(1, 5) AS n;
INSERT INTO workspace_settings (workspace_id, webhook_events, temperature, metadata) VALUES
    (w(1), '["a", "b"]', 0.5, NULL), (w(2), '{c,"d e"}', 3, '{"a": 1}'), (w(3), 'f, g', NULL, NULL), (w(4), '', NULL, '{}'),
    (w(5), NULL, NULL, NULL);
INSERT INTO workspace_admins (id, workspace_id, admin_user_id, invited_at, created_at) VALUES
    (w(1), w(1), w(1), NULL, '2021-01-01');
INSERT INTO documents (id, workspace_id, title, metadata) VALUES (w(1), w(1), 'One', NULL), (w(2), w(1), 'Two', '{"a": [1]}');
INSERT INTO document_chunks (id, workspace_id, document_id, chunk_index, content, vector, metadata, embedding_model) VALUES
    (w(1), w(1), w(1), 0, 'the first page', v(1), '{"page": 1}', 'text-embedding-3-large'),
    (w(2), w(1), w(1), 1, 'the second page', v(2), '{"page": 2}', 'text-embedding-3-large'),
    (w(3), w(1), w(2), 0, 'no page', v(3), NULL, 'text-embedding-3-large'),
    (w(4), w(1), w(2), 1, 'of a model that has no shorter vectors', v(4), '{}', 'another-model');
INSERT INTO conversations (id, workspace_id, metadata) VALUES (w(1), w(1), NULL);
INSERT INTO messages (id, workspace_id, conversation_id, role, content, confidence, tokens, metadata) VALUES
    (w(1), w(1), w(1), 'user', 'fine', 0.5, 3, NULL), (w(2), w(1), w(1), 'user', 'sure', 1.5, 3, '{}'),
    (w(3), w(1), w(1), 'user', 'less than nothing', 0.5, -3, '{}');
INSERT INTO feedback (id, workspace_id, message_id, score) VALUES (w(1), w(1), w(1), 1), (w(2), w(1), w(2), 5), (w(3), w(1), w(3), 100000);
INSERT INTO jobs (id, workspace_id, job_type, priority) VALUES (w(1), w(1), 'fine', 5), (w(2), w(1), 'urgent', -5);
