DROP TABLE documents;
DROP TABLE datasources;
DROP TYPE document_status;
DROP TYPE datasource_sync_status;
DROP TYPE datasource_type;
