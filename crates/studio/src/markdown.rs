//! Markdown of messages as markup that can do nothing: no HTML of the message, no images, no addresses but those of the web and mail.

use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{CodeBlockKind, Event, LinkType, Options, Parser, Tag, TextMergeStream};

use super::display::{cut, text};

/// Maximum depth of nested blocks. Deeper ones are shown without their indentation.
const DEPTH: usize = 12;
/// Maximum characters of an address. A longer one is no link, and is shown in part.
const ADDRESS: usize = 500;
/// Markup of a message, as a multiple of its length, and beside it. A definition that many links use would make more.
const EXPANSION: usize = 8;
const AROUND: usize = 4_000;

/// Renders a message. Whatever is no Markdown of this subset stands there as text.
pub(super) fn markdown(source: &str) -> Markup {
    let mut out = String::with_capacity(source.len() + source.len() / 4);
    // Each open tag has its end here.
    let mut open: Vec<String> = Vec::new();
    for event in TextMergeStream::new(Parser::new_ext(source, Options::ENABLE_STRIKETHROUGH)) {
        if out.len() > source.len() * EXPANSION + AROUND {
            push(&mut out, &html! { "…" });
            break;
        }
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
    open.into_iter().rev().for_each(|end| out.push_str(&end));
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
        Tag::Link { dest_url, link_type, .. } => link(dest_url, *link_type),
        // An image would be loaded from where the message says.
        Tag::Image { dest_url, .. } => (String::new(), address(dest_url)),
        _ => (String::new(), String::new()),
    }
}

/// Returns the markup around the text of a link. The text may name another address, so the real one stands beside it, as the browser
/// would read it: without letters that only look like others.
fn link(dest_url: &str, link_type: LinkType) -> (String, String) {
    let written = if link_type == LinkType::Email { format!("mailto:{dest_url}") } else { dest_url.to_owned() };
    let is_short = written.chars().nth(ADDRESS).is_none();
    let url =
        url::Url::parse(&written).ok().filter(|url| is_short && matches!(url.scheme(), "http" | "https" | "mailto"));
    let Some(url) = url else { return (String::new(), address(dest_url)) };
    let markup = html! { a href=(url.as_str()) rel="noopener noreferrer nofollow ugc" target="_blank" { "\u{0}" } };
    let markup = markup.into_string();
    let (begin, end) = markup.split_once('\u{0}').unwrap_or_default();
    (begin.to_owned(), format!("{end}{}", address(url.as_str())))
}

fn address(url: &str) -> String {
    html! { " " span class="quiet" { "(" (text(&cut(url, ADDRESS))) ")" } }.into_string()
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
        assert!(markdown("a [b] * c_d").0.contains("<bdi>a [b] * c_d</bdi>"), "one text is one run");
    }

    #[test]
    fn a_link_leads_where_it_says_and_many_make_no_large_page() {
        let mail = markdown("<jane@example.com>").0;
        assert!(mail.contains("href=\"mailto:jane@example.com\""), "{mail}");
        assert!(markdown("[x](http:/leave)").0.contains("href=\"http://leave/\""));
        assert!(markdown("[apple](https://\u{430}pple.com)").0.contains("(<bdi>https://xn--"));
        let source = format!("[a]: {}\n\n{}", "\u{202e}".repeat(300), "[a]".repeat(300));
        let shown = markdown(&source).0;
        assert!(
            shown.len() < source.len() * 12 + 20_000 && shown.ends_with("</p>"),
            "{} of {}",
            shown.len(),
            source.len()
        );
        assert_eq!(shown.matches("<a ").count(), shown.matches("</a>").count());
    }
}
