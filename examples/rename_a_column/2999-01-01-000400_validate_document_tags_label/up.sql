-- Reads every row, under a lock that keeps out neither readers nor writers.
ALTER TABLE document_tags VALIDATE CONSTRAINT document_tags_label_check;
