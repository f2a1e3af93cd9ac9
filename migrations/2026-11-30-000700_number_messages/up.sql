CREATE TYPE conversation_speaker AS ENUM ('bot', 'human', 'nobody');
COMMENT ON TYPE conversation_speaker IS 'Who answers the visitor of a conversation.';

CREATE TYPE message_state AS ENUM ('pending', 'streaming', 'complete', 'interrupted', 'failed', 'withheld');
COMMENT ON TYPE message_state IS 'State of a message.';

ALTER TABLE conversations
    ADD COLUMN last_seq bigint NOT NULL DEFAULT 0,
    ADD COLUMN head_id uuid,
    ADD COLUMN speaker conversation_speaker NOT NULL DEFAULT 'bot',
    ADD COLUMN hand_over_seq bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT conversations_hand_over_seq_check CHECK (hand_over_seq >= 0) NOT VALID,
    ADD CONSTRAINT conversations_last_seq_check CHECK (last_seq >= 0) NOT VALID;
COMMENT ON COLUMN conversations.last_seq IS 'Number of the last message; workspace_db_append_message counts it.';
COMMENT ON COLUMN conversations.head_id IS
    'Last message of the active branch. No foreign key: a reader checks that the message is of this conversation.';
COMMENT ON COLUMN conversations.speaker IS 'Who answers the visitor.';
COMMENT ON COLUMN conversations.hand_over_seq IS
    'Number of the last message when a person was asked for or took over; an answer that was begun before is withheld.';

-- A message that another program inserts has no number yet. The next append numbers it, in the order of time.
ALTER TABLE messages
    ADD COLUMN seq bigint,
    ADD COLUMN parent_id uuid,
    ADD COLUMN client_id text,
    ADD COLUMN language text,
    ADD COLUMN state message_state NOT NULL DEFAULT 'complete',
    ADD COLUMN by_human boolean NOT NULL DEFAULT false,
    ADD COLUMN needs_review boolean NOT NULL DEFAULT false,
    ADD COLUMN review_threshold double precision,
    ADD COLUMN lease_token uuid,
    ADD COLUMN lease_expires_at timestamptz,
    ADD CONSTRAINT messages_seq_check CHECK (seq > 0) NOT VALID,
    ADD CONSTRAINT messages_parent_id_check CHECK (parent_id <> id) NOT VALID,
    ADD CONSTRAINT messages_client_id_check CHECK (char_length(client_id) BETWEEN 1 AND 500) NOT VALID,
    ADD CONSTRAINT messages_language_check CHECK (language ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$') NOT VALID,
    ADD CONSTRAINT messages_by_human_check CHECK (NOT by_human OR role = 'assistant') NOT VALID,
    ADD CONSTRAINT messages_review_threshold_check CHECK (review_threshold BETWEEN 0 AND 1) NOT VALID,
    ADD CONSTRAINT messages_state_check CHECK (
        (lease_token IS NOT NULL) = (state IN ('pending', 'streaming'))
        AND (lease_token IS NULL) = (lease_expires_at IS NULL)) NOT VALID,
    ADD CONSTRAINT messages_lease_expires_at_readable CHECK (workspace_db_is_readable(lease_expires_at)) NOT VALID;
COMMENT ON COLUMN messages.seq IS 'Position in the conversation, from 1; NULL until the next append numbers the message.';
COMMENT ON COLUMN messages.parent_id IS 'The message of the same conversation that this one follows; NULL for a first message.';
COMMENT ON COLUMN messages.client_id IS 'Id that the sender gave the message, so that it can be sent again.';
COMMENT ON COLUMN messages.language IS
    'Language of the text, a BCP 47 tag, which selects the stemmer of a search; NULL for no stemming.';
COMMENT ON COLUMN messages.state IS 'State.';
COMMENT ON COLUMN messages.by_human IS 'True if a person wrote the answer.';
COMMENT ON COLUMN messages.needs_review IS 'True if the confidence was below review_threshold when the message was stored.';
COMMENT ON COLUMN messages.review_threshold IS 'The workspace''s confidence_threshold when the message was stored.';
COMMENT ON COLUMN messages.lease_token IS 'Proof of the writer that makes the answer.';
COMMENT ON COLUMN messages.lease_expires_at IS 'End of the writer''s lease; afterwards the answer is interrupted.';
