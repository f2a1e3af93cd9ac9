//! Reading of XML as a sequence of nodes.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

/// Beginning or end of an element, by its name without prefix, or text.
pub(super) enum Node<'a> {
    Start(&'a str, &'a BytesStart<'a>),
    End(&'a str),
    Text(&'a str),
}

/// Passes the nodes of a part in order, without a tree. Only the five entities of XML itself are replaced.
pub(super) fn read(part: &str, mut on_node: impl FnMut(Node)) -> Result<(), String> {
    let mut reader = Reader::from_str(part);
    loop {
        match reader.read_event().map_err(|error| format!("its XML is broken: {error}"))? {
            Event::Start(start) => on_node(Node::Start(start.local_name().as_ref(), &start)),
            Event::End(end) => on_node(Node::End(end.local_name().as_ref())),
            Event::Empty(start) => {
                on_node(Node::Start(start.local_name().as_ref(), &start));
                on_node(Node::End(start.local_name().as_ref()));
            }
            Event::Text(text) => on_node(Node::Text(&text.xml10_content())),
            Event::CData(text) => on_node(Node::Text(&text.xml10_content())),
            Event::GeneralRef(entity) => {
                let character = entity.resolve_char_ref().ok().flatten().map(String::from);
                let text = character.or_else(|| resolve_predefined_entity(&entity).map(str::to_owned));
                on_node(Node::Text(&text.unwrap_or_default()));
            }
            Event::Eof => return Ok(()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

/// Returns the value of an attribute by its name without prefix.
pub(super) fn attribute(start: &BytesStart, name: &str) -> Option<String> {
    // The check compares each attribute with all others.
    let mut attributes = start.attributes();
    let mut known = attributes.with_checks(false).filter_map(Result::ok);
    let found = known.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    Some(found.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned())
}

/// Returns true if a property is on. Without a value it is.
pub(super) fn is_on(start: &BytesStart) -> bool {
    !attribute(start, "val").is_some_and(|value| matches!(value.as_str(), "0" | "false" | "off"))
}
