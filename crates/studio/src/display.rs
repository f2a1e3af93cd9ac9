//! Values for display: escaped, truncated to the space of a page, with deceptive characters made visible.

use std::cell::Cell;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::catalog::ColumnInfo;
use super::column_kind::{ColumnKind, SHORT};
use super::secrets::safe;

/// Number of bytes that the page may still contain.
pub(super) struct Budget(Cell<usize>);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Cell::new(bytes))
    }

    pub(super) fn is_left(&self) -> bool {
        self.0.get() > 0
    }

    /// Subtracts the bytes of markup that can't be truncated.
    pub(super) fn spend(&self) {
        self.0.set(self.0.get().saturating_sub(AROUND));
    }

    /// Truncates a text to the remaining bytes of the page, and subtracts them.
    pub(super) fn cut(&self, text: &str) -> String {
        let mut left = self.0.get().saturating_sub(AROUND);
        let fits = text.chars().take_while(|c| {
            let cost = match c {
                c if is_deceptive(*c) => NAMED,
                '<' | '>' | '&' | '"' => ESCAPED,
                c => c.len_utf8(),
            };
            let is_left = left >= cost;
            left = left.saturating_sub(cost);
            is_left
        });
        let cut = cut(text, fits.count());
        self.0.set(left);
        cut
    }
}

/// Bytes of the markup around a value, of an escaped character, and of a named character.
const AROUND: usize = 110;
const ESCAPED: usize = 6;
const NAMED: usize = 40;

/// Truncates a text to its first characters, and adds an ellipsis if there are more.
pub(super) fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Returns true if a character is invisible, or changes the direction of the text around it.
fn is_deceptive(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
}

/// Renders a user's text: isolated in its own direction, with names for invisible characters.
pub(super) fn text(text: &str) -> Markup {
    html! {
        bdi {
            @for run in text.split_inclusive(is_deceptive) {
                @match run.chars().next_back().filter(|last| is_deceptive(*last)) {
                    Some(last) => {
                        (run.get(..run.len() - last.len_utf8()).unwrap_or_default())
                        span class="control" { (name_of(last)) }
                    }
                    None => (run),
                }
            }
        }
    }
}

/// Renders the same text without markup, for a title or a label.
pub(super) fn plain(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, c| {
        match c {
            c if is_deceptive(c) => plain.push_str(&name_of(c)),
            c => plain.push(c),
        }
        plain
    })
}

fn name_of(deceptive: char) -> String {
    format!("U+{:04X}", u32::from(deceptive))
}

/// Renders a time. Scripts add the relative time next to it.
pub(super) fn time(text: &str) -> Markup {
    let iso = text.replacen(' ', "T", 1).replace("+00", "Z");
    html! { time datetime=(iso) { (text) } }
}

/// Renders a time of this crate.
pub(super) fn moment(at: DateTime<Utc>) -> Markup {
    time(&at.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string())
}

/// Renders NULL.
pub(super) fn null() -> Markup {
    html! { span class="null" { "NULL" } }
}

/// Renders a value in a list, as `ColumnKind::short` selects it.
pub(super) fn short(column: &ColumnInfo, value: Option<&str>, budget: &Budget) -> Markup {
    let text_of = |value: &str| text(&budget.cut(&cut(value, SHORT)));
    let Some(value) = value else { return null() };
    match column.kind {
        ColumnKind::Secret => html! { span class="quiet" { "hidden" } },
        ColumnKind::Time => time(value),
        ColumnKind::Json => html! { code { (text_of(&safe(value).to_string())) } },
        ColumnKind::Vector => vector(value),
        ColumnKind::Bits | ColumnKind::Words => html! { code { (text_of(value)) } },
        _ => text_of(value),
    }
}

fn vector(value: &str) -> Markup {
    let mut parts = value.splitn(3, ' ');
    let (norm, dimensions, components) = (parts.next(), parts.next(), parts.next());
    html! {
        span class="vector" {
            (strip(components.unwrap_or_default()))
            span class="quiet" { "norm " (norm.unwrap_or_default()) ", " (dimensions.unwrap_or_default()) " dimensions" }
        }
    }
}

/// Draws the components of a vector as vertical strokes. The largest takes the full height.
pub(super) fn strip(components: &str) -> Markup {
    let numbers: Vec<f32> = components.trim_matches(['[', ']']).split(',').filter_map(|one| one.parse().ok()).collect();
    let largest = numbers.iter().fold(f32::MIN_POSITIVE, |largest, one| largest.max(one.abs()));
    let stroke = |(at, one): (usize, &f32)| format!("M{at} 10v{:.1}", -10.0 * one / largest);
    let path: String = numbers.iter().enumerate().map(stroke).collect();
    html! {
        svg class="strip" viewBox={ "0 0 " (numbers.len().max(1)) " 20" } preserveAspectRatio="none" aria-hidden="true" {
            path d=(path) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_text_and_what_turns_directions_is_said() {
        let shown = text("<script>a</script>\u{202e}b\0c").into_string();
        assert_eq!(
            shown,
            "<bdi>&lt;script&gt;a&lt;/script&gt;<span class=\"control\">U+202E</span>b<span class=\"control\">U+0000</span>c</bdi>"
        );
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("größer", 4), "größ…");
        assert_eq!(cut("groß", 4), "groß");
    }

    #[test]
    fn a_vector_is_one_path() {
        assert!(strip("[1,-0.5]").into_string().contains("M0 10v-10.0M1 10v5.0"));
    }
}
