//! One whole row, with its references in both directions.

use axum::response::Html;
use maud::{Markup, html};
use postgres_protocol::escape::escape_identifier;

use super::browse::key_address;
use super::catalog::{ColumnInfo, ForeignKey, TableCatalog, TableInfo};
use super::column_kind::{ColumnKind, LONG};
use super::display::{Budget, cut, null, strip, text, time};
use super::json;
use super::layout;
use super::params::Params;
use super::problem::Problem;
use super::request::StudioRequest;
use super::secrets::safe;
use super::statement::{DynamicStatement, Row, only};
use workspace_db::{Error, ErrorKind, Result};

/// Maximum count of rows that refer to the row.
const COUNTED: usize = 1_000;
/// Maximum number of rows of a table whose references are counted without an index.
const FEW: f64 = 100_000.0;
/// Maximum bytes of all values on a page.
const PAGE: usize = 150_000;

/// Handles `GET /{view}/tables/{table}/row?k.column=value`.
pub(super) async fn page(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let catalog = visit.shared.catalog().await?;
    let table = catalog.visible_table(&visit.view, visit.part("table"))?;
    let mut statement = DynamicStatement::default();
    let which = which(&visit, table, &mut statement)?;
    let names: Vec<String> = table.columns.iter().map(|column| escape_identifier(&column.name)).collect();
    let plain = names.iter().zip(&table.columns).map(|(name, column)| {
        if matches!(
            column.kind,
            ColumnKind::Secret
                | ColumnKind::Json
                | ColumnKind::Vector
                | ColumnKind::Bits
                | ColumnKind::Words
                | ColumnKind::Bytes
        ) {
            "NULL".to_owned()
        } else {
            format!("left({name}::text, 1000)")
        }
    });
    let shown = table.columns.iter().map(|column| column.kind.long(&column.name));
    let cells: Vec<String> = ["xmin::text".to_owned()].into_iter().chain(plain).chain(shown).collect();
    statement.push(&format!(
        "SELECT ARRAY[{}]::text[] AS cells FROM {} WHERE {which}",
        cells.join(", "),
        escape_identifier(&table.name)
    ));
    let rows = visit.shared.rows(visit.view.workspace(), statement).await.map_err(|error| {
        // A value that is invalid for the column's type identifies no row.
        if (error.is_database_failure() || error.is_invalid_input()) && !error.to_string().contains("timeout") {
            not_there(table, error)
        } else {
            error
        }
    })?;
    let mut row =
        rows.into_iter().next().ok_or_else(|| Problem::not_found(format!("{} has no such row", table.name)))?;
    let shown = row.split_off((table.columns.len() + 1).min(row.len()));
    let plain = row.split_off(1.min(row.len()));
    let version = row.pop().flatten().unwrap_or_default();
    let references = incoming_references(&visit, &catalog, table, &plain).await?;
    Ok(layout::page(&visit, "tables", &table.name, &body(&visit, table, &plain, &shown, &references, &version)))
}

fn not_there(table: &TableInfo, cause: Error) -> Error {
    Error::new(ErrorKind::NotFound, format!("{} has no such row", table.name)).caused_by(cause)
}

/// Returns the condition that identifies one row, which in a workspace's view must be one of its own.
pub(super) fn which(
    visit: &StudioRequest,
    table: &TableInfo,
    statement: &mut DynamicStatement,
) -> Result<String, Problem> {
    let mut conditions = Vec::new();
    for name in &table.key {
        conditions.push(table.equals(name, Some(visit.key_part(name)?), statement));
    }
    if conditions.is_empty() {
        return Err(Problem::not_found(format!("{} has no primary key that identifies a row", table.name)));
    }
    if let (Some(id), Some(column)) = (visit.view.workspace(), table.workspace_column()) {
        conditions.push(table.equals(column, Some(&id.to_string()), statement));
    }
    Ok(conditions.join(" AND "))
}

fn value<'v>(table: &TableInfo, plain: &'v Row, name: &str) -> Option<&'v str> {
    let at = table.columns.iter().position(|column| column.name == name)?;
    plain.get(at)?.as_deref()
}

/// Rows of another table that refer to the row.
struct IncomingReference<'c> {
    table: &'c TableInfo,
    by: &'c str,
    address: String,
    count: usize,
}

async fn incoming_references<'c>(
    visit: &StudioRequest,
    catalog: &'c TableCatalog,
    table: &'c TableInfo,
    plain: &Row,
) -> Result<Vec<IncomingReference<'c>>> {
    let (mut found, mut counts) = (Vec::new(), Vec::new());
    for (other, key) in catalog.references_to(&table.name) {
        let is_quick = other.estimate < FEW
            || other.indexes.iter().filter_map(|index| index.columns.as_ref()).any(|columns| {
                columns.len() >= key.columns.len()
                    && columns.iter().take(key.columns.len()).all(|one| key.columns.contains(one))
            });
        if !is_quick || !catalog.visible_tables(&visit.view).any(|table| table.name == other.name) {
            continue;
        }
        let Some((statement, params)) = count(visit, other, key, |name| value(table, plain, name)) else { continue };
        let by = key.columns.last().map_or("", String::as_str);
        let address = params.at(&visit.view.path(&format!("tables/{}", other.name))).into_owned();
        found.push(IncomingReference { table: other, by, address, count: 0 });
        counts.push(statement);
    }
    let answers = visit.shared.ask(visit.view.workspace(), counts).await?;
    for (one, answer) in found.iter_mut().zip(answers) {
        one.count = only(answer).and_then(|text| text.parse().ok()).unwrap_or(0);
    }
    Ok(found)
}

/// Returns the statement that counts a table's rows that refer to the row, and the filter that shows them.
fn count<'v>(
    visit: &StudioRequest,
    other: &TableInfo,
    key: &ForeignKey,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Option<(DynamicStatement, Params)> {
    let (mut statement, mut params, mut conditions) = (DynamicStatement::default(), Params::default(), Vec::new());
    for (column, refers_to) in key.columns.iter().zip(&key.refers_to) {
        let value = value(refers_to)?;
        conditions.push(other.equals(column, Some(value), &mut statement));
        // The view already determines the workspace.
        if visit.view.workspace().is_none() || Some(column.as_str()) != other.workspace_column() {
            params = params.with("fc", column).with("fo", "is").with("fv", value);
        }
    }
    statement.push(&format!(
        "SELECT ARRAY[count(*)::text] AS cells FROM (SELECT FROM {} WHERE {} LIMIT {}) AS counted",
        escape_identifier(&other.name),
        conditions.join(" AND "),
        COUNTED + 1
    ));
    Some((statement, params))
}

fn body(
    visit: &StudioRequest,
    table: &TableInfo,
    plain: &Row,
    shown: &Row,
    references: &[IncomingReference<'_>],
    version: &str,
) -> Markup {
    let budget = Budget::new(PAGE);
    let more_like_this = (table.name == "document_chunks").then(|| value(table, plain, "id")).flatten();
    html! {
        div class="bar" {
            a href=(visit.view.path(&format!("tables/{}", table.name))) { "All rows of " (table.name) }
            @if let (Some(id), Some(_)) = (more_like_this, visit.view.workspace()) {
                a class="button" href=(Params::default().with("like", id).at(&visit.view.path("search"))) { "More like this" }
            }
            @if visit.may_edit(table) { (to_change(visit, table, version)) }
        }
        dl class="record" {
            @for (column, shown) in table.columns.iter().zip(shown) {
                dt title=[column.comment.as_deref()] { (column.name) span class="type" { (column.of_type) } }
                dd {
                    @let reference = table.reference(&column.name).filter(|_| shown.is_some());
                    @let address = reference.and_then(|key| {
                        key_address(&visit.view, &key.table, &key.refers_to, &key.columns, |name| value(table, plain, name))
                    });
                    @match address {
                        Some(address) => a href=(address) { (long(column, shown.as_deref(), &budget)) },
                        None => (long(column, shown.as_deref(), &budget)),
                    }
                }
            }
        }
        @if !references.is_empty() {
            h2 { "Referenced by" }
            ul class="references" {
                @for one in references {
                    li {
                        a href=(one.address) { (one.table.name) "." (one.by) }
                        " " span class="quiet" {
                            @match one.count { 1 => "1 row", 0..=COUNTED => { (one.count) " rows" }, _ => { "more than " (COUNTED) " rows" } }
                        }
                    }
                }
            }
        }
    }
}

/// Renders the buttons that change the row.
fn to_change(visit: &StudioRequest, table: &TableInfo, version: &str) -> Markup {
    let at = |deed: &str| visit.params.at(&visit.view.path(&format!("tables/{}/{deed}", table.name))).into_owned();
    html! {
        a class="button" href=(at("edit")) { "Edit" }
        form method="post" action=(at("delete")) {
            input type="hidden" name="form_token" value=(visit.browser_session.form_token);
            input type="hidden" name="version" value=(version);
            button { "Delete" }
        }
    }
}

/// Renders a value on the page of its row, as `ColumnKind::long` selects it.
fn long(column: &ColumnInfo, value: Option<&str>, budget: &Budget) -> Markup {
    let Some(value) = value else { return null() };
    match column.kind {
        ColumnKind::Secret => html! { span class="quiet" { "hidden" } },
        ColumnKind::Time => time(value),
        ColumnKind::Json => json::folded(&safe(value), budget),
        ColumnKind::Vector => vector(value, budget),
        ColumnKind::Bits => {
            html! { details { summary { (value.len()) " bits" } code class="long" { (budget.cut(value)) } } }
        }
        ColumnKind::Words | ColumnKind::Other => html! { code class="long" { (text(&budget.cut(value))) } },
        ColumnKind::Text => html! {
            div class="text" { (text(&budget.cut(value))) }
            @if value.chars().count() > LONG { p class="quiet" { "Only the first " (LONG) " characters are shown." } }
        },
        _ => text(&cut(value, LONG)),
    }
}

fn vector(value: &str, budget: &Budget) -> Markup {
    let numbers: Vec<f64> = value.trim_matches(['[', ']']).split(',').filter_map(|one| one.parse().ok()).collect();
    let norm = numbers.iter().map(|one| one * one).sum::<f64>().sqrt();
    html! {
        div class="vector whole" {
            (strip(value))
            span class="quiet" { "norm " (format!("{norm:.4}")) ", " (numbers.len()) " dimensions" }
        }
        details { summary { "Components" } code class="long" { (budget.cut(value)) } }
    }
}
