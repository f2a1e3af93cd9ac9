DROP TABLE jobs;
DROP FUNCTION workspace_db_holds_key(job_uniqueness, job_status);
DROP TYPE job_uniqueness;
DROP TYPE job_status;
