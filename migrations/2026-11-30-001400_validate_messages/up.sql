-- Validation reads the tables, and lets others read and write meanwhile.
SET LOCAL statement_timeout = '1h';
ALTER TABLE conversations VALIDATE CONSTRAINT conversations_hand_over_seq_check;
ALTER TABLE conversations VALIDATE CONSTRAINT conversations_last_seq_check;
ALTER TABLE messages VALIDATE CONSTRAINT messages_seq_check;
ALTER TABLE messages VALIDATE CONSTRAINT messages_parent_id_check;
ALTER TABLE messages VALIDATE CONSTRAINT messages_client_id_check;
ALTER TABLE messages VALIDATE CONSTRAINT messages_language_check;
ALTER TABLE messages VALIDATE CONSTRAINT messages_by_human_check;
ALTER TABLE messages VALIDATE CONSTRAINT messages_review_threshold_check;
ALTER TABLE messages VALIDATE CONSTRAINT messages_state_check;
ALTER TABLE messages VALIDATE CONSTRAINT messages_lease_expires_at_readable;
ALTER TABLE messages VALIDATE CONSTRAINT messages_parent_id_fkey;
