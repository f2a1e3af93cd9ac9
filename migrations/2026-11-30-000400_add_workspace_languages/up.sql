CREATE FUNCTION workspace_db_are_language_tags(tags text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT cardinality(tags) <= 100
        AND NOT EXISTS (SELECT FROM unnest(tags) AS tag WHERE (tag ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$') IS NOT TRUE)
$$;
COMMENT ON FUNCTION workspace_db_are_language_tags(text[]) IS 'True for a list of at most 100 BCP 47 tags.';

-- The languages that a workspace offers besides its default.
ALTER TABLE workspace_settings
    ADD COLUMN languages text[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT workspace_settings_languages_check CHECK (workspace_db_are_language_tags(languages)) NOT VALID,
    ADD CONSTRAINT workspace_settings_languages_readable CHECK (workspace_db_is_readable(languages)) NOT VALID;
COMMENT ON COLUMN workspace_settings.languages IS
    'Languages that the workspace offers besides default_language, as BCP 47 tags.';
