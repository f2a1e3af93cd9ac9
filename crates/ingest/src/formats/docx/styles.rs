//! The styles of paragraphs: which of them are headings.

use std::collections::HashMap;

use super::xml::{Node, attribute, is_on, read};

/// Maximum number of styles that one is based on.
const DEEPEST: usize = 20;
/// Maximum number of styles that are kept. Each takes more memory than its XML.
const MOST: usize = 10_000;

/// Purpose of a paragraph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Purpose {
    #[default]
    Text,
    /// The title of the document.
    Title,
    /// A heading of this level, from 1.
    Heading(u8),
    Item,
    /// Line of a table of contents, whose headings come again.
    Contents,
}

/// Returns the purpose of a paragraph with an outline level, which counts from 0. Level 9 is text.
pub(super) fn of_level(level: &str) -> Option<Purpose> {
    match level.parse().ok()? {
        level @ 0..=8 => Some(Purpose::Heading(level + 1)),
        9 => Some(Purpose::Text),
        _ => None,
    }
}

/// Styles by id.
#[derive(Default)]
pub(super) struct Styles(HashMap<String, Style>);

#[derive(Default)]
struct Style {
    based_on: Option<String>,
    purpose: Option<Purpose>,
    is_item: bool,
    is_hidden: Option<bool>,
}

impl Styles {
    pub(super) fn read(part: &str) -> Result<Self, String> {
        let mut styles = Self::default();
        let (mut open, mut id) = (Style::default(), None);
        read(part, |node| match node {
            Node::Start("style", start) => (open, id) = (Style::default(), attribute(start, "styleId")),
            Node::Start("name", start) => open.purpose = attribute(start, "val").and_then(|name| of_name(&name)),
            Node::Start("basedOn", start) => open.based_on = attribute(start, "val"),
            Node::Start("outlineLvl", start) => {
                let level = attribute(start, "val").and_then(|level| of_level(&level));
                open.purpose = open.purpose.or(level);
            }
            Node::Start("numId", start) => open.is_item = attribute(start, "val").is_some_and(|id| id != "0"),
            Node::Start("vanish", start) => open.is_hidden = Some(is_on(start)),
            Node::End("style") => {
                let style = std::mem::take(&mut open);
                styles.0.extend(id.take().filter(|_| styles.0.len() < MOST).map(|id| (id, style)));
            }
            _ => {}
        })?;
        Ok(styles)
    }

    /// Returns the purpose of paragraphs of a style.
    pub(super) fn purpose(&self, id: &str) -> Purpose {
        let named = self.chain(id).find_map(|style| style.purpose);
        named.unwrap_or(if self.chain(id).any(|style| style.is_item) { Purpose::Item } else { Purpose::Text })
    }

    /// Returns true if the text of a style is hidden, or none if the style leaves that to others.
    pub(super) fn is_hidden(&self, id: &str) -> Option<bool> {
        self.chain(id).find_map(|style| style.is_hidden)
    }

    /// Returns a style and those that it is based on.
    fn chain(&self, id: &str) -> impl Iterator<Item = &Style> {
        let base = |style: &&Style| self.0.get(style.based_on.as_deref()?);
        std::iter::successors(self.0.get(id), base).take(DEEPEST)
    }
}

/// Returns the purpose by the name, which is English in every language of the program; the id may be translated.
fn of_name(name: &str) -> Option<Purpose> {
    let name = name.to_lowercase();
    let number = |start| name.strip_prefix(start)?.trim().parse::<u8>().ok().filter(|number| (1..=9).contains(number));
    match name.as_str() {
        "title" => Some(Purpose::Title),
        _ if number("toc").is_some() => Some(Purpose::Contents),
        _ => number("heading").map(Purpose::Heading),
    }
}
