//! The number of rows, and which sort orders it allows.

use super::query::ListQuery;
use crate::catalog::TableInfo;
use crate::request::StudioRequest;
use crate::statement::{DynamicStatement, only};
use postgres_protocol::escape::escape_identifier;
use workspace_db::{Error, Result};

/// Maximum number of counted rows. A table with more rows can only be sorted by an index.
pub(super) const COUNTED: usize = 10_000;

/// Returns the number of rows, counted up to `COUNTED` + 1.
pub(super) async fn count(visit: &StudioRequest, table: &TableInfo) -> Result<usize> {
    let mut statement = DynamicStatement::default();
    let own = match (visit.view.workspace(), table.workspace_column()) {
        (Some(id), Some(column)) => {
            format!(" WHERE {} = {}", escape_identifier(column), statement.bind(Some(&id.to_string()), "uuid"))
        }
        _ => String::new(),
    };
    let name = escape_identifier(&table.name);
    statement.push(&format!(
        "SELECT ARRAY[count(*)::text] AS cells FROM (SELECT FROM {name}{own} LIMIT {}) AS counted",
        COUNTED + 1
    ));
    let rows = visit.shared.rows(visit.view.workspace(), statement).await?;
    Ok(only(rows).and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// Rejects a sort order without an index on many rows, which would take too long.
pub(super) fn refuse_slow_order(visit: &StudioRequest, query: &ListQuery<'_>, count: usize) -> Result<()> {
    let Some(sort) = query.sort else { return Ok(()) };
    if sort.kind.is_ordered() && (count <= COUNTED || query.table.is_indexed(&visit.view, &sort.name)) {
        return Ok(());
    }
    Err(Error::invalid(format!("rows can't be sorted by {}", sort.name))
        .remedy("sort by a column with an index: the table is too large, or the values have no order"))
}
