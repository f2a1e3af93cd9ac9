//! The form fields of a row, by the types of its columns.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::catalog::{ColumnInfo, TableInfo};
use crate::json;
use crate::params::Params;
use crate::shape::Shape;
use crate::view::StudioRequest;

/// Maximum bytes of a value that a form edits.
const MOST: usize = 100_000;
/// Columns that only statements set.
const KEPT: &[&str] = &["created_at", "updated_at"];

/// Returns the reason why a column has no field, or `None` if it has one.
pub(super) fn refusal(
    table: &TableInfo,
    column: &ColumnInfo,
    value: Option<&str>,
    is_new: bool,
) -> Option<&'static str> {
    let is_key = table.key.contains(&column.name);
    match column.shape {
        _ if Some(column.name.as_str()) == table.workspace_column() => Some("the workspace that is looked at"),
        _ if column.generated => Some("made by the database"),
        _ if KEPT.contains(&column.name.as_str()) => Some("set by the statement"),
        _ if is_key && !is_new => Some("names the row"),
        Shape::Secret => Some("a secret"),
        Shape::Bits | Shape::Words | Shape::Bytes => Some("not edited as text"),
        Shape::Vector if !is_new => Some("made of the content: ingest it again"),
        Shape::Json if value.is_some_and(|value| column.of_type == "json" || !json::is_safe(value)) => {
            Some("holds secrets, which would be shown")
        }
        _ if value.is_some_and(|value| value.len() > MOST) => Some("too large to be edited here"),
        _ => None,
    }
}

/// A form with the values of its fields and their error.
pub(super) struct Form<'f> {
    pub(super) visit: &'f StudioRequest,
    pub(super) table: &'f TableInfo,
    /// Current values of the row by column. They determine which columns have a field.
    pub(super) stored: BTreeMap<String, Option<String>>,
    /// Values by column. In a new row, a column without a value gets its default.
    pub(super) values: BTreeMap<String, Option<String>>,
    /// Version of the row to change; `None` for a new row.
    pub(super) version: Option<String>,
    pub(super) error: Option<(Option<String>, String)>,
}

impl Form<'_> {
    pub(super) fn markup(&self) -> Markup {
        let of_field = |name: &str| {
            let (field, message) = self.error.as_ref()?;
            (field.as_deref() == Some(name)).then_some(message.as_str())
        };
        let is_new = self.version.is_none();
        let key: Params = self.visit.params.clone();
        let path = self.visit.view.path(&format!("tables/{}/{}", self.table.name, if is_new { "new" } else { "edit" }));
        html! {
            @if let Some((None, message)) = &self.error { p class="error" role="alert" { (message) } }
            form method="post" action=(key.at(&path)) class="edit" {
                input type="hidden" name="form_token" value=(self.visit.session.form_token);
                @if let Some(version) = &self.version { input type="hidden" name="version" value=(version); }
                dl class="record" {
                    @for column in &self.table.columns {
                        @let value = self.values.get(&column.name).cloned().flatten();
                        @let stored = self.stored.get(&column.name).cloned().flatten();
                        @let refusal = refusal(self.table, column, stored.as_deref(), is_new);
                        @let error = of_field(&column.name);
                        dt {
                            @if refusal.is_none() { label for={ "v." (column.name) } { (column.name) } } @else { (column.name) }
                            span class="type" { (column.of_type) }
                        }
                        dd {
                            @if let Some(why) = refusal { span class="quiet" { (why) } } @else { (self.field(column, value.as_deref(), error)) }
                            @if let Some(error) = error { p class="error" role="alert" id={ "e." (column.name) } { (error) } }
                            @if let (None, Some(comment)) = (refusal, &column.comment) { span class="quiet" { (comment) } }
                        }
                    }
                }
                button { @if is_new { "Insert" } @else { "Save" } }
            }
        }
    }

    fn field(&self, column: &ColumnInfo, value: Option<&str>, error: Option<&str>) -> Markup {
        let (id, name) = (format!("v.{}", column.name), column.name.as_str());
        let described = error.map(|_| format!("e.{name}"));
        let text = value.unwrap_or_default();
        let is_null = value.is_none();
        let choices: Option<Vec<&str>> = match (&column.labels, column.shape) {
            (Some(labels), _) => Some(labels.iter().map(String::as_str).collect()),
            (None, Shape::Bool) => Some(vec!["true", "false"]),
            _ => None,
        };
        html! {
            @match choices {
                Some(choices) => select id=(id) name=(id) aria-describedby=[described] aria-invalid=[error.map(|_| "true")] {
                    @for choice in choices { option value=(choice) selected[choice == text] { (choice) } }
                },
                None if matches!(column.shape, Shape::Text | Shape::Json | Shape::Vector | Shape::Other) => {
                    textarea id=(id) name=(id) rows=(text.lines().count().clamp(1, 12)) aria-describedby=[described] aria-invalid=[error.map(|_| "true")] {
                        // HTML ignores the first line break of a field.
                        "\n" (text)
                    }
                },
                None => input id=(id) name=(id) value=(text) aria-describedby=[described] aria-invalid=[error.map(|_| "true")];
            }
            @let is_new = self.version.is_none();
            @if is_new && (column.default.is_some() || !column.not_null) {
                label { input type="checkbox" name={ "d." (name) } checked[is_null]; " default" }
            } @else if !column.not_null {
                label { input type="checkbox" name={ "n." (name) } checked[is_null]; " NULL" }
            }
        }
    }
}
