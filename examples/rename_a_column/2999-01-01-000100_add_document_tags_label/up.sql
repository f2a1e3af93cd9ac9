-- Expand. A column without a default is a note in the catalog: no row is written, and the lock is held for a moment.
ALTER TABLE document_tags ADD COLUMN label text;
COMMENT ON COLUMN document_tags.label IS 'The word, in lower case.';
