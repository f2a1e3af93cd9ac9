DROP FUNCTION workspace_db_review_queue(uuid, timestamptz, uuid, integer);
-- Loses the visitors' judgements of messages that a reviewer has judged too.
SET LOCAL ROLE workspace_platform;
DELETE FROM feedback AS f WHERE f.judge = 'visitor' AND EXISTS (
    SELECT FROM feedback AS r WHERE r.workspace_id = f.workspace_id AND r.message_id = f.message_id AND r.judge = 'reviewer');
RESET ROLE;
ALTER TABLE feedback
    ADD CONSTRAINT feedback_message_id_key UNIQUE (workspace_id, message_id);
