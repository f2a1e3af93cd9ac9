-- A platform with every fault that its schema lets in. 1 and 2 are workspaces; w(n) and r(n) are ids.
CREATE FUNCTION w(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION v(n double precision) RETURNS vector LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(sin(i * n)::real ORDER BY i)::vector FROM generate_series(1, 1536) AS i $$;

INSERT INTO admin_users (id, email, password_hash, role, first_name, last_login_at, created_at) VALUES
    (w(1), 'Jane@Example.com', :'hash', 'superadmin', 'Jane', '2024-02-29 12:00:00.123456+00', '2020-01-01'),
    (w(2), 'odd address', :'hash', 'admin', NULL, NULL, '2021-01-01'),
    (w(3), 'plain@example.com', 'a password in the clear', 'admin', NULL, NULL, '2021-01-01');
INSERT INTO workspaces (id, slug, name, default_language, confidence_threshold, is_published) VALUES
    (w(1), 'one', 'One', 'nl', 0.123, true), (w(2), 'Odd Slug!', 'Two', 'en', 0.7, false);
INSERT INTO workspace_settings (workspace_id, tone, default_language, fallback_language, confidence_threshold, is_published,
    webhook_secret, webhook_events, temperature, metadata) VALUES
    (w(1), NULL, 'en', 'en', 0.9, false, 'whsec_settings', ARRAY['a', NULL, 'b'], 1.25, '{"a": [1, null]}'),
    (w(2), 'dry', 'en', NULL, 0.7, false, NULL, '{}', NULL, '[]');
INSERT INTO workspace_admins (id, workspace_id, admin_user_id, role, joined_at) VALUES
    (w(1), w(1), w(1), 'superadmin', '2020-01-02'), (w(2), w(2), w(1), 'admin', NULL), (w(3), w(2), w(3), 'admin', '2020-01-02');
INSERT INTO datasources (id, workspace_id, name, type, sync_status) VALUES
    (w(1), w(1), 'One', 'web', 'completed'), (w(2), w(2), 'Two', 'notion', 'failed');
INSERT INTO documents (id, workspace_id, datasource_id, external_id, title, status) VALUES
    (w(1), w(1), w(1), 'x', 'Fine', 'ready'), (w(2), w(1), w(2), 'y', 'Of another''s datasource', 'draft'),
    (w(3), w(2), NULL, NULL, 'Alone', 'archived'), (w(4), w(2), w(2), 'x', 'Fine too', 'error');
ALTER TABLE documents DROP CONSTRAINT documents_workspace_id_external_id_key;
INSERT INTO documents (id, workspace_id, datasource_id, external_id, title) VALUES (w(5), w(1), w(1), 'x', 'The same again');
ALTER TABLE documents DROP CONSTRAINT documents_status_check;
INSERT INTO documents (id, workspace_id, title, status) VALUES (w(6), w(1), 'Half done', 'reviewing');
INSERT INTO document_chunks (id, workspace_id, document_id, chunk_index, content, token_count, vector) VALUES
    (w(1), w(1), w(1), 0, 'fine', 3, v(1)), (w(2), w(1), w(3), 0, 'of another''s document', NULL, v(2)),
    (w(3), w(1), w(5), 0, 'of a document that is set aside', NULL, v(3)),
    (w(4), w(2), w(4), 0, 'without a length', NULL, array_fill(0, ARRAY[1536])::vector), (w(5), w(2), w(4), 1, E'two\nlines', 0, v(5));
DROP INDEX document_chunks_vector_idx;
ALTER TABLE document_chunks ALTER COLUMN vector TYPE vector;
INSERT INTO document_chunks (id, workspace_id, document_id, chunk_index, content, vector) VALUES (w(6), w(2), w(4), 2, 'short', '[1,2,3]');
INSERT INTO conversations (id, workspace_id, external_user_id, status, closed_at) VALUES
    (w(1), w(1), 'visitor', 'closed', '9999-12-31 23:59:59+00'), (w(2), w(2), NULL, 'pending', NULL);
INSERT INTO messages (id, workspace_id, conversation_id, role, content, confidence) VALUES
    (w(1), w(1), w(1), 'user', 'hello', 0.33), (w(2), w(1), w(2), 'tool', 'in another''s conversation', NULL),
    (w(3), w(2), w(2), 'assistant', '', 1);
INSERT INTO feedback (id, workspace_id, message_id, admin_user_id, score) VALUES
    (w(1), w(1), w(1), w(1), 1), (w(2), w(1), w(3), NULL, -1), (w(3), w(2), w(2), w(3), 0);
INSERT INTO analytics_events (id, workspace_id, conversation_id, message_id, event_type) VALUES
    (w(1), w(1), w(1), w(1), 'fine'), (w(2), w(1), w(2), w(1), 'another''s conversation'), (w(3), w(2), NULL, w(2), 'a message set aside');
INSERT INTO webhook_subscriptions (id, workspace_id, url, secret, events) VALUES
    (w(1), w(1), 'https://example.com/', 'whsec_1', ARRAY['a', NULL]), (w(2), w(2), 'https://example.com/', NULL, '{}');
INSERT INTO jobs (id, workspace_id, job_type, status, attempts, max_attempts, scheduled_at, started_at, completed_at, failed_at, last_error, payload) VALUES
    (w(1), w(1), 'fine', 'queued', 0, 3, now(), NULL, NULL, NULL, NULL, '{"a": 1}'),
    (w(2), NULL, 'orphaned', 'queued', 0, 3, now(), NULL, NULL, NULL, NULL, '{"secret": "of a tenant"}'),
    (w(3), w(1), 'running', 'running', 3, 3, NULL, now(), NULL, NULL, NULL, '{}'),
    (w(4), w(1), 'ended somehow', 'completed', -1, 0, now(), NULL, NULL, NULL, NULL, '[]'),
    (w(5), w(2), 'failed somehow', 'failed', 9, 3, now(), NULL, '2024-01-01', NULL, NULL, '{}'),
    (w(6), w(2), '', 'queued', 0, 3, now(), NULL, NULL, NULL, NULL, '{}'),
    (w(7), w(2), 'cancelled', 'cancelled', 1, 3, now(), NULL, NULL, '2024-01-01', 'once', '{}');
