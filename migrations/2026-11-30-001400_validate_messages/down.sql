ALTER TABLE messages
    DROP CONSTRAINT messages_seq_check,
    ADD CONSTRAINT messages_seq_check CHECK (seq > 0) NOT VALID,
    DROP CONSTRAINT messages_parent_id_check,
    ADD CONSTRAINT messages_parent_id_check CHECK (parent_id <> id) NOT VALID,
    DROP CONSTRAINT messages_client_id_check,
    ADD CONSTRAINT messages_client_id_check CHECK (char_length(client_id) BETWEEN 1 AND 500) NOT VALID,
    DROP CONSTRAINT messages_language_check,
    ADD CONSTRAINT messages_language_check CHECK (language ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$') NOT VALID,
    DROP CONSTRAINT messages_by_human_check,
    ADD CONSTRAINT messages_by_human_check CHECK (NOT by_human OR role = 'assistant') NOT VALID,
    DROP CONSTRAINT messages_review_threshold_check,
    ADD CONSTRAINT messages_review_threshold_check CHECK (review_threshold BETWEEN 0 AND 1) NOT VALID,
    DROP CONSTRAINT messages_state_check,
    ADD CONSTRAINT messages_state_check CHECK (
        (lease_token IS NOT NULL) = (state IN ('pending', 'streaming'))
        AND (lease_token IS NULL) = (lease_expires_at IS NULL)) NOT VALID,
    DROP CONSTRAINT messages_lease_expires_at_readable,
    ADD CONSTRAINT messages_lease_expires_at_readable CHECK (workspace_db_is_readable(lease_expires_at)) NOT VALID,
    DROP CONSTRAINT messages_parent_id_fkey,
    ADD CONSTRAINT messages_parent_id_fkey FOREIGN KEY (workspace_id, conversation_id, parent_id)
        REFERENCES messages (workspace_id, conversation_id, id) NOT VALID;
ALTER TABLE conversations
    DROP CONSTRAINT conversations_hand_over_seq_check,
    ADD CONSTRAINT conversations_hand_over_seq_check CHECK (hand_over_seq >= 0) NOT VALID,
    DROP CONSTRAINT conversations_last_seq_check,
    ADD CONSTRAINT conversations_last_seq_check CHECK (last_seq >= 0) NOT VALID;
