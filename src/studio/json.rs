//! JSON without secrets, and as something to fold.

use maud::{Markup, html};
use serde_json::Value;

use super::cells::{Budget, text};

/// What the names of secrets contain, in lower case and without dashes or underscores.
const SECRET_PARTS: &[&str] = &[
    "passw",
    "passphrase",
    "secret",
    "apikey",
    "privatekey",
    "accesskey",
    "credential",
    "authorization",
    "cookie",
    "signature",
];
/// What they end with: `tokens` counts them, and `token` is one.
const SECRET_ENDINGS: &[&str] = &["token", "tokenhash"];
const HIDDEN: &str = "(hidden)";
/// Levels below which nothing is folded apart any more.
const DEEPEST: usize = 32;

/// The same, with what stands under the name of a secret left out.
pub(super) fn without_secrets(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| {
                    let value = if is_secret(&name) && !value.is_null() && !value.is_boolean() {
                        Value::from(HIDDEN)
                    } else {
                        without_secrets(value)
                    };
                    (name, value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_secrets).collect()),
        other => other,
    }
}

/// Whether a field or a column of that name holds a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    SECRET_PARTS.iter().any(|part| name.contains(part)) || SECRET_ENDINGS.iter().any(|end| name.ends_with(end))
}

/// A JSON text without secrets. One that PostgreSQL takes and this program does not, such as of a number without bounds, is not
/// shown at all, since nobody knows what is in it.
pub(super) fn safe(json: &str) -> Value {
    serde_json::from_str(json).map_or_else(|_| Value::from("(can't be read here)"), without_secrets)
}

/// Whether a JSON text is shown as it is.
pub(super) fn is_safe(json: &str) -> bool {
    serde_json::from_str::<Value>(json).is_ok_and(|plain| without_secrets(plain.clone()) == plain)
}

/// As nested parts that fold; the outermost is open.
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
    fn what_stands_under_the_name_of_a_secret_is_left_out() {
        let value = json!({"tokens": 5, "bot_token": "b", "passwordSet": true, "auth": {"API-Key": "k", "client_secret": "s"}, "list": [{"password": "p"}], "token": null});
        let safe = json!({
            "tokens": 5, "bot_token": "(hidden)", "passwordSet": true, "auth": {"API-Key": "(hidden)", "client_secret": "(hidden)"}, "list": [{"password": "(hidden)"}], "token": null
        });
        assert_eq!(without_secrets(value), safe);
    }

    #[test]
    fn a_page_holds_only_so_much_of_a_large_value() {
        let value: Value = (0..100_000).map(|n| json!({ "n": n })).collect();
        let page = folded(&value, &Budget::new(10_000)).into_string();
        assert!(page.len() < 20_000 && page.contains("more are not shown"), "{}", page.len());
    }
}
