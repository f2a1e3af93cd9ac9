DROP TABLE login_throttles;
DROP TABLE admin_tokens;
DROP TYPE admin_token_kind;
