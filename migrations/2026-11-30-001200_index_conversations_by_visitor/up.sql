-- The conversations of one visitor. An entry of the index has at most 2,704 bytes, and a column of type text has no limit.
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversations_external_user_id_idx ON conversations (workspace_id, external_user_id)
    WHERE octet_length(external_user_id) <= 500;
