-- Loses the languages of all workspaces.
ALTER TABLE workspace_settings DROP COLUMN languages;
DROP FUNCTION workspace_db_are_language_tags(text[]);
