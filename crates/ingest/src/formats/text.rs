//! The result of a conversion.

/// Text of a file as Markdown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Converted {
    pub(crate) markdown: String,
    /// Place in the file of each line of the Markdown.
    pub(crate) places: Vec<usize>,
    pub(crate) unit: Unit,
    pub(crate) outline: Option<Outlined>,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) language: Option<String>,
}

/// What a converter knows of its text. Without it, the text is Markdown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlined {
    /// Headings: beginning of the line, level from 1, and text.
    pub(crate) headings: Vec<(usize, u8, String)>,
    /// Beginnings of lines that belong together with the line before.
    pub(crate) inner_lines: Vec<usize>,
    /// Text without code.
    pub(crate) prose: String,
}

/// Unit of the places in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Lines, from 1.
    #[default]
    Lines,
    /// Cells of a notebook, from 1.
    Cells,
}

impl Unit {
    /// Returns the key of a passage's metadata that states its places.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Cells => "cells",
        }
    }
}
