DROP TABLE admin_users;
DROP TYPE admin_status;
DROP TYPE admin_role;
