CREATE OR REPLACE FUNCTION workspace_db_unspaced_character() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- Thai, Lao, Myanmar, Khmer, Kana and Bopomofo, Han, Hangul, and Han beyond the first plane.
RETURN '[\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3005-\u3007\u3040-\u312F\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7AF\U00020000-\U0003FFFF]';
COMMENT ON FUNCTION workspace_db_unspaced_character() IS
    'Regular expression for one character of the scripts without spaces between words.';
