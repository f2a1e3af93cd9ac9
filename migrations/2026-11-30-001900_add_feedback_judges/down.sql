-- Loses who judged, and the better answers.
ALTER TABLE feedback DROP COLUMN judge, DROP COLUMN better_answer, DROP COLUMN updated_at;
DROP TYPE feedback_judge;
