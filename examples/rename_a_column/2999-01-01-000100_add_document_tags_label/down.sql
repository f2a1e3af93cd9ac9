ALTER TABLE document_tags DROP COLUMN label;
