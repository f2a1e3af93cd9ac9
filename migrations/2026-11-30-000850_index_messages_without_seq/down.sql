DROP INDEX CONCURRENTLY IF EXISTS messages_without_seq_idx;
