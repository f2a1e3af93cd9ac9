-- The renewed index is the same as before. This takes away what a REINDEX that was cut off has left.
DROP INDEX CONCURRENTLY IF EXISTS messages_conversation_id_key_ccnew;
