//! The metadata for other programs that stands before a text, between lines of `---` or `+++`.

use crate::outline::{Metadata, one_line};

/// Reads `title`, `description` and `lang` or `language` of a block of YAML or TOML.
///
/// Only scalars on one line at the outermost level are read. The block need not be valid: any other line is ignored.
pub(super) fn front_matter(block: &str) -> Metadata {
    let mut found = Metadata::default();
    // A line in brackets begins a table of TOML, and the rest of the block is in tables.
    let is_toml = block.starts_with('+');
    for line in block.lines().take_while(|line| !(is_toml && line.starts_with('['))) {
        let Some((key, value)) = line.split_once([':', '=']) else { continue };
        let field = match key.trim_end() {
            "title" => &mut found.title,
            "description" => &mut found.description,
            "lang" | "language" => &mut found.language,
            _ => continue,
        };
        if let Some(value) = scalar(value.trim()) {
            field.get_or_insert(value);
        }
    }
    found
}

/// Returns the text of a scalar on one line, or none for anything else.
fn scalar(value: &str) -> Option<String> {
    let text = match value.chars().next()? {
        quote @ ('"' | '\'') => {
            let inner = value.get(1..)?;
            let (escaped, plain) = if quote == '"' { ("\\\"", "\"") } else { ("''", "'") };
            // No text has this character, since it can't be stored.
            let inner = inner.replace(escaped, "\0");
            inner.split(quote).next()?.replace('\0', plain)
        }
        // Block scalars, lists, tables, anchors, aliases, tags and comments begin with these.
        '|' | '>' | '[' | '{' | '&' | '*' | '!' | '#' => return None,
        _ => value.split(" #").next()?.to_owned(),
    };
    let text = one_line(&text);
    (!text.is_empty() && !matches!(text.as_str(), "null" | "~")).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_at_the_outermost_level_are_read_and_other_lines_ignored() {
        let read = |block: &str| {
            let Metadata { title, description, language } = front_matter(block);
            [title, description, language].map(Option::unwrap_or_default)
        };
        for (block, expected) in [
            (
                "---\ntitle: npm-ci\nsection: 1\ndescription: Clean install a project\n---\n",
                ["npm-ci", "Clean install a project", ""],
            ),
            ("---\ntitle: \"A: b\" # c\nlang: de-AT\n---\n", ["A: b", "", "de-AT"]),
            ("+++\ntitle = 'T'\nlanguage = \"nl\"\n+++\n", ["T", "", "nl"]),
            ("---\nauthor:\n  title: Dr\ntitle: Real\ntitle: second\n---\n", ["Real", "", ""]),
            ("---\ntitle: |\n  folded\ndescription: [a, b]\n---\n", ["", "", ""]),
            ("---\ntitle: \"[RFC] Async\"\ndescription: 'What''s new'\n---\n", ["[RFC] Async", "What's new", ""]),
            ("---\ntitle: \"A \\\"b\\\" c\"\ndescription: # none\nlang: ~\n---\n", ["A \"b\" c", "", ""]),
            ("+++\n[extra]\ntitle = \"x\"\n+++\n", ["", "", ""]),
            ("---\n{{ not yaml\ntitle\n: :\n---\n", ["", "", ""]),
        ] {
            assert_eq!(read(block), expected, "{block:?}");
        }
    }
}
