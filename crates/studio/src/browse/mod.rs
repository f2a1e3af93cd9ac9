//! The rows of a table.

mod copy;
mod count;
mod list;
mod page;
mod query;

use axum::response::{Html, IntoResponse as _, Response};
use maud::html;

pub(super) use self::copy::copy;
use self::count::{count, refuse_slow_order};
use self::list::RowList;
pub(super) use self::list::key_address;
use self::page::PageReader;
use self::query::ListQuery;
use super::catalog::{ColumnInfo, TableCatalog, TableInfo};
use super::column_kind::ColumnKind;
use super::layout;
use super::problem::{Problem, message, status};
use super::request::StudioRequest;

/// Handles `GET /{view}/tables/{table}`.
pub(super) async fn page(visit: StudioRequest) -> Result<Response, Problem> {
    let catalog = visit.shared.catalog().await?;
    let table = catalog.visible_table(&visit.view, visit.part("table"))?;
    let count = count(&visit, table).await?;
    let read = async {
        let query = ListQuery::read(table, &visit.view, &visit.params)?;
        refuse_slow_order(&visit, &query, count)?;
        let raw = linked_by(&catalog, table);
        let cells = query.columns.iter().map(|column| column.kind.short(&column.name)).collect();
        let page = PageReader { query: &query, view: &visit.view, raw: &raw, cells }.page(&visit.shared).await?;
        Ok::<_, Problem>((query, raw, page))
    };
    let list = RowList { visit: &visit, table, count };
    match read.await {
        Ok((query, raw, page)) => {
            let body = list.with(&query, &raw, &page);
            Ok(layout::page(&visit, "tables", &table.name, &body).into_response())
        }
        // The form keeps its input next to the error.
        Err(Problem(error)) if error.is_invalid_input() || error.is_database_failure() => {
            let body = html! { (list.form(None)) p class="error" role="alert" { (message(&error)) } };
            let code =
                if error.is_invalid_input() { status(&error) } else { axum::http::StatusCode::UNPROCESSABLE_ENTITY };
            let page: Html<String> = layout::page(&visit, "tables", &table.name, &body);
            Ok((code, page).into_response())
        }
        Err(problem) => Err(problem),
    }
}

/// Returns the columns whose plain values a row's links need: its key, and the columns of references in both directions.
fn linked_by<'c>(catalog: &'c TableCatalog, table: &'c TableInfo) -> Vec<&'c ColumnInfo> {
    let key = table.key.iter();
    let out = table.foreign_keys.iter().flat_map(|key| &key.columns);
    let names = key.chain(out).chain(catalog.references_to(&table.name).flat_map(|(_, key)| &key.refers_to));
    let mut columns: Vec<&ColumnInfo> = Vec::new();
    for column in names.filter_map(|name| table.column(name)).filter(|column| column.kind != ColumnKind::Secret) {
        if !columns.iter().any(|known| known.name == column.name) {
            columns.push(column);
        }
    }
    columns
}
