-- Not owned by who reverts, who may become its owner.
SET LOCAL ROLE workspace_platform;
DROP FUNCTION workspace_db_matching_chunks(tsquery, integer);
RESET ROLE;
DROP INDEX documents_content_hash_idx;
DROP INDEX document_chunks_search_text_idx;
DROP INDEX document_chunks_bits_idx;
ALTER TABLE document_chunks
    DROP COLUMN search_text,
    DROP COLUMN language,
    RESET (
        toast_tuple_target,
        autovacuum_vacuum_insert_threshold,
        autovacuum_vacuum_insert_scale_factor,
        autovacuum_analyze_scale_factor
    ),
    ALTER COLUMN vector SET STORAGE EXTERNAL;
DROP FUNCTION workspace_db_search_text(uuid, text, text);
DROP FUNCTION workspace_db_text_config(text);
