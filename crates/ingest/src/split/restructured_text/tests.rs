use super::*;

fn headings(text: &str) -> Vec<(u8, String)> {
    outline(text).headings.into_iter().map(|heading| (heading.level, heading.text)).collect()
}

fn titles(text: &str) -> Vec<String> {
    headings(text).into_iter().map(|(_, title)| title).collect()
}

#[test]
fn levels_follow_the_order_of_the_adornments() {
    let text = "=====\nGuide\n=====\n\nIntro.\n\nFirst\n=====\n\nPart\n----\nText.\n\nSecond\n======\n\nPart\n~~~~\n\n\
        Other\n-----\n";
    let expected = [(1, "Guide"), (2, "First"), (3, "Part"), (2, "Second"), (4, "Part"), (3, "Other")]
        .map(|(l, t)| (l, t.to_owned()));
    assert_eq!(headings(text), expected);
}

#[test]
fn a_section_begins_at_its_label_or_line_above() {
    let text = "Text.\n\n.. _setup:\n.. index:: a\n\n=====\nSetup\n=====\n\nRun::\n\n   a\n   b\n";
    let outline = outline(text);
    let at = |part: &str| text.find(part).unwrap();
    assert_eq!(outline.headings[0].start, at(".. _setup"));
    let ranks: Vec<_> = outline.structure.into_iter().collect();
    let title = at("=====");
    assert_eq!(
        ranks,
        [
            (at(".. _"), 1),
            (title, INNER_LINE),
            (title + 6, INNER_LINE),
            (title + 12, INNER_LINE),
            (at("   b"), INNER_LINE)
        ]
    );
}

#[test]
fn other_lines_of_punctuation_are_no_titles() {
    for text in [
        "A paragraph\nof two lines\n------------\n",
        "Text.\n\n-----\n\nMore.\n",
        "日本\n===\n",
        "long title\n==\n",
        "Code::\n\n    Title\n    =====\n",
        "Code::\n\n> Title\n> =====\n",
        ".. code-block:: rst\n\n   Title\n   =====\n\n   more\n",
        ".. a comment\n   Title\n   =====\n",
        "..\n   Title\n   =====\n",
        "- Item\n  ------\n",
        "====  ====\nA     B\n====  ====\nTitle x\n----  ----\n\nc     d\n====  ====\n",
        "+----+\n| A  |\n+====+\n| b  |\n+----+\n",
        ">>> print(1)\n-----\n",
        ":Author: Me\n----\n",
        "====\nnever closed\n",
        "",
        "=",
    ] {
        assert_eq!(titles(text), [""; 0], "{text:?}");
    }
}

#[test]
fn titles_are_those_of_docutils() {
    for (text, title) in [
        ("日本\n====\n", "日本"),
        ("C++\r\n===\r\n", "C++"),
        ("A title that is too long\n====\n", "A title that is too long"),
        ("1. Introduction\n===============\n", "1. Introduction"),
        (":mod:`os` --- Interfaces\n========================\n", "os --- Interfaces"),
        ("``code`` and *more* of **it** 2 * 3 \\*\n======\n", "code and more of it 2 * 3 *"),
        ("See `the page <http://x.example>`_ and :class:`~a.b.C`\n=====\n", "See the page and C"),
        ("* * *\n\nTitle\n=====\n", "Title"),
        ("====\n  In\n====\n", "In"),
        ("\u{feff}Title\n=====\n", "Title"),
        ("Para::\n\nTitle\n=====\n", "Title"),
        ("==== ====\na    b\n==== ====\n\nTitle\n=====\n", "Title"),
        ("= =\na b\n=====\nTitle\n=====\n", "Title"),
        ("==== ====\na    b\n\nSwallowed\n=========\n\nTitle\n=====\n", "Title"),
        ("==== ====\na    b\n==== ====\nc    d\n\nTitle\n-----\n", "Title"),
        // An error for docutils, whose author means a title.
        ("====\nOne\n----\n", "One"),
        ("Run::\n\n  code\n\nTitle\n-----\n", "Title"),
    ] {
        assert_eq!(titles(text), [title], "{text:?}");
    }
}

#[test]
fn prose_is_what_people_read() {
    let text = ":Author: Me\n:Description: About *it*\n\nTitle\n=====\n\nFirst text::\n\n  code1\n\n.. toctree::\n   :maxdepth: 2\n\n   \
        code2\n\n.. note::\n   A note.\n\n   .. code-block:: sh\n\n      code3\n\n   More of it.\n\n1. Step::\n\n      code4\n\n   \
        Then.\n\n.. code5\n\n.. [1] A footnote.\n   Its rest.\n";
    let outline = outline(text);
    let words: Vec<&str> = outline.prose.split_whitespace().collect();
    assert_eq!(words.join(" "), "Title First text:: A note. More of it. 1. Step:: Then. Its rest.");
    assert_eq!(outline.metadata.description.as_deref(), Some("About it"));
    let description = |text: &str| super::outline(text).metadata.description;
    let continued = "Title\n=====\n\n:Author: Me\n:Description: One\n   two\n   three\n\n   four\n";
    assert_eq!(description(continued).as_deref(), Some("One two three"));
    for text in ["Text.\n\n:Description: x\n", "A\n=\n\nB\n=\n\n:description: x\n", "- item\n\n:description: x\n"] {
        assert_eq!(description(text), None, "{text:?}");
    }
    let meta = ".. meta::\n   :keywords: a\n   :description lang=en: Of\n      the page\n   :x: y\n\nTitle\n=====\n";
    assert_eq!(super::outline(meta).metadata.description.as_deref(), Some("Of the page"));
}

#[test]
fn hostile_texts_take_linear_time() {
    let adornments = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    let styles: Vec<String> = adornments.chars().map(|c| format!("t\n{c}\n\n{c}{c}\nt\n{c}{c}\n\n")).collect();
    assert!(titles(&styles.concat()).len() > 50);
    for text in [
        "=====\n".repeat(50_000),
        "a\n=\n".repeat(25_000),
        "= =\n".repeat(50_000),
        "= =\na\n".repeat(25_000),
        "a::\n\n".repeat(25_000),
        (0..1000).map(|depth| " ".repeat(depth) + "- a::\n").collect(),
        "=".repeat(1_000_000),
        format!("{}\n====\n", ":a:`*".repeat(100_000)),
        ".. _a:\n".repeat(50_000),
        "+-\n-+\n+---+\n".repeat(15_000),
    ] {
        let begun = std::time::Instant::now();
        outline(&text);
        assert!(begun.elapsed().as_secs() < 5, "{:?} {:?}", &text[..20], begun.elapsed());
    }
}
