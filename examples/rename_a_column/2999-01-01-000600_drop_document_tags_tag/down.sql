ALTER TABLE document_tags ADD COLUMN tag text;
COMMENT ON COLUMN document_tags.tag IS 'The word, in lower case.';
SET LOCAL ROLE workspace_platform;
UPDATE document_tags SET tag = label;
RESET ROLE;
ALTER TABLE document_tags ADD CONSTRAINT document_tags_document_id_tag_key UNIQUE (workspace_id, document_id, tag);
