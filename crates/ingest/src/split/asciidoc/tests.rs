use super::*;

fn headings(text: &str) -> Vec<(u8, String)> {
    outline(text).headings.into_iter().map(|heading| (heading.level, heading.text)).collect()
}

fn titles(text: &str) -> Vec<String> {
    headings(text).into_iter().map(|(_, title)| title).collect()
}

#[test]
fn a_header_states_title_language_and_description() {
    let text = "// A licence\n////\n= No\n////\n:lang: de\n\n= Das *Buch*\nEine Person <a@b.example>\nv1.0, 2020\n:toc:\n\
        :description: Etwas \\\n  über Bücher\n\nText.\n:lang: en\n\n:lang: nl\n\n== Teil\n\nMehr.\n";
    let outline = outline(text);
    let metadata = outline.metadata;
    assert_eq!((metadata.title, metadata.language.as_deref()), (None, Some("de")));
    assert_eq!(metadata.description.as_deref(), Some("Etwas über Bücher"));
    assert_eq!(&text[outline.front_matter], &text[..text.find("= Das").unwrap()]);
    assert_eq!(outline.prose.trim(), "Das Buch Text. :lang: en Teil Mehr.");
    assert_eq!(outline.structure.values().filter(|rank| **rank == INNER_LINE).count(), 6);
}

#[test]
fn attributes_are_short_texts_without_markup() {
    let text = format!(":title: {}\n:description: About *it* and `that`\n\n= Book\n", "word ".repeat(100_000));
    let metadata = outline(&text).metadata;
    assert_eq!(metadata.title.unwrap().chars().count(), crate::outline::LONGEST + 1);
    assert_eq!(metadata.description.as_deref(), Some("About it and that"));
}

#[test]
fn levels_are_the_numbers_of_signs() {
    let text = "= Book\n\n== One\n\n=== Deep ===\n\n## Two\n\n====== Six\n\n======= seven\n\n= Part\n\nOld\n---\n\nOlder\n~~~~~~\n";
    let expected =
        [(1, "Book"), (2, "One"), (3, "Deep"), (2, "Two"), (6, "Six"), (1, "Part"), (2, "Old"), (3, "Older")];
    assert_eq!(headings(text), expected.map(|(level, title)| (level, title.to_owned())));
}

#[test]
fn a_section_begins_at_its_anchor() {
    let text = "Text.\n\n[[setup]]\n[role=x]\n== Setup\n\n[source,sh]\n----\na\n\nb\n----\n";
    let outline = outline(text);
    let at = |part: &str| text.find(part).unwrap();
    assert_eq!(outline.headings[0].start, at("[[setup]]"));
    let ranks: Vec<_> = outline.structure.into_iter().collect();
    let (code, title) = (at("a\n\n"), at("== Setup"));
    assert_eq!(
        ranks,
        [(at("[["), 2), (title, INNER_LINE), (code, INNER_LINE), (code + 2, INNER_LINE), (code + 3, INNER_LINE)]
    );
}

#[test]
fn blocks_contain_no_titles() {
    for text in [
        "----\n== No\n----\n",
        "....\n\n== No\n\n....\n",
        "====\n== No\n\n== No\n====\n",
        "|===\n|a\n\n== No\n|===\n",
        "____\n== No\n____\n",
        "****\n----\n== No\n----\n\n== No\n****\n",
        "++++\n== No\n++++\n",
        "////\n== No\n////\n",
        "```ruby\n# No\n```\n",
        "--\n== No\n--\n",
        "A paragraph\n== goes on\n",
        "[source]\n# a comment\n",
        "[source]\n--------\n== No\n",
        ".Caption\n--------\n== No\n--------\n",
        "-----\n----\n== No\n-----\n",
        "Longer than it\n----\n== No\n",
        "==No\n\n=\n\n== \n",
        " == indented\n",
        "",
    ] {
        assert_eq!(titles(text), [""; 0], "{text:?}");
    }
}

#[test]
fn titles_are_those_of_asciidoctor() {
    for (text, title) in [
        ("----\nx\n----\n== After\n", "After"),
        ("****\n====\n****\n\n== After\n", "After"),
        ("// comment\n== After\n", "After"),
        (":attribute: x\n== After\n", "After"),
        ("image::a.png[]\n== After\n", "After"),
        ("ifdef::x[]\n== After\nendif::[]\n", "After"),
        ("[discrete]\n== After\n", "After"),
        ("== `code` and __in__side *bold* a*b\r\n", "code and inside bold a*b"),
        ("== [[id]]See link:x.html[the page], <<id,that>>\n", "See the page, that"),
        ("\u{feff}= Title\n", "Title"),
        ("==\tC# ==\n", "C#"),
    ] {
        assert_eq!(titles(text), [title], "{text:?}");
    }
}

#[test]
fn prose_is_what_people_read() {
    let text = "== Title\n\nText.\n\n[source,sh]\n----\ncode\n----\n\n.Caption\n====\nAn example.\n\n....\ncode\n....\n\nEnd.\n====\n\n code\n code\n\n * item\n\n[source]\ncode\ncode\n\n|===\n|Cell\n|===\n\nimage::code[]\n// code\nLast.\n";
    let outline = outline(text);
    let words: Vec<&str> = outline.prose.split_whitespace().collect();
    assert_eq!(words.join(" "), "Title Text. .Caption An example. End. * item |Cell Last.");
}

#[test]
fn hostile_texts_take_linear_time() {
    for text in [
        "====\n".repeat(50_001),
        (0..1000).map(|length| "=".repeat(length) + "\n").collect(),
        "a\n--\n\n".repeat(25_000),
        "=".repeat(1_000_000),
        format!("== {}", "*`[[<<link:".repeat(50_000)),
        ":description: a \\\n".repeat(50_000),
        "[[a]]\n".repeat(50_000),
        ":::: ".repeat(100_000),
    ] {
        let begun = std::time::Instant::now();
        outline(&text);
        assert!(begun.elapsed().as_secs() < 5, "{:?} {:?}", &text[..5], begun.elapsed());
    }
}
