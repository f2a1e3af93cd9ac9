use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::formats::text::Unit;

const STYLES: &str = r#"<w:styles xmlns:w="w">
    <w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
    <w:style w:styleId="Own"><w:name w:val="Own"/><w:basedOn w:val="Base"/></w:style>
    <w:style w:styleId="Base"><w:name w:val="Base"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
    <w:style w:styleId="Titel"><w:name w:val="Title"/></w:style>
    <w:style w:styleId="Verzeichnis1"><w:name w:val="toc 1"/></w:style>
    <w:style w:styleId="Liste"><w:name w:val="List Bullet"/><w:pPr><w:numPr><w:numId w:val="3"/></w:numPr></w:pPr></w:style>
    <w:style w:styleId="Hidden"><w:rPr><w:vanish/></w:rPr></w:style>
    <w:style w:type="character" w:styleId="HiddenToo"><w:basedOn w:val="Hidden"/></w:style>
    <w:style w:styleId="A"><w:name w:val="A"/><w:basedOn w:val="B"/></w:style>
    <w:style w:styleId="B"><w:name w:val="B"/><w:basedOn w:val="A"/></w:style></w:styles>"#;

fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn document(body: &str) -> Vec<u8> {
    let body = format!("<w:document xmlns:w='w'><w:body>{body}</w:body></w:document>");
    archive(&[("word/document.xml", &body), ("word/styles.xml", STYLES)])
}

/// Returns a document with so many bytes that can't be compressed.
fn padded(body: &str, bytes: u32) -> Vec<u8> {
    let noise: String =
        (0..bytes).map(|at| char::from(b'!' + (at.wrapping_mul(2_654_435_761) >> 24) as u8 % 90)).collect();
    archive(&[("word/document.xml", &format!("<w:document>{body}</w:document>")), ("noise", &noise)])
}

fn paragraph(style: &str, text: &str) -> String {
    format!("<w:p><w:pPr><w:pStyle w:val='{style}'/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>")
}

fn text(body: &str) -> String {
    converted(&document(body)).unwrap().markdown
}

#[test]
fn headings_lists_and_tables_keep_their_paragraphs() {
    let cell = |text: &str| format!("<w:tc>{}</w:tc>", paragraph("", text));
    let body = [
        paragraph("Titel", "Handbook"),
        paragraph("Verzeichnis1", "Contents 1"),
        paragraph("berschrift1", "First"),
        "<w:p><w:r><w:t xml:space='preserve'>Some </w:t></w:r><w:hyperlink><w:r><w:t>link &amp; more</w:t></w:r></w:hyperlink>\
         <w:r><w:br/><w:t>Next line</w:t><w:tab/><w:t>x</w:t></w:r></w:p><w:p/>"
            .to_owned(),
        paragraph("Own", "Second"),
        paragraph("Liste", "one"),
        "<w:p><w:pPr><w:numPr><w:ilvl w:val='1'/><w:numId w:val='2'/></w:numPr></w:pPr><w:r><w:t>two</w:t></w:r></w:p>"
            .to_owned(),
        format!("<w:tbl><w:tr>{}{}</w:tr><w:tr>{}<w:tc/></w:tr></w:tbl>", cell("a"), cell("b"), cell("c")),
        "<w:p><w:pPr><w:outlineLvl w:val='2'/></w:pPr><w:r><w:t>Third</w:t></w:r></w:p>".to_owned(),
        paragraph("unknown", "End."),
    ];
    let converted = converted(&document(&body.concat())).unwrap();
    let expected = "# Handbook\n\n# First\n\nSome link & more\nNext line x\n\n## Second\n\n- one\n  - two\n\na | b\nc\n\n### Third\n\nEnd.\n";
    assert_eq!(converted.markdown, expected);
    assert_eq!(converted.places, [1, 3, 3, 4, 4, 4, 6, 6, 7, 7, 8, 9, 9, 11, 12, 12, 13, 13]);
    assert_eq!(converted.ends, [1, 3, 3, 4, 4, 4, 6, 6, 7, 7, 8, 10, 10, 11, 12, 12, 13, 13]);
    assert_eq!((converted.title.as_deref(), converted.unit), (Some("Handbook"), Unit::Paragraphs));
    let outline = converted.outline.unwrap();
    let headings: Vec<_> =
        outline.headings.iter().map(|it| (&expected[it.start..][..3], it.level, &*it.text)).collect();
    assert_eq!(headings, [("# H", 1, "Handbook"), ("# F", 1, "First"), ("## ", 2, "Second"), ("###", 3, "Third")]);
}

#[test]
fn what_readers_do_not_see_is_not_read() {
    for (content, seen) in [
        (
            "<w:r><w:t>a</w:t></w:r><w:del><w:r><w:delText>b</w:delText><w:t>b</w:t></w:r></w:del><w:ins><w:r><w:t>c</w:t></w:r></w:ins>",
            "ac",
        ),
        (
            "<w:r><w:rPr><w:vanish/></w:rPr><w:t>b</w:t></w:r><w:r><w:rPr><w:vanish w:val='0'/></w:rPr><w:t>c</w:t></w:r>",
            "c",
        ),
        ("<w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:t>3</w:t></w:r>", "3"),
        (
            "<w:pPr><w:tabs><w:tab/></w:tabs><w:pPrChange><w:pPr><w:pStyle w:val='Titel'/></w:pPr></w:pPrChange></w:pPr><w:r><w:t>a</w:t></w:r>",
            "a",
        ),
        (
            "<w:r><mc:AlternateContent><mc:Choice><w:p><w:r><w:t>box</w:t></w:r></w:p></mc:Choice><mc:Fallback><w:t>box</w:t></mc:Fallback></mc:AlternateContent><w:t>a</w:t></w:r>",
            "box\n\na",
        ),
        ("<w:r><w:drawing><wp:docPr descr='A map'/></w:drawing><w:t>here</w:t></w:r>", "A map here"),
        ("<w:r><w:t>&#65;&unknown;&lt;</w:t></w:r>", "A<"),
        (
            "<w:r><mc:AlternateContent><mc:Choice><w:t>a</w:t></mc:Choice><mc:Choice><w:t>b</w:t></mc:Choice><mc:Fallback><w:t>c</w:t></mc:Fallback></mc:AlternateContent><mc:AlternateContent><mc:Fallback><w:t>d</w:t></mc:Fallback></mc:AlternateContent></w:r>",
            "ad",
        ),
        (
            "<w:r><w:t>a</w:t><w:ptab/><w:t>b</w:t><w:sym w:font='Wingdings' w:char='F0FC'/><w:sym w:char='2192'/></w:r>",
            "a b →",
        ),
        (
            "<w:pPr><w:pStyle w:val='Hidden'/></w:pPr><w:r><w:t>a</w:t></w:r><w:r><w:rPr><w:vanish w:val='0'/></w:rPr><w:t>b</w:t></w:r>",
            "b",
        ),
        ("<w:r><w:rPr><w:rStyle w:val='HiddenToo'/></w:rPr><w:t>a</w:t></w:r><w:r><w:t>b</w:t></w:r>", "b"),
    ] {
        assert_eq!(text(&format!("<w:p>{content}</w:p>")).trim_end(), seen, "{content}");
    }
    assert_eq!(text(&paragraph("A", "styles in a circle")), "styles in a circle\n");
}

#[test]
fn notes_stand_where_the_text_refers_to_them() {
    let body = "<w:document><w:p><w:r><w:t>Text</w:t><w:footnoteReference w:id='2'/><w:t>.</w:t>\
        <w:endnoteReference w:id='2'/></w:r></w:p></w:document>";
    let notes = "<w:footnotes><w:footnote w:id='2'><w:p><w:r><w:t>A note</w:t></w:r></w:p></w:footnote></w:footnotes>";
    let parts = archive(&[("word/document.xml", body), ("word/footnotes.xml", notes)]);
    assert_eq!(converted(&parts).unwrap().markdown, "Text (A note).\n");
}

#[test]
fn properties_state_title_description_and_language() {
    let relations = "<Relationships><Relationship Type='x/officeDocument' Target='/word/text2.xml'/></Relationships>";
    let core = "<cp:coreProperties><dc:title>Alles &amp; mehr</dc:title><dc:description>generated by python-docx</dc:description>\
        <dc:language>de-AT</dc:language></cp:coreProperties>";
    let body = "<w:document><w:p><w:r><w:t>Text</w:t></w:r></w:p></w:document>";
    let read =
        converted(&archive(&[("_rels/.rels", relations), ("word/text2.xml", body), ("docProps/core.xml", core)]));
    let Converted { title, description, language, .. } = read.unwrap();
    assert_eq!((title.as_deref(), description, language.as_deref()), (Some("Alles & mehr"), None, Some("de-AT")));
}

#[test]
fn notes_are_read_as_the_body_and_stand_behind_headings() {
    let body = format!(
        "<w:document>{}<w:p><w:r><w:footnoteReference w:id='2'/></w:r></w:p></w:document>",
        "<w:p><w:pPr><w:outlineLvl w:val='0'/></w:pPr><w:r><w:t>Heading</w:t><w:footnoteReference w:id='1'/></w:r></w:p>"
    );
    let note = |id: u8, text: &str| format!("<w:footnote w:id='{id}'>{text}</w:footnote>");
    let moved = "<w:p><w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom><w:moveTo><w:r><w:t>moved</w:t></w:r></w:moveTo>\
        <w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:noBreakHyphen/><w:cr/><w:t>end</w:t></w:r></w:p>";
    let heading = "<w:p><w:pPr><w:outlineLvl w:val='0'/></w:pPr><w:r><w:t>One</w:t></w:r></w:p><w:p><w:r><w:t>two</w:t></w:r></w:p>";
    let notes = format!("<w:footnotes>{}{}</w:footnotes>", note(1, heading), note(2, moved));
    let read = converted(&archive(&[("word/document.xml", &body), ("word/footnotes.xml", &notes)])).unwrap();
    assert_eq!(read.markdown, "# Heading\n\n(One two)\n\n(moved- end)\n");
    assert_eq!(read.outline.unwrap().headings[0].text, "Heading");
}

#[test]
fn parts_are_found_by_their_relationships() {
    let relation = |kind: &str, target: &str| format!("<Relationship Type='http://x/{kind}' Target='{target}'/>");
    let of_package =
        relation("officeDocument", "word/document2.xml") + &relation("metadata/core-properties", "/p/c.xml");
    let of_document = relation("styles", "styles2.xml") + &relation("footnotes", "/word/notes2.xml");
    let body = paragraph("berschrift1", "Heading") + "<w:p><w:r><w:footnoteReference w:id='1'/></w:r></w:p>";
    let parts = [
        ("_rels/.rels", format!("<Relationships>{of_package}</Relationships>")),
        ("word/_rels/document2.xml.rels", format!("<Relationships>{of_document}</Relationships>")),
        ("word/document2.xml", format!("<w:document>{body}</w:document>")),
        ("word/styles2.xml", STYLES.to_owned()),
        (
            "word/notes2.xml",
            "<w:footnotes><w:footnote w:id='1'><w:p><w:r><w:t>Note</w:t></w:r></w:p></w:footnote></w:footnotes>"
                .to_owned(),
        ),
        ("p/c.xml", "<cp:coreProperties><dc:title>Title</dc:title></cp:coreProperties>".to_owned()),
    ];
    let read = converted(&archive(&parts.each_ref().map(|(name, content)| (*name, content.as_str())))).unwrap();
    assert_eq!((read.markdown.as_str(), read.title.as_deref()), ("# Heading\n\n(Note)\n", Some("Title")));
}

#[test]
fn broken_documents_are_refused() {
    let whole = document(&paragraph("", &"text ".repeat(100)));
    assert!(converted(&[]).is_err());
    assert_eq!(
        converted(b"PK\x03\x04\0").unwrap_err(),
        "its archive can't be read: invalid Zip archive: Could not find EOCD"
    );
    assert_eq!(converted(&archive(&[("a", "b")])).unwrap_err(), "it has no main document part");
    let mut damaged = whole.clone();
    for at in 0..whole.len() {
        damaged[at] ^= 0xff;
        // Not every byte matters, but none may cause a panic.
        let _ = converted(&damaged);
        damaged[at] ^= 0xff;
        assert!(converted(&whole[..at]).is_err(), "{at}");
    }
    for body in ["<w:p></w:r>", "<w:p"] {
        let error = converted(&document(body)).unwrap_err();
        assert!(error.starts_with("its XML is broken: "), "{error}");
    }
    let embedded = "its text is an embedded file (altChunk), which is not read";
    assert_eq!(converted(&document("<w:altChunk r:id='a'/>")).unwrap_err(), embedded);
    assert_eq!(text(&(paragraph("", "Text") + "<w:altChunk r:id='a'/>")), "Text\n");
}

#[test]
fn hostile_documents_take_linear_time_and_space() {
    let bomb = archive(&[("word/document.xml", &" ".repeat(65 * 1024 * 1024))]);
    assert!(bomb.len() < 100_000);
    assert_eq!(converted(&bomb).unwrap_err(), "it unpacks to more than 1 MiB and 100 times its size");
    let large = "<w:p><w:r><w:t>x</w:t></w:r></w:p>".repeat(10) + &paragraph("", &"a word ".repeat(500_000));
    assert!(converted(&document(&large)).unwrap_err().starts_with("it unpacks to more than"));
    let written = paragraph("", &"a word ".repeat(200_000));
    let error = "its text is larger than 1 MiB and 16 times the file";
    assert_eq!(converted(&padded(&written, 1000)).unwrap_err(), error);
    let entities = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><w:p><w:r><w:t>&b;x</w:t></w:r></w:p>";
    assert_eq!(converted(&archive(&[("word/document.xml", entities)])).unwrap().markdown, "x\n");
    for (body, error) in [
        ("<w:p>".repeat(10_000) + &"</w:p>".repeat(10_000), "more than 100 paragraphs are nested"),
        (format!("<w:tbl><w:tr>{}</w:tr></w:tbl>", "<w:tc/>".repeat(10_000)), "a row has more than 1000 cells"),
    ] {
        assert_eq!(converted(&document(&body)).unwrap_err(), error);
    }
    for body in [
        "<w:tbl><w:tr><w:tc>".repeat(10_000) + &"</w:tc></w:tr></w:tbl>".repeat(10_000),
        "<mc:AlternateContent>".repeat(10_000) + &"</mc:AlternateContent>".repeat(10_000),
        format!("<w:p {}/>", (0..30_000).map(|at| format!("a{at}='' ")).collect::<Vec<_>>().concat()),
        paragraph("", &"x ".repeat(200_000)),
        paragraph("berschrift1", "x").repeat(10_000),
    ] {
        let begun = std::time::Instant::now();
        converted(&document(&body)).unwrap();
        assert!(begun.elapsed().as_secs() < 10, "{:?} {:?}", &body[..5], begun.elapsed());
    }
}
