DROP TABLE workspace_admins;
DROP TABLE workspace_settings;
DROP TABLE workspaces;
