-- Without ON DELETE: a message that others follow can be deleted with its conversation only.
ALTER TABLE messages
    ADD CONSTRAINT messages_parent_id_fkey FOREIGN KEY (workspace_id, conversation_id, parent_id)
        REFERENCES messages (workspace_id, conversation_id, id) NOT VALID;
