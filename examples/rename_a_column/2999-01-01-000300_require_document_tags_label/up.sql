-- From now on no row comes without one; those that are there are looked at by the next migration.
ALTER TABLE document_tags
    ADD CONSTRAINT document_tags_label_check CHECK (label IS NOT NULL) NOT VALID;
