DROP TABLE service_tokens;
DROP TYPE service_access;
