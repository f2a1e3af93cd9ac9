DROP INDEX CONCURRENTLY IF EXISTS messages_client_id_key;
