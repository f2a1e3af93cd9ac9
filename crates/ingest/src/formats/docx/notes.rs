//! Footnotes and endnotes.

use std::collections::HashMap;

use super::body::Body;
use super::styles::Styles;
use super::xml::{Node, attribute, read};
use crate::outline::unwrapped;

/// Returns the texts of the notes of a part, by the name of their elements and their ids. They are read as the body is.
pub(super) fn notes(
    name: &'static str,
    part: &str,
    styles: &Styles,
    most: usize,
) -> Result<HashMap<(&'static str, String), String>, String> {
    let mut notes = HashMap::new();
    let (mut open, mut failed) = (None, None);
    read(part, |node| match node {
        Node::Start(element, start) if element == name => {
            open = attribute(start, "id").map(|id| (id, Body::of_note(styles, most)));
        }
        Node::End(element) if element == name => {
            let Some((id, body)) = open.take() else { return };
            match body.finish() {
                Ok(note) if note.markdown.is_empty() => {}
                Ok(note) => _ = notes.insert((name, id), unwrapped(&note.markdown)),
                Err(error) => failed = Some(error),
            }
        }
        _ => open.iter_mut().for_each(|(_, body)| body.node(&node)),
    })?;
    failed.map_or(Ok(notes), Err)
}
