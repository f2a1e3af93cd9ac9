//! The title of a document.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::files::File;
use super::split::{is_too_deep, markdown_options};

/// Maximum number of characters in a title.
const LONGEST: usize = 200;

/// Returns the first heading of a Markdown file as readers see it, without markup, or else the file's name.
pub(super) fn title_of(file: &File) -> String {
    let extension = file.path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let heading = matches!(extension.as_str(), "md" | "markdown" | "mdx").then(|| first_heading(&file.text)).flatten();
    heading.unwrap_or_else(|| file.name.clone())
}

fn first_heading(text: &str) -> Option<String> {
    if is_too_deep(text) {
        return None;
    }
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, markdown_options()) {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
            (Event::End(TagEnd::Heading(_)), Some(read)) => {
                let title = shortened(read);
                if !title.is_empty() {
                    return Some(title);
                }
                heading = None;
            }
            (Event::Text(part) | Event::Code(part), Some(read)) => read.push_str(&part),
            (Event::SoftBreak | Event::HardBreak, Some(read)) => read.push(' '),
            _ => {}
        }
    }
    None
}

/// Returns one line without control characters, no longer than a title.
fn shortened(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_first_heading_as_it_is_read() {
        for (text, title) in [
            ("# Closed heading #\n", Some("Closed heading")),
            ("x\n\n```sh\n# remove everything\n```\n\n# Cleaning up\n", Some("Cleaning up")),
            ("    # indented code\n\n## Second level\n", Some("Second level")),
            ("---\ntitle: t\n# a comment\n---\n\ntext\n\n# The heading\n", Some("The heading")),
            ("+++\n# toml\n+++\n# T\n", Some("T")),
            ("<!--\n# hidden remark\n-->\n# Visible\n", Some("Visible")),
            ("   # Indented heading\n", Some("Indented heading")),
            ("# [Linked](http://x.example/y) `code` **bold**\n", Some("Linked code bold")),
            ("The setext\ntitle\n=====\n", Some("The setext title")),
            ("#\tTabbed heading\n", Some("Tabbed heading")),
            ("# \n\n# ![an image](x.png)\n", Some("an image")),
            ("#hashtag\n", None),
            ("\\# not one\n", None),
            ("# a\u{7}b &amp; c\n", Some("a b & c")),
        ] {
            assert_eq!(first_heading(text).as_deref(), title, "{text:?}");
        }
        let long = first_heading(&format!("# {}\n", "word ".repeat(10_000))).unwrap();
        assert_eq!(long.chars().count(), LONGEST + 1);
    }
}
