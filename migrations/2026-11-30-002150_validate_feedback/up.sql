-- Validation reads the table, and lets others read and write meanwhile.
SET LOCAL statement_timeout = '1h';
ALTER TABLE feedback VALIDATE CONSTRAINT feedback_updated_at_readable;
