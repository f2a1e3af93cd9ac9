//! Notebooks of Jupyter, as Markdown: texts as they are, code in fences, no output.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::text::{Converted, Unit};

/// A notebook of format 4. Outputs, which may be large pictures, are skipped as they are parsed.
///
/// Source: <https://nbformat.readthedocs.io/en/latest/format_description.html>.
#[derive(Deserialize)]
struct Notebook {
    cells: Vec<Cell>,
    #[serde(default)]
    metadata: Value,
}

#[derive(Deserialize)]
struct Cell {
    cell_type: String,
    source: Source,
}

/// One text, or its lines with their ends.
#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    Text(String),
    Lines(Vec<String>),
}

pub(super) fn converted(text: &str) -> Option<Converted> {
    let notebook: Notebook = serde_json::from_str(text).ok()?;
    let metadata = |path: &str| notebook.metadata.pointer(path).and_then(Value::as_str);
    let language = metadata("/kernelspec/language").unwrap_or_default();
    let title = metadata("/title").map(str::to_owned);
    let mut converted = Converted { unit: Unit::Cells, title, ..Converted::default() };
    for (cell, place) in notebook.cells.into_iter().zip(1..) {
        let source = match cell.source {
            Source::Text(text) => text,
            Source::Lines(lines) => lines.concat(),
        };
        let source = source.trim_end();
        let block = match cell.cell_type.as_str() {
            _ if source.is_empty() => continue,
            "markdown" => format!("{source}\n\n"),
            "code" => {
                let fence = "`".repeat(longest_run(source, '`').max(2) + 1);
                format!("{fence}{language}\n{source}\n{fence}\n\n")
            }
            // Text for other programs, which people don't see.
            _ => continue,
        };
        converted.places.extend(block.matches('\n').map(|_| place));
        converted.markdown.push_str(&block);
    }
    Some(converted)
}

/// Returns true if a notebook is of a format before 4, which has worksheets.
pub(super) fn is_old(content: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Old {
        #[serde(rename = "worksheets")]
        _worksheets: IgnoredAny,
    }
    serde_json::from_slice::<Old>(content).is_ok()
}

/// Returns the length of the longest run of a character.
fn longest_run(text: &str, character: char) -> usize {
    text.split(|other| other != character).map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_code_become_markdown_with_their_cells() {
        let json = r##"{"cells": [
            {"cell_type": "markdown", "metadata": {}, "source": ["# Load\n", "\n", "Read the data."]},
            {"cell_type": "code", "outputs": [{"data": {"image/png": "AAAA"}}], "source": "x = 1\ny = '```'"},
            {"cell_type": "raw", "source": "skipped"},
            {"cell_type": "markdown", "source": ""},
            {"cell_type": "markdown", "source": "End."}
        ], "metadata": {"kernelspec": {"language": "python"}}, "nbformat": 4}"##;
        let converted = converted(json).unwrap();
        assert_eq!(converted.markdown, "# Load\n\nRead the data.\n\n````python\nx = 1\ny = '```'\n````\n\nEnd.\n\n");
        assert_eq!(converted.places, [1, 1, 1, 1, 2, 2, 2, 2, 2, 5, 5]);
    }

    #[test]
    fn metadata_of_any_form_are_ignored() {
        for metadata in ["null", "[]", "{\"title\": [\"x\"]}", "{\"kernelspec\": 3}"] {
            let json = format!(r#"{{"cells": [{{"cell_type": "code", "source": ["x"]}}], "metadata": {metadata}}}"#);
            assert_eq!(converted(&json).unwrap().markdown, "```\nx\n```\n\n", "{metadata}");
        }
    }

    #[test]
    fn other_json_is_no_notebook() {
        for text in ["", "[]", "{\"cells\": 3}", "{\"worksheets\": []}", "not json"] {
            assert_eq!(converted(text), None, "{text}");
        }
    }
}
