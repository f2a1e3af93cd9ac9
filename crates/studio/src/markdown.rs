//! Markdown of messages as markup that can do nothing: no HTML of the message, no images, no addresses but those of the web and mail.

use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};

use super::display::text;

/// Maximum depth of nested blocks. Deeper ones are shown without their indentation.
const DEPTH: usize = 12;

/// Renders a message. Whatever is no Markdown of this subset stands there as text.
pub(super) fn markdown(source: &str) -> Markup {
    let mut out = String::with_capacity(source.len() + source.len() / 4);
    // What closes each open tag.
    let mut open: Vec<String> = Vec::new();
    for event in Parser::new_ext(source, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Start(tag) => {
                let (begin, end) = if open.len() < DEPTH { tags(&tag) } else { (String::new(), String::new()) };
                out.push_str(&begin);
                open.push(end);
            }
            Event::End(_) => out.push_str(&open.pop().unwrap_or_default()),
            Event::Text(words) | Event::Html(words) | Event::InlineHtml(words) => push(&mut out, &text(&words)),
            Event::Code(words) => push(&mut out, &html! { code { (text(&words)) } }),
            Event::SoftBreak | Event::HardBreak => push(&mut out, &html! { br; }),
            Event::Rule => push(&mut out, &html! { hr; }),
            // They need options that are off.
            Event::InlineMath(_) | Event::DisplayMath(_) | Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }
    PreEscaped(out)
}

fn push(out: &mut String, markup: &Markup) {
    out.push_str(&markup.0);
}

/// Returns the markup before and after the content of a tag.
fn tags(tag: &Tag<'_>) -> (String, String) {
    let pair = |name: &str| (format!("<{name}>"), format!("</{name}>"));
    match tag {
        Tag::Paragraph => pair("p"),
        // A page has its own headings, which lead its readers.
        Tag::Heading { .. } => ("<p><strong>".to_owned(), "</strong></p>".to_owned()),
        Tag::BlockQuote(_) => pair("blockquote"),
        Tag::CodeBlock(kind) => {
            let language = match kind {
                CodeBlockKind::Fenced(language) if !language.is_empty() => {
                    html! { span class="quiet" { (text(language)) } }.into_string()
                }
                _ => String::new(),
            };
            (format!("{language}<pre><code>"), "</code></pre>".to_owned())
        }
        Tag::List(None) => pair("ul"),
        Tag::List(Some(first)) => (format!("<ol start=\"{first}\">"), "</ol>".to_owned()),
        Tag::Item => pair("li"),
        Tag::Emphasis => pair("em"),
        Tag::Strong => pair("strong"),
        Tag::Strikethrough => pair("del"),
        Tag::Link { dest_url, .. } if is_harmless(dest_url) => {
            let rel = "noopener noreferrer nofollow ugc";
            let link = html! { a href=(dest_url) rel=(rel) target="_blank" { "\u{0}" } }.into_string();
            let (begin, end) = link.split_once('\u{0}').unwrap_or_default();
            // A text may name another address than the one that it leads to.
            (
                begin.to_owned(),
                format!("{end} {}", html! { span class="quiet" { "(" (text(dest_url)) ")" } }.into_string()),
            )
        }
        // An image would be loaded from where the message says.
        Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
            (String::new(), html! { " " span class="quiet" { "(" (text(dest_url)) ")" } }.into_string())
        }
        _ => (String::new(), String::new()),
    }
}

fn is_harmless(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https" | "mailto"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_markdown_of_the_subset_is_text() {
        let shown =
            markdown("# Hours\n\n**nine** to *five*, see [here](https://example.com/?a=1&b=\"2\")\n\n1. a\n2. b").0;
        for part in [
            "<p><strong><bdi>Hours</bdi></strong></p>",
            "<strong><bdi>nine</bdi></strong>",
            "href=\"https://example.com/?a=1&amp;b=",
            "rel=\"noopener noreferrer nofollow ugc\"",
            "(<bdi>https://example.com/",
            "<ol start=\"1\"><li><bdi>a</bdi></li>",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }

    #[test]
    fn nothing_of_a_message_acts() {
        for source in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "[x](<java\nscript:alert(1)>)",
            "![x](https://evil.example/pixel.gif)",
            "<https://evil.example/\"onmouseover=\"alert(1)>",
            "[x](https://evil.example/\"onmouseover=alert(1))",
            "```<script>\nalert(1)\n```",
            "<!-- --><style>*{display:none}</style>",
            "[x][y]\n\n[y]: javascript:alert(1)",
        ] {
            let shown = markdown(source).0;
            for raw in [
                "<script",
                "<img",
                "<style",
                "<!--",
                "href=\"javascript",
                "href=\"data",
                "\"onmouseover",
                " onerror=alert(1)>",
            ] {
                assert!(!shown.to_lowercase().contains(raw), "{source}: {raw}: {shown}");
            }
            let opened = shown.matches('<').count();
            assert_eq!(opened, shown.matches('>').count(), "{source}: {shown}");
        }
    }

    #[test]
    fn deep_nesting_ends_and_directions_are_named() {
        let deep = markdown(&format!("{}x", "> ".repeat(5_000))).0;
        assert!(deep.matches("<blockquote>").count() <= DEPTH && deep.len() < 5_000, "{}", deep.len());
        assert_eq!(deep.matches("<blockquote>").count(), deep.matches("</blockquote>").count());
        assert!(markdown("a\u{202e}b").0.contains("U+202E"));
    }
}
