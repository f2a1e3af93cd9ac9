//! Pages of HTML as text with the signs of Markdown: headings, paragraphs, lists, tables and code.
//!
//! The tokenizer of a browser reads the page, and no tree is built. So nesting costs nothing, and broken pages are read as far as
//! they go. The writer records the headings itself, because a page's text may look like Markdown and is none.

mod writer;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};

use self::writer::Writer;
use super::text::Converted;

/// Time after which a page is not read as HTML: the tokenizer compares each attribute of a tag with all others.
const LONGEST: Duration = Duration::from_secs(2);
/// Number of bytes that are read between two looks at the clock.
const PART: usize = 4096;

/// Returns the text of a page, or none if reading takes too long.
pub(super) fn converted(text: &str) -> Option<Converted> {
    converted_within(LONGEST, text)
}

fn converted_within(longest: Duration, text: &str) -> Option<Converted> {
    let begun = Instant::now();
    let (input, tokenizer) = (BufferQueue::default(), Tokenizer::new(Page::default(), TokenizerOpts::default()));
    let mut rest = text;
    while !rest.is_empty() {
        let end = (PART..rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        // The end is a boundary of characters within the rest, so `split_at` can't panic.
        let (part, after) = rest.split_at(end);
        input.push_back(StrTendril::from_slice(part));
        // The sink runs no script, so the tokenizer does not stop before the end of the part.
        let _ = tokenizer.feed(&input);
        if begun.elapsed() > longest {
            return None;
        }
        rest = after;
    }
    tokenizer.end();
    Some(tokenizer.sink.0.into_inner().finish())
}

#[derive(Default)]
struct Page(RefCell<Writer>);

impl TokenSink for Page {
    type Handle = ();

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<()> {
        let mut writer = self.0.borrow_mut();
        writer.line = usize::try_from(line).unwrap_or(usize::MAX);
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => return writer.start(&tag),
            Token::TagToken(tag) => writer.end(&tag.name),
            Token::CharacterTokens(text) => writer.text(&text),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outline::INNER_LINE;

    #[test]
    fn a_page_becomes_text_with_its_lines() {
        let page = "<!DOCTYPE html>
<html lang=\"de-AT\"><head><title> Opening
 hours </title><meta name=Description content='When we &amp; you meet'>
<style>h1 { color: red }</style><script>document.write('<h1>no</h1>')</script></head>
<body><nav><a href=/>Home</a></nav>
<h1>Opening <em>hours</em></h1>
<p>We are open
   from <b>nine</b>&nbsp;to five.<br>Not on Sunday.</p>
<ul><li>Monday<li>Tuesday</ul>
<h2>Code</h2><pre><code>fn main() {
    run();
}</code></pre>
<table><tr><th>Day</th>
<th>Time</th></tr><tr><td>Monday<td>9</tr></table>
<img src=x alt='A map'></body></html>";
        let Converted { markdown, places, title, description, language, outline, .. } = converted(page).unwrap();
        let expected = "# Opening hours\n\nWe are open from nine to five.\nNot on Sunday.\n\n- Monday\n- Tuesday\n\n## Code\n\n\
            ```\nfn main() {\n    run();\n}\n```\n\nDay | Time\nMonday | 9\n\nA map\n";
        assert_eq!(markdown, expected);
        assert_eq!((title.as_deref(), language.as_deref()), (Some(" Opening\n hours "), Some("de-AT")));
        assert_eq!(description.as_deref(), Some("When we & you meet"));
        let place = |text: &str| places[markdown.lines().position(|line| line.contains(text)).unwrap()];
        assert_eq!(["# Opening", "Sunday", "Tuesday", "run()", "9", "map"].map(place), [6, 8, 9, 11, 14, 15]);
        assert_eq!(places.len(), markdown.lines().count());
        let outline = outline.unwrap();
        let code = markdown.find("## Code").unwrap();
        let headings: Vec<_> = outline.headings.iter().map(|it| (it.start, it.level, it.text.as_str())).collect();
        assert_eq!(headings, [(0, 1, "Opening hours"), (code, 2, "Code")]);
        assert!(outline.prose.contains("Not on Sunday.") && !outline.prose.contains("run()"), "{}", outline.prose);
        let inner = outline.structure.iter().filter(|(_, rank)| **rank == INNER_LINE);
        let inner: Vec<&str> = inner.map(|(at, _)| markdown[*at..].lines().next().unwrap()).collect();
        assert_eq!(inner, ["fn main() {", "    run();", "}", "```", "Monday | 9"]);
    }

    /// Text of a page, however long a slow machine takes for it.
    fn text(page: &str) -> String {
        converted_within(Duration::MAX, page).unwrap().markdown
    }

    fn headings(page: &str) -> Vec<String> {
        converted(page).unwrap().outline.unwrap().headings.into_iter().map(|heading| heading.text).collect()
    }

    #[test]
    fn code_keeps_its_lines_and_ends_where_it_ends() {
        assert_eq!(text("<pre>\none\n\n two</pre>"), "```\none\n\n two\n```\n");
        assert_eq!(text("<pre>one<br>two<div>three</div><div>four</div></pre>"), "```\none\ntwo\nthree\nfour\n```\n");
        assert_eq!(text("<pre><ol><li>int a;</li><li>int b;</li></ol></pre>"), "```\nint a;\nint b;\n```\n");
        for before in
            ["<ul><li><pre>x</pre></ul>", "<tr><td>a<td><pre>x</pre></tr>", "<pre>```sh\nls\n```</pre>", "<pre>x"]
        {
            let page = format!("{before}</pre><h2>Next</h2>");
            assert_eq!(headings(&page), ["Next"], "{before}: {}", text(&page));
        }
        assert_eq!(headings("<h2><pre>x</pre></h2><h2>Next</h2>"), ["Next"]);
    }

    #[test]
    fn tables_and_lists_keep_their_order() {
        assert_eq!(text("<td>a<td>b"), "a | b\n");
        assert_eq!(text("<tr><td>A<td></tr><tr><td>B<td>C</tr>"), "A\nB | C\n");
        assert_eq!(text("<tr><td><td>B<td>C</tr>"), "| B | C\n");
        assert_eq!(text("<table><tr><td>A<td></td></tr></table><p>After"), "A\n\nAfter\n");
        assert_eq!(text("<tr><td><p>Monday</p></td>\n<td><p>9</p><p>to 5</p></td></tr>"), "Monday | 9 to 5\n");
        assert_eq!(text("<tr><td>a<td><ul><li>b<li>c</ul></tr>"), "a | b c\n");
        assert_eq!(text("<ul><li></li></ul><p>Text"), "Text\n");
        assert_eq!(text("<ul><li><p>A</p><li>B<ol><li>C<li>D</ol></ul>E"), "- A\n- B\n  1. C\n  2. D\n\nE\n");
        assert_eq!(text("<dl><dt>a<dd>b</dl><select><option>c<option>d</select>e"), "a\nb\n\nc\nd\n\ne\n");
    }

    #[test]
    fn headings_are_those_of_the_page() {
        assert_eq!(headings("<h1>Opening<br>hours</h1><h2><div>A</div><div>B</div></h2>"), ["Opening hours", "A B"]);
        assert_eq!(
            headings("<h2>__init__</h2><h2>Array&lt;T&gt;</h2><h2>Item #</h2>"),
            ["__init__", "Array<T>", "Item #"]
        );
        assert_eq!(headings("<dt>&lt;script&gt;</dt><p><code># apt update</code><p>---<h2>Next</h2>"), ["Next"]);
        assert_eq!(headings("<h1></h1><h2>One<h3>Two"), ["One", "Two"]);
    }

    #[test]
    fn broken_and_hostile_pages_are_read_as_far_as_they_go() {
        assert_eq!(text("<h1>One<p>two</h2><b>three"), "# One\n\ntwothree\n");
        assert_eq!(text("a <svg><svg>x</svg>y</svg> b </nav></p></pre></title> c"), "a b\n\nc\n");
        assert_eq!(text("a<svg><style/><title/></svg>b"), "ab\n");
        assert_eq!(text("<iframe src=x /><script src=y /><p>Text</p>"), "Text\n");
        assert_eq!(text("<img alt=Warning>Danger"), "Warning Danger\n");
        assert_eq!(text("<title>One</title><title>Two</title>x"), "x\n");
        assert_eq!(text("<nav>never closed"), "");
        assert_eq!(text("<script>never closed"), "");
        // A word across two parts of the input stays one.
        assert_eq!(text(&format!("{}é", "x".repeat(3 * PART - 1))).len(), 3 * PART + 2);
    }

    #[test]
    fn deep_pages_take_linear_time() {
        let read = |page: &str, count: usize| {
            let begun = Instant::now();
            let read = text(&page.repeat(count));
            (begun.elapsed(), read)
        };
        for (page, seen) in [("<div>", ""), ("<ul><li>", ""), ("<ul><li>x", "- x\n")] {
            // The fastest of three, because another program may hold one up. Eight times the size takes 64 times as long if the
            // time is quadratic.
            let short = (0..3).map(|_| read(page, 12_500).0).min().unwrap();
            let (long, text) = read(page, 100_000);
            assert!(text.starts_with(seen), "{page}");
            assert!(long < 32 * short, "{page}: {short:?}, and {long:?} for eight times as much");
        }
    }

    #[test]
    fn a_page_that_takes_too_long_is_left_in_the_middle_of_a_tag() {
        let attributes = (0..150_000).map(|number| format!(" a{number}")).collect::<Vec<_>>().concat();
        assert!(converted_within(Duration::ZERO, &format!("<p{attributes}>x")).is_none());
    }
}
