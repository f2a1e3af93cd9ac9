//! Formats that are converted into text before they are split.

#[cfg(feature = "csv")]
mod csv;
#[cfg(feature = "docx")]
mod docx;
#[cfg(feature = "html")]
mod html;
mod notebook;
mod text;

use std::path::Path;

pub(super) use self::text::Converted;
pub use self::text::Unit;

/// Formats that are not read, by the beginning of a file and its extensions. None means any.
const UNSUPPORTED: &[(&[u8], Option<&str>, &str)] = &[
    (b"%PDF-", None, "PDF"),
    (b"{\\rtf", None, "RTF"),
    #[cfg(not(feature = "docx"))]
    (b"PK\x03\x04", Some("docx"), "DOCX (without the feature `docx`)"),
    #[cfg(not(feature = "docx"))]
    (b"PK\x03\x04", Some("docm"), "DOCM (without the feature `docx`)"),
    #[cfg(not(feature = "docx"))]
    (b"PK\x03\x04", Some("dotx"), "DOTX (without the feature `docx`)"),
    #[cfg(not(feature = "docx"))]
    (b"PK\x03\x04", Some("dotm"), "DOTM (without the feature `docx`)"),
    (b"PK\x03\x04", Some("xlsx"), "XLSX"),
    (b"PK\x03\x04", Some("xlsm"), "XLSM"),
    (b"PK\x03\x04", Some("pptx"), "PPTX"),
    (b"PK\x03\x04", Some("odt"), "ODT"),
    (b"PK\x03\x04", Some("ods"), "ODS"),
    (b"PK\x03\x04", Some("odp"), "ODP"),
    (b"PK\x03\x04", Some("epub"), "EPUB"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Some("docx"), "DOCX with a password"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", None, "an Office format of before 2007"),
    #[cfg(not(feature = "csv"))]
    (b"", Some("csv"), "CSV (without the feature `csv`)"),
    #[cfg(not(feature = "csv"))]
    (b"", Some("tsv"), "TSV (without the feature `csv`)"),
    #[cfg(not(feature = "html"))]
    (b"", Some("html"), "HTML (without the feature `html`)"),
    #[cfg(not(feature = "html"))]
    (b"", Some("htm"), "HTML (without the feature `html`)"),
    #[cfg(not(feature = "html"))]
    (b"", Some("xhtml"), "HTML (without the feature `html`)"),
];

/// Returns the extension of a file's name in lower case.
pub(super) fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

/// Returns the name of a file's format, if the format is known and not read.
pub(super) fn unsupported(extension: &str, content: &[u8]) -> Option<&'static str> {
    let is_format = |(start, of, _): &&(&[u8], Option<&str>, &str)| {
        content.starts_with(start) && of.is_none_or(|of| of == extension)
    };
    let found = UNSUPPORTED.iter().find(is_format).map(|(_, _, name)| *name);
    found.or_else(|| (extension == "ipynb" && notebook::is_old(content)).then_some("a notebook of format 3"))
}

/// Returns the text of a file as people read it, if the file is of a format that is converted. A file that is not what its name
/// says is not converted, but split as it is.
pub(super) fn converted(extension: &str, text: &str) -> Option<Converted> {
    match extension {
        #[cfg(feature = "csv")]
        "csv" | "tsv" => csv::converted(extension, text),
        #[cfg(feature = "html")]
        "html" | "htm" | "xhtml" => html::converted(text),
        "ipynb" => notebook::converted(text),
        _ => None,
    }
}

/// Returns true if files of this extension have pictures beside their text.
pub(super) fn has_pictures(extension: &str) -> bool {
    // A document with macros, and templates of both, have the same parts.
    cfg!(feature = "docx") && matches!(extension, "docx" | "docm" | "dotx" | "dotm")
}

/// Returns true if a file is of a format whose bytes are no text.
pub(super) fn is_binary(extension: &str, content: &[u8]) -> bool {
    has_pictures(extension) && content.starts_with(b"PK\x03\x04")
}

/// Returns the text of a file of such a format, or the reason why it can't be read.
#[cfg(feature = "docx")]
pub(super) fn converted_binary(content: &[u8]) -> Result<Converted, String> {
    docx::converted(content)
}

#[cfg(not(feature = "docx"))]
pub(super) fn converted_binary(_: &[u8]) -> Result<Converted, String> {
    Err("no format of binary files is read".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn office_files_are_recognized_by_their_names() {
        let zip = b"PK\x03\x04";
        for (extension, format) in [("xlsm", "XLSM"), ("ods", "ODS"), ("odp", "ODP"), ("odt", "ODT")] {
            assert_eq!(unsupported(extension, zip), Some(format));
        }
        for extension in ["docx", "docm", "dotx", "dotm"] {
            assert_eq!(
                (unsupported(extension, zip).is_none(), is_binary(extension, zip)),
                (cfg!(feature = "docx"), cfg!(feature = "docx"))
            );
        }
        assert!(!is_binary("docm", b"text") && !is_binary("jar", zip));
    }
}
