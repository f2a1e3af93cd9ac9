DROP INDEX CONCURRENTLY IF EXISTS conversations_resolved_idx;
