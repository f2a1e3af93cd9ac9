ALTER TABLE chunk_reembeddings
    DROP CONSTRAINT chunk_reembeddings_vector_check,
    ADD CONSTRAINT chunk_reembeddings_vector_check CHECK (vector_norm(vector) > 0);
ALTER TABLE document_chunks
    DROP CONSTRAINT document_chunks_vector_check,
    ADD CONSTRAINT document_chunks_vector_check CHECK (vector_norm(vector) > 0);
DO $$
DECLARE
    own record;
BEGIN
    FOR own IN
        SELECT conrelid::regclass AS of_table, string_agg(format('DROP CONSTRAINT %I', conname), ', ') AS changes
        FROM pg_constraint
        WHERE contype = 'c' AND connamespace = current_schema()::regnamespace AND conname LIKE '%\_readable'
            AND pg_get_constraintdef(oid) LIKE '%workspace\_db\_is\_readable(%'
        GROUP BY conrelid ORDER BY conrelid
    LOOP
        EXECUTE format('ALTER TABLE %s %s', own.of_table, own.changes);
    END LOOP;
END
$$;
DROP FUNCTION workspace_db_refuse_unreadable(regclass);
DROP FUNCTION workspace_db_is_readable(jsonb);
DROP FUNCTION workspace_db_is_readable(timestamptz);
DROP FUNCTION workspace_db_is_readable(timestamp);
DROP FUNCTION workspace_db_is_readable(date);
DROP FUNCTION workspace_db_is_readable(anyarray);
