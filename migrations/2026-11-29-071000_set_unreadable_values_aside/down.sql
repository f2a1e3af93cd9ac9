ALTER TABLE chunk_reembeddings
    DROP CONSTRAINT chunk_reembeddings_vector_check,
    ADD CONSTRAINT chunk_reembeddings_vector_check CHECK (vector_norm(vector) BETWEEN 1e-15 AND 1e15) NOT VALID;
ALTER TABLE document_chunks
    DROP CONSTRAINT document_chunks_vector_check,
    ADD CONSTRAINT document_chunks_vector_check CHECK (vector_norm(vector) BETWEEN 1e-15 AND 1e15) NOT VALID;
SELECT workspace_db_refuse_unreadable(own) FROM unnest(ARRAY[
    'admin_users', 'workspaces', 'workspace_settings', 'workspace_admins', 'datasources', 'documents', 'document_chunks',
    'conversations', 'messages', 'feedback', 'analytics_events', 'webhook_subscriptions', 'jobs', 'job_schedules', 'job_queues',
    'chunk_reembeddings', 'admin_tokens', 'service_tokens', 'login_throttles', 'audit_log'
]::regclass[]) AS own;
DROP FUNCTION workspace_db_set_unreadable_aside(regclass);
