-- Full-text search normalizes passages and questions by this function. It applies NFKC and removes soft hyphens and zero-width
-- characters. It replaces ASCII punctuation by spaces: PostgreSQL's parser takes a whole path or host for one word, and drops a tag.
-- In scripts without spaces each pair of neighbouring characters becomes a word, as in Lucene's CJKBigramFilter. Quotation marks
-- stay, since they mark a phrase in a question.
CREATE OR REPLACE FUNCTION workspace_db_normalize_words(written text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE WHEN words !~ unspaced THEN words ELSE
        regexp_replace(
            regexp_replace(words, format('(?<=%1$s)(%1$s)(?=%1$s)', unspaced), '\1 \1', 'g'),
            format('(?<=\w)(?<!%1$s)(?=%1$s)|(?<=%1$s)(?!%1$s)(?=\w)', unspaced), ' ', 'g') END
    FROM workspace_db_unspaced_character() AS unspaced, (SELECT regexp_replace(
        CASE WHEN octet_length(written) = char_length(written) THEN written ELSE
            replace(replace(replace(workspace_db_compose(translate(written, U&'\00AD\200B\200C\200D\2060\FEFF', '')),
                U&'\00DF', 'ss'), U&'\1E9E', 'SS'), U&'\03C2', U&'\03C3') END,
        '[!#-/:-@[-`{-~]', ' ', 'g') AS words
        -- Without OFFSET the planner copies the expression to each place that uses it.
        OFFSET 0) AS text;
END;
COMMENT ON FUNCTION workspace_db_normalize_words(text) IS
    'Text as full-text search reads it: NFKC, punctuation as spaces, scripts without spaces in pairs of characters.';
