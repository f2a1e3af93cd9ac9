ALTER TABLE job_schedules
    DROP CONSTRAINT job_schedules_payload_check,
    ADD CONSTRAINT job_schedules_payload_check CHECK (pg_column_size(payload) <= 1048576);
ALTER TABLE jobs
    DROP CONSTRAINT jobs_payload_check,
    ADD CONSTRAINT jobs_payload_check CHECK (pg_column_size(payload) <= 1048576);
