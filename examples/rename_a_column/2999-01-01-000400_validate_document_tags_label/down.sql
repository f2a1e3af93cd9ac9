ALTER TABLE document_tags
    DROP CONSTRAINT document_tags_label_check,
    ADD CONSTRAINT document_tags_label_check CHECK (label IS NOT NULL) NOT VALID;
