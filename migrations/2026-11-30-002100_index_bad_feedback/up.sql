-- Answers that visitors found bad are in the queue of answers that a person should read.
CREATE INDEX CONCURRENTLY IF NOT EXISTS feedback_bad_idx ON feedback (workspace_id, message_id) WHERE judge = 'visitor' AND score < 0;
