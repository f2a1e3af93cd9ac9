-- The new column's key, beside the old one's: built while others read and write.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS document_tags_document_id_label_key
    ON document_tags (workspace_id, document_id, label);
