CREATE TYPE feedback_judge AS ENUM ('visitor', 'reviewer');
COMMENT ON TYPE feedback_judge IS 'Who judges a message.';

-- now() has one value in a statement, so the default of the existing rows is a constant, and no row is written.
-- safety-assured:start
ALTER TABLE feedback
    ADD COLUMN judge feedback_judge NOT NULL DEFAULT 'visitor',
    ADD COLUMN better_answer text,
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD CONSTRAINT feedback_updated_at_readable CHECK (workspace_db_is_readable(updated_at)) NOT VALID;
-- safety-assured:end
COMMENT ON COLUMN feedback.judge IS 'Who rated it: a visitor, or a person who reviews answers.';
COMMENT ON COLUMN feedback.better_answer IS 'What the answer should have been.';
COMMENT ON COLUMN feedback.updated_at IS 'Time of the last change, set by the statement that makes it.';
