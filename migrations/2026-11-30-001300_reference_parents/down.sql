ALTER TABLE messages DROP CONSTRAINT messages_parent_id_fkey;
