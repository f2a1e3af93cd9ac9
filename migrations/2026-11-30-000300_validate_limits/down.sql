ALTER TABLE job_schedules
    DROP CONSTRAINT job_schedules_payload_check,
    ADD CONSTRAINT job_schedules_payload_check CHECK (octet_length(payload::text) <= 1048576) NOT VALID;
ALTER TABLE jobs
    DROP CONSTRAINT jobs_payload_check,
    ADD CONSTRAINT jobs_payload_check CHECK (octet_length(payload::text) <= 1048576) NOT VALID;
ALTER TABLE document_chunks
    DROP CONSTRAINT document_chunks_metadata_readable,
    ADD CONSTRAINT document_chunks_metadata_readable CHECK (workspace_db_is_readable(metadata)) NOT VALID;
