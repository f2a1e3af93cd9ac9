-- A visitor and a reviewer judge a message once each.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS feedback_judge_key ON feedback (workspace_id, message_id, judge);
