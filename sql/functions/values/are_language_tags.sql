CREATE OR REPLACE FUNCTION workspace_db_are_language_tags(tags text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT cardinality(tags) <= 100
        AND NOT EXISTS (SELECT FROM unnest(tags) AS tag WHERE (tag ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$') IS NOT TRUE)
$$;
COMMENT ON FUNCTION workspace_db_are_language_tags(text[]) IS 'True for a list of at most 100 BCP 47 tags.';
