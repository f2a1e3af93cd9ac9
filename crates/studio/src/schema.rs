//! The list of tables, and their definitions.

use axum::response::Html;
use maud::{Markup, html};

use super::catalog::{IndexInfo, TableInfo};
use super::diagram;
use super::layout;
use super::problem::Problem;
use super::request::StudioRequest;
use super::view::View;
use workspace_db::search::{OWN_INDEX, own_index};

/// Handles `GET /{view}/tables`.
pub(super) async fn tables(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let catalog = visit.shared.catalog().await?;
    let body = html! {
        ul class="cards" {
            @for table in catalog.visible_tables(&visit.view) {
                li {
                    a href=(visit.view.path(&format!("tables/{}", table.name))) {
                        strong { (table.name) }
                        @if visit.view == View::Platform && table.estimate >= 0.0 {
                            span class="quiet" { "about " (format!("{:.0}", table.estimate)) " rows" }
                        }
                        @if let Some(comment) = &table.comment { span { (comment) } }
                    }
                }
            }
        }
    };
    Ok(layout::page(&visit, "tables", "Tables", &body))
}

/// Handles `GET /{view}/schema`.
pub(super) async fn page(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let catalog = visit.shared.catalog().await?;
    let tables: Vec<&TableInfo> = catalog.visible_tables(&visit.view).collect();
    let body = html! {
        figure class="wide" tabindex="0" role="region" aria-label="Entity-relationship diagram" { (diagram::draw(&tables, &visit.view)) }
        p class="quiet" { "Every table of a workspace also references " code { "workspaces" } ", which the diagram omits." }
        @for table in &tables { (definition(table, &visit.view)) }
    };
    Ok(layout::page(&visit, "schema", "Schema", &body))
}

fn definition(table: &TableInfo, view: &View) -> Markup {
    html! {
        section id=(table.name) aria-label={ "Table " (table.name) } {
            h2 { a href=(view.path(&format!("tables/{}", table.name))) { (table.name) } }
            @if let Some(comment) = &table.comment { p { (comment) } }
            details {
                summary { (table.columns.len()) " columns, keys and indexes" }
                div class="wide" tabindex="0" role="region" aria-label={ "Columns of " (table.name) } {
                    table {
                        thead { tr { th scope="col" { "Column" } th scope="col" { "Type" } th scope="col" { "Description" } } }
                        tbody {
                            @for column in &table.columns {
                                tr {
                                    th scope="row" { (column.name) @if table.key.contains(&column.name) { " (key)" } }
                                    td {
                                        code { (column.of_type) }
                                        @if column.not_null { " not null" }
                                        @if column.generated { " generated" }
                                        @if let Some(default) = &column.default { span class="quiet" { " = " (default) } }
                                        @if let Some(labels) = &column.labels { div class="quiet" { (labels.join(", ")) } }
                                    }
                                    td { (column.comment.as_deref().unwrap_or_default()) }
                                }
                            }
                        }
                    }
                }
                ul {
                    @for key in &table.foreign_keys {
                        li { "(" (key.columns.join(", ")) ") references " a href={ "#" (key.table) } { (key.table) } " (" (key.refers_to.join(", ")) ")" }
                    }
                    @for check in &table.checks { li { (check.name) " " code { (check.definition) } } }
                    @for index in table.indexes.iter().filter(|index| is_shown(index, view)) { (index_definition(index)) }
                }
            }
        }
    }
}

/// Returns true unless the index is another workspace's own index.
fn is_shown(index: &IndexInfo, view: &View) -> bool {
    !index.name.starts_with(OWN_INDEX) || view.workspace().is_some_and(|id| own_index(id) == index.name)
}

fn index_definition(index: &IndexInfo) -> Markup {
    html! {
        li {
            (index.name) " " code { (index.definition) }
            @if index.is_unique { " unique" }
            @if !index.is_valid { strong class="loud" { " invalid: see the doctor" } }
        }
    }
}
