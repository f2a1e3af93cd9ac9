DROP INDEX CONCURRENTLY IF EXISTS conversations_pending_idx;
