DROP INDEX CONCURRENTLY IF EXISTS conversations_status_idx;
