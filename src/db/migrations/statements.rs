//! Parser that splits SQL text into statements, so that an error can name the one that failed.

use std::ops::Range;

use squawk_lexer::{LiteralKind, TokenKind, tokenize};

/// Statement of a migration, and the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatement<'a> {
    /// Line of the file on which it begins, counted from 1.
    pub line: usize,
    /// Text, without the comments before it and without the semicolon.
    pub sql: &'a str,
}

impl<'a> MigrationStatement<'a> {
    /// Returns its words and dots, without comments, other punctuation and literals. Unquoted words are in lower case;
    /// quoted names keep their quotes.
    pub(crate) fn words(&self) -> impl Iterator<Item = String> + use<'a> {
        let sql = self.sql;
        tokens(sql).filter_map(move |(kind, at)| match kind {
            TokenKind::Ident => Some(sql.get(at)?.to_lowercase()),
            TokenKind::QuotedIdent { .. } => Some(sql.get(at)?.to_owned()),
            TokenKind::Dot => Some(".".to_owned()),
            _ => None,
        })
    }

    /// Returns its beginning on one line, for a message.
    pub(crate) fn beginning(&self) -> String {
        let words: Vec<&str> = self.sql.split_whitespace().take(12).collect();
        let text = words.join(" ");
        if text.chars().count() > 80 { format!("{}…", text.chars().take(79).collect::<String>()) } else { text }
    }

    /// Returns true if it begins or ends a transaction.
    pub(crate) fn controls_the_transaction(&self) -> bool {
        let first = self.words().next();
        matches!(first.as_deref(), Some("begin" | "start" | "commit" | "end" | "rollback" | "abort" | "prepare"))
    }

    /// Returns true if it says CONCURRENTLY: PostgreSQL rejects it in a transaction, or it waits for others without a
    /// lock.
    pub(crate) fn is_concurrent(&self) -> bool {
        self.words().any(|word| word == "concurrently") && self.words().next().as_deref() != Some("refresh")
    }

    /// Returns true for a COPY with rows after it, as `pg_dump` writes them.
    pub(crate) fn copies_from_stdin(&self) -> bool {
        let words: Vec<String> = self.words().collect();
        words.first().is_some_and(|word| word == "copy") && words.windows(2).any(|pair| pair == ["from", "stdin"])
    }

    /// Returns true for a command of psql, which PostgreSQL does not know.
    pub(crate) fn is_of_psql(&self) -> bool {
        self.sql.starts_with('\\')
    }

    /// Returns true if it can be run again after a success: it says IF EXISTS or IF NOT EXISTS, or makes no lasting
    /// change.
    pub(crate) fn is_repeatable(&self) -> bool {
        let words: Vec<String> = self.words().collect();
        if matches!(words.first().map(String::as_str), Some("vacuum" | "analyze" | "reindex" | "refresh")) {
            return true;
        }
        let says = |pattern: &[&str]| words.windows(pattern.len()).any(|window| window == pattern);
        says(&["if", "exists"]) || says(&["if", "not", "exists"]) || says(&["validate", "constraint"])
    }

    /// Returns the name of the index that it creates concurrently, as the statement writes it.
    pub(crate) fn concurrent_index(&self) -> Option<String> {
        let mut words = self.words().skip_while(|word| word != "concurrently").skip(1).peekable();
        if !self.words().take(3).any(|word| word == "index") || self.words().next()? != "create" {
            return None;
        }
        while words.peek().is_some_and(|word| ["if", "not", "exists"].contains(&word.as_str())) {
            words.next();
        }
        let name: Vec<String> = words.take_while(|word| word != "on").collect();
        (!name.is_empty()).then(|| name.concat())
    }
}

/// Splits a text into its statements, in order.
///
/// A semicolon ends no statement within a string, a dollar quote, a comment, parentheses, or the body of an SQL
/// function (BEGIN ATOMIC ... END).
///
/// ```
/// use workspace_db::db::migrations::statements;
///
/// let all = statements("SELECT ';';\n-- and\nSELECT 2;");
/// assert_eq!(all.iter().map(|one| (one.line, one.sql)).collect::<Vec<_>>(), [(1, "SELECT ';'"), (3, "SELECT 2")]);
/// ```
#[must_use]
pub fn statements(text: &str) -> Vec<MigrationStatement<'_>> {
    let mut found = Vec::new();
    let (mut begins, mut ends) = (None, 0);
    let mut depth = Depth::default();
    for (kind, at) in tokens(text) {
        match kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } | TokenKind::Eof => {}
            TokenKind::Semi if depth.is_zero() => found.extend(begins.take().map(|begins| (begins, ends))),
            kind => {
                begins.get_or_insert(at.start);
                ends = at.end;
                depth.see(kind, text.get(at).unwrap_or_default());
            }
        }
    }
    found.extend(begins.map(|begins| (begins, ends)));
    let line_of = |at| text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    found
        .into_iter()
        .map(|(from, to)| MigrationStatement { line: line_of(from), sql: text.get(from..to).unwrap_or_default() })
        .collect()
}

/// Returns the tokens of a text and their positions.
fn tokens(text: &str) -> impl Iterator<Item = (TokenKind, Range<usize>)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = text.get(from..)?;
        let token = tokenize(rest).next().filter(|token| token.len > 0)?;
        // The lexer treats a quote after a backslash as the end of an E'...' string.
        let len = match token.kind {
            TokenKind::Literal { kind: LiteralKind::EscStr { .. } } => escaped_string(rest),
            _ => token.len as usize,
        };
        let at = from..from + len;
        from = at.end;
        Some((token.kind, at))
    })
}

/// Returns the length of the E'...' string with which the text begins.
fn escaped_string(text: &str) -> usize {
    let mut bytes = text.bytes().enumerate().skip(2).peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'\'' if bytes.peek().is_some_and(|(_, next)| *next == b'\'') => drop(bytes.next()),
            b'\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Nesting depth in constructs that may contain semicolons.
#[derive(Default)]
struct Depth {
    parentheses: i32,
    /// Number of open BEGIN ATOMIC bodies and of CASEs within them.
    bodies: i32,
    last: String,
}

impl Depth {
    fn is_zero(&self) -> bool {
        self.parentheses <= 0 && self.bodies == 0
    }

    fn see(&mut self, kind: TokenKind, text: &str) {
        match kind {
            TokenKind::OpenParen => self.parentheses += 1,
            TokenKind::CloseParen => self.parentheses -= 1,
            TokenKind::Ident => {
                let word = text.to_lowercase();
                match word.as_str() {
                    "atomic" if self.last == "begin" => self.bodies += 1,
                    "case" if self.bodies > 0 => self.bodies += 1,
                    "end" if self.bodies > 0 => self.bodies -= 1,
                    _ => {}
                }
                self.last = word;
            }
            _ => self.last.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_ends_a_statement_only_where_postgresql_says_so() {
        let text = "-- a comment; of one line
            CREATE TABLE a (x text DEFAULT ';'); /* another; /* nested; */ one */
            DO $body$ BEGIN PERFORM 1; PERFORM '$$;'; END $body$;
            CREATE RULE r AS ON INSERT TO a DO ALSO (DELETE FROM b; DELETE FROM c);
            CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;
            SELECT E'it\\'s;''\\\\', 'no escape\\', \"a;b\";;
            SELECT 2";
        let found = statements(text);
        let begin: Vec<_> = found.iter().map(|s| (s.line, s.sql.split(' ').next().unwrap_or_default())).collect();
        assert_eq!(begin, [(2, "CREATE"), (3, "DO"), (4, "CREATE"), (5, "CREATE"), (6, "SELECT"), (7, "SELECT")]);
        assert!(found.iter().all(|one| !one.sql.ends_with(';')));
    }

    #[test]
    fn the_index_that_is_made_concurrently_is_known_by_name() {
        let index = |sql| MigrationStatement { line: 1, sql }.concurrent_index();
        assert_eq!(index("CREATE INDEX CONCURRENTLY a_idx ON a (x)").as_deref(), Some("a_idx"));
        assert_eq!(
            index("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"A b\" ON public.a (x)").as_deref(),
            Some("\"A b\"")
        );
        assert_eq!(index("CREATE INDEX a_idx ON a (concurrently)"), None);
        assert_eq!(index("DROP INDEX CONCURRENTLY a_idx"), None);
    }
}
