DROP FUNCTION workspace_db_search_text(uuid, text, text);
DROP FUNCTION workspace_db_split_identifiers(text);
DROP FUNCTION workspace_db_normalize_words(text);
DROP FUNCTION workspace_db_compose(text);
DROP FUNCTION workspace_db_unspaced_character();
DROP FUNCTION workspace_db_text_config(text);
