//! Footnotes and endnotes.

use std::collections::HashMap;

use super::xml::{Node, attribute, read};

/// Returns the texts of the notes of a part, by the name of their elements and their ids.
pub(super) fn notes(name: &'static str, part: &str) -> Result<HashMap<(&'static str, String), String>, String> {
    let mut notes = HashMap::new();
    let (mut open, mut is_text, mut deleted) = (None, false, 0_usize);
    read(part, |node| match node {
        Node::Start("del", _) => deleted += 1,
        Node::End("del") => deleted = deleted.saturating_sub(1),
        Node::Start("t", _) => is_text = true,
        Node::End("t") => is_text = false,
        Node::Start(element, start) if element == name => open = attribute(start, "id").map(|id| (id, String::new())),
        Node::End(element) if element == name => {
            let read = open.take().map(|(id, text)| ((name, id), text.trim().to_owned()));
            notes.extend(read.filter(|(_, text)| !text.is_empty()));
        }
        Node::Text(text) if is_text && deleted == 0 => open.iter_mut().for_each(|(_, note)| note.push_str(text)),
        Node::Start("p" | "tab" | "br", _) => open.iter_mut().for_each(|(_, note)| note.push(' ')),
        _ => {}
    })?;
    Ok(notes)
}
