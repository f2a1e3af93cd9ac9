DROP INDEX CONCURRENTLY IF EXISTS messages_parent_id_idx;
