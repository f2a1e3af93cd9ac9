ALTER TABLE workspace_settings
    DROP CONSTRAINT workspace_settings_languages_check,
    ADD CONSTRAINT workspace_settings_languages_check CHECK (workspace_db_are_language_tags(languages)) NOT VALID,
    DROP CONSTRAINT workspace_settings_languages_readable,
    ADD CONSTRAINT workspace_settings_languages_readable CHECK (workspace_db_is_readable(languages)) NOT VALID;
