//! JSON as a tree that folds.

use maud::{Markup, html};
use serde_json::Value;

use super::display::{Budget, text};

/// Maximum depth of folded levels.
const DEEPEST: usize = 32;

/// Renders nested parts that fold. Only the outermost is open.
pub(super) fn folded(value: &Value, budget: &Budget) -> Markup {
    html! { div class="json" { (part(None, value, 0, budget)) } }
}

fn part(name: Option<&str>, value: &Value, depth: usize, budget: &Budget) -> Markup {
    let label = html! { @if let Some(name) = name { span class="name" { (text(&budget.cut(name))) } ": " } };
    let parts: Vec<(Option<&str>, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (Some(name.as_str()), value)).collect(),
        Value::Array(items) => items.iter().map(|item| (None, item)).collect(),
        _ => Vec::new(),
    };
    if parts.is_empty() || depth == DEEPEST {
        return html! { div { (label) code { (text(&budget.cut(&value.to_string()))) } } };
    }
    budget.spend();
    let what = if value.is_object() { "fields" } else { "items" };
    let mut left = parts.len();
    html! {
        details open[depth == 0] {
            summary { (label) span class="quiet" { (parts.len()) " " (what) } }
            div class="inner" {
                @for (name, value) in parts {
                    @if budget.is_left() { (part(name, value, depth + 1, budget)) ({ left -= 1; "" }) }
                }
                @if left > 0 { div class="quiet" { "… " (left) " more are not shown" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_holds_only_so_much_of_a_large_value() {
        let value: Value = (0..100_000).map(|n| json!({ "n": n })).collect();
        let page = folded(&value, &Budget::new(10_000)).into_string();
        assert!(page.len() < 20_000 && page.contains("more are not shown"), "{}", page.len());
    }
}
