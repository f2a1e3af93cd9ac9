DROP INDEX CONCURRENTLY IF EXISTS messages_needs_review_idx;
