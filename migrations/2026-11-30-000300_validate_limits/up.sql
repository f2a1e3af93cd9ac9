-- Validation reads the tables, and lets others read and write meanwhile.
SET LOCAL statement_timeout = '1h';
ALTER TABLE document_chunks VALIDATE CONSTRAINT document_chunks_metadata_readable;
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT * FROM (VALUES ('jobs'), ('job_schedules')) AS limited (name) LOOP
        BEGIN
            EXECUTE format('ALTER TABLE %I VALIDATE CONSTRAINT %I', one.name, one.name || '_payload_check');
        EXCEPTION WHEN check_violation THEN
            RAISE WARNING '%: there are rows with arguments longer than 1,048,576 bytes as text; they stay as they are, and can''t be changed', one.name;
        END;
    END LOOP;
END
$$;
