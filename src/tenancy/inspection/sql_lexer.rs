//! Lexer for SQL text. It finds the keywords that read rows, and checks that parentheses and quotes are closed.

use std::fmt;

/// Number of each of the keywords that read rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadKeywords {
    pub(crate) selects: u32,
    pub(crate) froms: u32,
    pub(crate) joins: u32,
}

impl ReadKeywords {
    /// Returns the keywords of a scoped query with `joins` joined tables.
    pub(super) fn query(joins: u32) -> Self {
        Self { selects: 1, froms: 1, joins }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.selects += other.selects;
        self.froms += other.froms;
        self.joins += other.joins;
    }
}

/// Reason why a text can't be part of a scoped query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnsafeSql {
    Unscoped,
    Parenthesis,
    Quote,
    Comment,
    Semicolon,
    /// A name that reads other rows by itself.
    Reader(String),
}

impl fmt::Display for UnsafeSql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unscoped => f.write_str("has a subquery or a table that is not scoped to the workspace"),
            Self::Parenthesis => f.write_str("has unbalanced parentheses"),
            Self::Quote => f.write_str("has an unterminated quote"),
            Self::Comment => f.write_str("has a comment, which could hide the rest of the query"),
            Self::Semicolon => f.write_str("has a semicolon"),
            Self::Reader(name) => write!(f, "uses {name}, which reads rows outside every scope"),
        }
    }
}

/// Names that take a table name or SQL as an argument. Source: PostgreSQL 18, "Functions and Operators".
const READERS: &[&str] = &[
    "table",
    "query_to_xml",
    "query_to_xmlschema",
    "query_to_xml_and_xmlschema",
    "cursor_to_xml",
    "cursor_to_xmlschema",
    "table_to_xml",
    "table_to_xmlschema",
    "table_to_xml_and_xmlschema",
    "schema_to_xml",
    "schema_to_xmlschema",
    "schema_to_xml_and_xmlschema",
    "database_to_xml",
    "database_to_xmlschema",
    "database_to_xml_and_xmlschema",
    "ts_stat",
    "ts_rewrite",
    "set_config",
    "dblink",
];

/// Functions whose arguments contain a FROM that reads no rows.
const WITH_FROM: &[&str] = &["extract", "substring", "trim", "overlay", "position"];

/// SQL text that is read byte by byte: every character with a meaning for PostgreSQL is ASCII.
pub(crate) struct SqlLexer<'t> {
    text: &'t str,
    at: usize,
}

/// One part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqlToken<'t> {
    /// A keyword or a name without quotes.
    Word(&'t str),
    /// A name in double quotes, with the quotes.
    Name(&'t str),
    /// Any other single character or literal.
    Other(u8),
}

impl<'t> SqlLexer<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// Returns the keywords that read rows, in a text whose parts are all complete.
    pub(super) fn reads(self) -> Result<ReadKeywords, UnsafeSql> {
        let mut reads = ReadKeywords::default();
        // For each open parenthesis, the word before it.
        let mut open: Vec<&str> = Vec::new();
        let (mut last, mut ended) = ("", Ok(()));
        for token in self.tokens(&mut ended) {
            match token {
                SqlToken::Word(word) => {
                    let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
                    let is_of_a_function = || {
                        last.eq_ignore_ascii_case("distinct")
                            || open
                                .last()
                                .is_some_and(|before| WITH_FROM.iter().any(|f| before.eq_ignore_ascii_case(f)))
                    };
                    if is("select") {
                        reads.selects += 1;
                    } else if is("from") && !is_of_a_function() {
                        reads.froms += 1;
                    } else if is("join") {
                        reads.joins += 1;
                    } else if let Some(reader) = READERS.iter().find(|reader| is(reader)) {
                        return Err(UnsafeSql::Reader((*reader).to_owned()));
                    }
                    last = word;
                    continue;
                }
                SqlToken::Name(name) => {
                    let bare = name.trim_matches('"');
                    if let Some(reader) = READERS.iter().skip(1).find(|reader| bare == **reader) {
                        return Err(UnsafeSql::Reader((*reader).to_owned()));
                    }
                }
                SqlToken::Other(b'(') => open.push(last),
                SqlToken::Other(b')') => {
                    open.pop().ok_or(UnsafeSql::Parenthesis)?;
                }
                SqlToken::Other(b';') => return Err(UnsafeSql::Semicolon),
                SqlToken::Other(_) => {}
            }
            last = "";
        }
        ended?;
        if open.is_empty() { Ok(reads) } else { Err(UnsafeSql::Parenthesis) }
    }

    /// Returns the tokens. Afterwards `ended` is an error if the text ended within a token.
    pub(crate) fn tokens<'e>(
        mut self,
        ended: &'e mut Result<(), UnsafeSql>,
    ) -> impl Iterator<Item = SqlToken<'t>> + use<'t, 'e> {
        std::iter::from_fn(move || match self.next() {
            Ok(token) => token,
            Err(fault) => {
                *ended = Err(fault);
                None
            }
        })
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Result<Option<SqlToken<'t>>, UnsafeSql> {
        while self.peek(0).is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
        let from = self.at;
        let Some(first) = self.peek(0) else { return Ok(None) };
        let token = match first {
            b'-' if self.peek(1) == Some(b'-') => return Err(UnsafeSql::Comment),
            b'/' if self.peek(1) == Some(b'*') => return Err(UnsafeSql::Comment),
            b'"' => {
                self.quoted(b'"', false)?;
                SqlToken::Name(self.since(from))
            }
            b'\'' => {
                self.quoted(b'\'', false)?;
                SqlToken::Other(first)
            }
            b'$' => {
                self.dollar()?;
                SqlToken::Other(first)
            }
            _ if is_of_a_word(first) => {
                while self.peek(0).is_some_and(|byte| is_of_a_word(byte) || byte == b'$') {
                    self.at += 1;
                }
                let word = self.since(from);
                match self.peek(0) {
                    // E'...' has backslash escapes. U&"..." can write a name in a form that this lexer does not
                    // recognize.
                    Some(b'\'') if word.eq_ignore_ascii_case("e") => self.quoted(b'\'', true)?,
                    Some(b'&') if word.eq_ignore_ascii_case("u") && self.peek(1) == Some(b'"') => {
                        return Err(UnsafeSql::Reader("U&\"\"".to_owned()));
                    }
                    _ => {}
                }
                SqlToken::Word(word)
            }
            other => {
                self.at += 1;
                SqlToken::Other(other)
            }
        };
        Ok(Some(token))
    }

    fn since(&self, from: usize) -> &'t str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    /// Skips a literal or a name in quotes, in which a quote is written twice.
    fn quoted(&mut self, quote: u8, escapes: bool) -> Result<(), UnsafeSql> {
        self.at += 1;
        loop {
            match self.peek(0).ok_or(UnsafeSql::Quote)? {
                b'\\' if escapes => self.at += 2,
                byte if byte == quote && self.peek(1) == Some(quote) => self.at += 2,
                byte if byte == quote => break self.at += 1,
                _ => self.at += 1,
            }
        }
        Ok(())
    }

    /// Skips `$1`, or a text between `$$` or `$tag$`.
    fn dollar(&mut self) -> Result<(), UnsafeSql> {
        let from = self.at;
        self.at += 1;
        while self.peek(0).is_some_and(is_of_a_word) {
            self.at += 1;
        }
        if self.peek(0) != Some(b'$') || self.text.as_bytes().get(from + 1).is_some_and(u8::is_ascii_digit) {
            return Ok(());
        }
        self.at += 1;
        let tag = self.since(from);
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.find(tag).ok_or(UnsafeSql::Quote)? + tag.len();
        Ok(())
    }
}

fn is_of_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Returns true if an INSERT has the column `workspace_id` twice: that of the scope, and that of a row.
pub(super) fn names_workspace_twice(text: &str) -> bool {
    let columns = text.strip_prefix("INSERT INTO ").and_then(|rest| rest.split_once(')')).map(|(columns, _)| columns);
    columns.is_some_and(|columns| columns.matches("\"workspace_id\"").count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Result<ReadKeywords, UnsafeSql> {
        SqlLexer::new(text).reads()
    }

    #[test]
    fn keywords_are_counted_where_they_read_rows() {
        let query = r#"SELECT "a"."from" FROM "a" INNER JOIN "b" ON ("a"."x" = 'select from') WHERE ("a"."y" = $1)"#;
        assert_eq!(reads(query), Ok(ReadKeywords::query(1)));
        assert_eq!(
            reads("a IS DISTINCT FROM b AND extract(year FROM c) > 1 AND lower(E'\\'select') = $$ from $$"),
            Ok(ReadKeywords::default())
        );
        assert_eq!(reads("extract(year FROM (SELECT x FROM y))"), Ok(ReadKeywords::query(0)));
        assert_eq!(reads("EXISTS (sElEcT 1)"), Ok(ReadKeywords { selects: 1, ..ReadKeywords::default() }));
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        for text in ["true) OR (true", "(true", "a)"] {
            assert_eq!(reads(text), Err(UnsafeSql::Parenthesis), "{text}");
        }
        for text in ["title = '", "\"title", "E'\\'", "$a$ b $", "$$"] {
            assert_eq!(reads(text), Err(UnsafeSql::Quote), "{text}");
        }
        assert_eq!(reads("true -- "), Err(UnsafeSql::Comment));
        assert_eq!(reads("true /* "), Err(UnsafeSql::Comment));
        assert_eq!(reads("true; DELETE"), Err(UnsafeSql::Semicolon));
        for text in
            ["EXISTS (TABLE documents)", "query_to_xml('x', true, true, '')", "\"ts_stat\"('x')", "U&\"s\\0065lect\""]
        {
            assert!(matches!(reads(text), Err(UnsafeSql::Reader(_))), "{text}");
        }
    }
}
