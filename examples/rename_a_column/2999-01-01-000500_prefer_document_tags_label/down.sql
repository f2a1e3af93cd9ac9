SET LOCAL ROLE workspace_platform;
UPDATE document_tags SET tag = label WHERE tag IS NULL;
RESET ROLE;
ALTER TABLE document_tags ALTER COLUMN tag SET NOT NULL;
ALTER TABLE document_tags ADD CONSTRAINT document_tags_label_check CHECK (label IS NOT NULL);
ALTER TABLE document_tags ALTER COLUMN label DROP NOT NULL;
