//! Edits of rows by hand: one row of one workspace at a time, with undo.

mod change;
mod form;

use postgres_protocol::escape::{escape_identifier, escape_literal};
use std::collections::BTreeMap;
use std::error::Error as _;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use diesel::result::Error as DieselError;

use self::form::{Form, refusal};
use super::access_control::PostedForm;
use super::catalog::{ColumnInfo, TableCatalog, TableInfo};
use super::column_kind::ColumnKind;
use super::layout;
use super::params::{Params, see};
use super::problem::{Problem, message, status};
use super::request::StudioRequest;
use super::row::which;
use super::row_change::{AppliedChange, RowChange, Values};
use super::statement::DynamicStatement;
use workspace_db::id::WorkspaceId;
use workspace_db::{Error, Result};

const REASON: &str = "the operator in the studio";
const UNDONE: &str = "the operator undoes the last change in the studio";

/// The table and workspace of a permitted edit.
struct EditTarget<'a> {
    table: &'a TableInfo,
    workspace: WorkspaceId,
}

fn edit_target<'a>(visit: &StudioRequest, catalog: &'a TableCatalog) -> Result<EditTarget<'a>, Problem> {
    visit.shared.refuse_to_write()?;
    let workspace = visit.the_workspace("changes")?;
    Ok(EditTarget { table: catalog.visible_table(&visit.view, visit.part("table"))?, workspace })
}

/// Handles `GET /{view}/tables/{table}/new`.
pub(super) async fn new(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let catalog = visit.shared.catalog().await?;
    let EditTarget { table, .. } = edit_target(&visit, &catalog)?;
    let (stored, values) = (BTreeMap::new(), BTreeMap::new());
    let form = Form { visit: &visit, table, stored, values, version: None, error: None };
    Ok(layout::page(&visit, "tables", &format!("New row in {}", table.name), &form.markup()))
}

/// Handles `POST /{view}/tables/{table}/new`.
pub(super) async fn insert(visit: StudioRequest, PostedForm(posted): PostedForm) -> Result<Response, Problem> {
    let catalog = visit.shared.catalog().await?;
    let EditTarget { table, workspace } = edit_target(&visit, &catalog)?;
    let fields = table.columns.iter().filter(|column| refusal(table, column, None, true).is_none());
    let values: Values = fields
        .filter(|column| !is_left_to_its_default(&posted, column))
        .filter_map(|column| Some((column.name.clone(), Some(posted_value(&posted, &column.name)?))))
        .collect();
    let typed = values.iter().cloned().collect();
    match visit.shared.change(&catalog, table, workspace, RowChange::Insert(values), REASON).await {
        Ok(made) => redirect_after_change(&visit, made.clone(), Some(made)).await,
        Err(error) => wrong(&visit, table, [BTreeMap::new(), typed], None, error).await,
    }
}

/// Handles `GET /{view}/tables/{table}/edit?k.column=value`.
pub(super) async fn edit(visit: StudioRequest) -> Result<Html<String>, Problem> {
    let catalog = visit.shared.catalog().await?;
    let EditTarget { table, workspace } = edit_target(&visit, &catalog)?;
    let (values, version) = current(&visit, table, workspace).await?;
    let form = Form { visit: &visit, table, stored: values.clone(), values, version: Some(version), error: None };
    Ok(layout::page(&visit, "tables", &format!("Row of {}", table.name), &form.markup()))
}

/// Handles `POST /{view}/tables/{table}/edit?k.column=value`.
pub(super) async fn update(visit: StudioRequest, PostedForm(posted): PostedForm) -> Result<Response, Problem> {
    let catalog = visit.shared.catalog().await?;
    let EditTarget { table, workspace } = edit_target(&visit, &catalog)?;
    let version = posted.value("version").unwrap_or_default().to_owned();
    let (stored, _) = current(&visit, table, workspace).await?;
    let mut typed = stored.clone();
    let mut to = Values::new();
    for column in &table.columns {
        let now = stored.get(&column.name).cloned().flatten();
        if refusal(table, column, now.as_deref(), false).is_some() {
            continue;
        }
        // A form converts line breaks to CRLF.
        let keeps = now.as_ref().is_some_and(|now| now.contains('\r'));
        let text =
            posted_value(&posted, &column.name).map(|text| if keeps { text } else { text.replace("\r\n", "\n") });
        let is_typed = text.as_ref().is_some_and(|text| !text.is_empty()) && text != now && !is_chosen(column);
        let is_null = !is_typed && posted.value(&format!("n.{}", column.name)).is_some();
        let text = text.filter(|_| !is_null);
        if text != now && (is_null || text.is_some()) {
            to.push((column.name.clone(), text));
        }
    }
    if to.is_empty() {
        return see(&address(&visit, &table.name, &key(&visit, table)?));
    }
    typed.extend(to.iter().cloned());
    let change = RowChange::Update { key: key(&visit, table)?, version: version.clone(), to };
    match visit.shared.change(&catalog, table, workspace, change, REASON).await {
        Ok(made) => redirect_after_change(&visit, made.clone(), Some(made)).await,
        Err(error) => wrong(&visit, table, [stored, typed], Some(version), error).await,
    }
}

/// Handles `POST /{view}/tables/{table}/delete?k.column=value`.
pub(super) async fn delete(visit: StudioRequest, PostedForm(posted): PostedForm) -> Result<Response, Problem> {
    let catalog = visit.shared.catalog().await?;
    let EditTarget { table, workspace } = edit_target(&visit, &catalog)?;
    let version = posted.value("version").unwrap_or_default().to_owned();
    let change = RowChange::Delete { key: key(&visit, table)?, version };
    let made = visit.shared.change(&catalog, table, workspace, change, REASON).await?;
    redirect_after_change(&visit, made.clone(), Some(made)).await
}

/// Handles `POST /{view}/undo`.
pub(super) async fn undo(visit: StudioRequest, PostedForm(_): PostedForm) -> Result<Response, Problem> {
    visit.shared.refuse_to_write()?;
    let workspace = visit.the_workspace("changes")?;
    let last = visit.shared.last_change.lock().await.clone().filter(|last| last.workspace == workspace);
    let last = last.ok_or_else(|| Problem::not_found("this workspace has no change to undo"))?;
    let catalog = visit.shared.catalog().await?;
    let table = catalog.visible_table(&visit.view, &last.table)?;
    let made = visit.shared.change(&catalog, table, workspace, last.back, UNDONE).await?;
    redirect_after_change(&visit, made, None).await
}

/// Stores the change for undo, if there is one, and redirects to the row. After a deletion it redirects to the table.
async fn redirect_after_change(
    visit: &StudioRequest,
    made: AppliedChange,
    undo: Option<AppliedChange>,
) -> Result<Response, Problem> {
    let is_gone = matches!(made.back, RowChange::Insert(_));
    let all = visit.view.path(&format!("tables/{}", made.table));
    let to = if is_gone { all } else { address(visit, &made.table, &made.key) };
    *visit.shared.last_change.lock().await = undo;
    see(&to)
}

fn address(visit: &StudioRequest, table: &str, key: &Values) -> String {
    visit.view.row(table, key.iter().map(|(name, value)| (name.as_str(), value.clone().unwrap_or_default())))
}

fn key(visit: &StudioRequest, table: &TableInfo) -> Result<Values, Problem> {
    table.key.iter().map(|name| Ok((name.clone(), Some(visit.key_part(name)?.to_owned())))).collect()
}

/// Returns true if the column's field is a select, which always has a value.
fn is_chosen(column: &ColumnInfo) -> bool {
    column.labels.is_some() || column.kind == ColumnKind::Bool
}

/// Returns true if the default is ticked. A typed value has priority over the tick.
fn is_left_to_its_default(posted: &Params, column: &ColumnInfo) -> bool {
    let is_empty = posted.value(&format!("v.{}", column.name)).is_none();
    posted.value(&format!("d.{}", column.name)).is_some() && (is_empty || is_chosen(column))
}

fn posted_value(posted: &Params, column: &str) -> Option<String> {
    posted.all(&format!("v.{column}")).next().map(ToOwned::to_owned)
}

/// Returns the values of a row that a form may show, and its version.
async fn current(
    visit: &StudioRequest,
    table: &TableInfo,
    workspace: WorkspaceId,
) -> Result<(BTreeMap<String, Option<String>>, String), Problem> {
    let mut statement = DynamicStatement::default();
    let which = which(visit, table, &mut statement)?;
    let cells: Vec<String> = table
        .columns
        .iter()
        .map(|column| match column.kind {
            ColumnKind::Vector | ColumnKind::Bits | ColumnKind::Words | ColumnKind::Bytes => "NULL".to_owned(),
            kind => kind.whole(&column.name),
        })
        .collect();
    statement.push(&format!(
        "SELECT ARRAY[xmin::text, {}]::text[] AS cells FROM {} WHERE {which}",
        cells.join(", "),
        escape_identifier(&table.name),
    ));
    let rows = visit.shared.rows(Some(workspace), statement).await?;
    let row = rows.into_iter().next().ok_or_else(|| Problem::not_found(format!("{} has no such row", table.name)))?;
    let mut row = row.into_iter();
    let version = row.next().flatten().unwrap_or_default();
    Ok((table.columns.iter().map(|column| column.name.clone()).zip(row).collect(), version))
}

/// Returns the form with its input and the error at the field that caused it.
async fn wrong(
    visit: &StudioRequest,
    table: &TableInfo,
    [stored, values]: [BTreeMap<String, Option<String>>; 2],
    version: Option<String>,
    error: Error,
) -> Result<Response, Problem> {
    let field = match field_of(&error, table) {
        None if error.is_database_failure() || error.is_invalid_input() => invalid_field(visit, table, &values).await,
        field => field,
    };
    let code = if error.is_database_failure() { StatusCode::UNPROCESSABLE_ENTITY } else { status(&error) };
    let error = Some((field, message(&error)));
    let title = format!("Row of {}", table.name);
    let form = Form { visit, table, stored, values, version, error };
    Ok((code, layout::page(visit, "tables", &title, &form.markup())).into_response())
}

/// Returns the column that the database's error concerns, by the name of the violated constraint.
fn field_of(error: &Error, table: &TableInfo) -> Option<String> {
    let Some(DieselError::DatabaseError(_, said)) = error.source()?.downcast_ref::<DieselError>() else { return None };
    if let Some(column) = said.column_name() {
        return Some(column.to_owned());
    }
    let name = said.constraint_name()?;
    let key = table.foreign_keys.iter().find(|key| key.name == name).and_then(|key| key.columns.last().cloned());
    let index = || table.indexes.iter().find(|index| index.name == name).map(|index| index.definition.as_str());
    let check = || table.checks.iter().find(|check| check.name == name).map(|check| check.definition.as_str());
    let named = |definition: &str| {
        let words: Vec<&str> = definition.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let own = table.columns.iter().filter(|column| Some(column.name.as_str()) != table.workspace_column());
        own.map(|column| column.name.clone()).find(|column| words.contains(&column.as_str()))
    };
    key.or_else(|| check().or_else(index).and_then(named))
}

/// Returns the first field whose text is not valid for its column's type.
async fn invalid_field(
    visit: &StudioRequest,
    table: &TableInfo,
    values: &BTreeMap<String, Option<String>>,
) -> Option<String> {
    let mut statement = DynamicStatement::default();
    let (mut names, mut checks) = (Vec::new(), Vec::new());
    for column in table.columns.iter().filter(|column| !matches!(column.kind, ColumnKind::Text | ColumnKind::Secret)) {
        if let Some(Some(value)) = values.get(&column.name) {
            let (text, of_type) = (statement.bind(Some(value), "text"), escape_literal(column.bound()));
            checks.push(format!("pg_input_is_valid({text}, {of_type})::text"));
            names.push(column.name.clone());
        }
    }
    statement.push(&format!("SELECT ARRAY[{}]::text[] AS cells", checks.join(", ")));
    let rows = visit.shared.rows(visit.view.workspace(), statement).await.ok()?;
    let valid = rows.into_iter().flatten();
    names.into_iter().zip(valid).find(|(_, valid)| valid.as_deref() == Some("false")).map(|(name, _)| name)
}
