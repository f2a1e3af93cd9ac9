//! The result of a conversion.

use crate::outline::Outline;

/// Text of a file as people read it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Converted {
    /// The text, with the signs of Markdown for headings and lists.
    pub(crate) markdown: String,
    /// Place in the file of each line of the text.
    pub(crate) places: Vec<usize>,
    /// Last place of each line, if a line may have several; otherwise empty.
    pub(crate) ends: Vec<usize>,
    pub(crate) unit: Unit,
    /// Outline, if the converter knows it. Otherwise the text is parsed as Markdown.
    pub(crate) outline: Option<Outline>,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) language: Option<String>,
}

/// Unit of the places in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Lines, from 1.
    #[default]
    Lines,
    /// Cells of a notebook, from 1.
    Cells,
    /// Paragraphs of a document, from 1. Empty ones and those in tables count.
    Paragraphs,
}

impl Unit {
    /// Returns the key of a passage's metadata that states its places.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Cells => "cells",
            Self::Paragraphs => "paragraphs",
        }
    }
}
