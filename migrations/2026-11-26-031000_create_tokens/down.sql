DROP TABLE login_throttles;
DROP TABLE service_tokens;
DROP TYPE service_access;
DROP TABLE admin_tokens;
DROP TYPE admin_token_kind;
