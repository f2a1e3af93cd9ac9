//! Export of a page's rows as text.

use postgres_protocol::escape::{escape_identifier, escape_literal};
use std::borrow::Cow;
use std::fmt::Write as _;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};

use super::count::{count, refuse_slow_order};
use super::page::PageReader;
use super::query::ListQuery;
use crate::catalog::ColumnInfo;
use crate::column_kind::ColumnKind;
use crate::problem::Problem;
use crate::request::StudioRequest;
use crate::secrets;
use crate::statement::Row;
use workspace_db::{Error, ErrorKind, Result};

/// Handles `GET /{view}/tables/{table}/copy?as=`: the rows of the page with whole values and without secrets.
pub(crate) async fn copy(visit: StudioRequest) -> Result<Response, Problem> {
    let catalog = visit.shared.catalog().await?;
    let table = catalog.visible_table(&visit.view, visit.part("table"))?;
    let mut query = ListQuery::read(table, &visit.view, &visit.params)?;
    refuse_slow_order(&visit, &query, count(&visit, table).await?)?;
    let form = visit.params.value("as").unwrap_or("json");
    query.columns.retain(|column| column.kind != ColumnKind::Secret && (form != "sql" || !column.generated));
    let cells = query.columns.iter().map(|column| column.kind.whole(&column.name)).collect();
    let page = PageReader { query: &query, view: &visit.view, raw: &[], cells }.page(&visit.shared).await?;
    let rows: Vec<Row> = page.rows.into_iter().map(|row| without_secrets(&query.columns, row.cells)).collect();
    let (kind, text) = match form {
        "csv" => ("text/csv; charset=utf-8", csv(&query.columns, &rows)?),
        "sql" => ("text/plain; charset=utf-8", sql(&table.name, &query.columns, &rows)),
        "json" => ("application/json", json(&query.columns, &rows)?),
        other => {
            return Err(Error::invalid(format!("rows can't be copied as {other:?}"))
                .remedy("use sql, json or csv")
                .into());
        }
    };
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}

fn without_secrets(columns: &[&ColumnInfo], row: Row) -> Row {
    let safe = |(column, cell): (&&ColumnInfo, Option<String>)| match column.kind {
        ColumnKind::Json => cell.map(|cell| secrets::safe(&cell).to_string()),
        _ => cell,
    };
    columns.iter().zip(row).map(safe).collect()
}

/// Prefixes a cell that a spreadsheet would read as a formula with an apostrophe, which makes it text. Numbers stay numbers.
///
/// The characters are those of OWASP's "CSV Injection", with their full-width forms.
fn inert(cell: &str) -> Cow<'_, str> {
    const STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    if cell.starts_with(STARTS) && cell.parse::<f64>().is_err() {
        return Cow::Owned(format!("'{cell}"));
    }
    Cow::Borrowed(cell)
}

fn csv(columns: &[&ColumnInfo], rows: &[Row]) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Error::new(ErrorKind::Io, "the rows can't be written as CSV").caused_by(error);
    writer.write_record(columns.iter().map(|column| inert(&column.name).into_owned())).map_err(failed)?;
    for row in rows {
        let cells = row.iter().map(|cell| inert(cell.as_deref().unwrap_or_default()).into_owned());
        writer.write_record(cells).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| Error::new(ErrorKind::Io, error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn json(columns: &[&ColumnInfo], rows: &[Row]) -> Result<String> {
    let value = |(column, cell): (&&ColumnInfo, &Option<String>)| {
        let value = match (column.kind, cell.as_deref()) {
            (_, None) => Value::Null,
            // Numbers that JSON can't represent stay texts, as does every other value that is no JSON.
            (ColumnKind::Json | ColumnKind::Bool | ColumnKind::Number | ColumnKind::Vector, Some(text)) => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
            }
            (_, Some(text)) => Value::from(text),
        };
        (column.name.clone(), value)
    };
    let rows: Vec<Map<String, Value>> = rows.iter().map(|row| columns.iter().zip(row).map(value).collect()).collect();
    serde_json::to_string_pretty(&rows)
        .map_err(|error| Error::new(ErrorKind::Io, "the rows can't be written as JSON").caused_by(error))
}

fn sql(table: &str, columns: &[&ColumnInfo], rows: &[Row]) -> String {
    let names: Vec<String> = columns.iter().map(|column| escape_identifier(&column.name)).collect();
    let names = names.join(", ");
    let is_hidden = rows.iter().flatten().flatten().any(|cell| cell.contains("(hidden)"));
    let note = if is_hidden { "-- Values that may be secret are replaced by (hidden).\n" } else { "" };
    rows.iter().fold(note.to_owned(), |mut text, row| {
        let values: Vec<String> = row.iter().map(|cell| literal(cell.as_deref())).collect();
        let _ = writeln!(text, "INSERT INTO {} ({names}) VALUES ({});", escape_identifier(table), values.join(", "));
        text
    })
}

/// Quotes a value for SQL. A backslash makes it an escape string, which has the same meaning under every setting.
fn literal(value: Option<&str>) -> String {
    // Before an escape string there is a space, for SQL without spaces of its own.
    value.map_or_else(|| "NULL".to_owned(), |value| escape_literal(value).trim_start().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_one_value_in_sql() {
        assert_eq!(literal(Some("it's \\ '; DROP TABLE x; --")), "E'it''s \\\\ ''; DROP TABLE x; --'");
        assert_eq!(literal(None), "NULL");
    }
}
