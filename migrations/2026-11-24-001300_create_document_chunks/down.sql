-- The function belongs to workspace_platform.
SET LOCAL ROLE workspace_platform;
DROP FUNCTION workspace_db_matching_chunks(tsquery, integer);
RESET ROLE;
DROP TABLE document_chunks;
