//! The metadata for other programs that stands before a text, between lines of `---` or `+++`.

use super::markdown::one_line;

/// Keys of the metadata that this crate reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FrontMatter {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) language: Option<String>,
}

/// Reads `title`, `description` and `lang` or `language` of a block of YAML or TOML.
///
/// Only scalars on one line at the outermost level are read. The block need not be valid: any other line is ignored.
pub(super) fn front_matter(block: &str) -> FrontMatter {
    let mut found = FrontMatter::default();
    for line in block.lines() {
        let Some((key, value)) = line.split_once([':', '=']) else { continue };
        let value = one_line(unquoted(value.trim()));
        // Block scalars, lists, tables, anchors and tags begin with these.
        if value.is_empty() || value.starts_with(['|', '>', '[', '{', '&', '*', '!']) {
            continue;
        }
        let field = match key.trim_end() {
            "title" => &mut found.title,
            "description" => &mut found.description,
            "lang" | "language" => &mut found.language,
            _ => continue,
        };
        field.get_or_insert(value);
    }
    found
}

/// Returns the text between quotation marks, or the text before a comment.
fn unquoted(value: &str) -> &str {
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
    match quote {
        Some(quote) => value.get(1..).and_then(|rest| rest.split(quote).next()).unwrap_or_default(),
        None => value.split(" #").next().unwrap_or_default().trim_end(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_at_the_outermost_level_are_read_and_other_lines_ignored() {
        let read = |block: &str| {
            let FrontMatter { title, description, language } = front_matter(block);
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
            ("---\n{{ not yaml\ntitle\n: :\n---\n", ["", "", ""]),
        ] {
            assert_eq!(read(block), expected, "{block:?}");
        }
    }
}
