//! One page of rows by keyset: the last page of ten million rows is as fast as the first.

use super::query::{ListQuery, PageCursor};
use crate::catalog::ColumnInfo;
use crate::column_kind::ColumnKind;
use crate::state::AppState;
use crate::statement::{DynamicStatement, Row};
use crate::view::View;
use postgres_protocol::escape::escape_identifier;
use workspace_db::Result;

/// Number of rows of a page.
pub(super) const ROWS: usize = 50;
/// Maximum number of rows that a page filters one by one, if no index answers the filter.
pub(super) const LOOKED_AT: usize = 10_000;

/// Number of characters of a text that determine the sort order.
const BEGINNING: usize = 100;

/// The rows of one page, and the cursors of its neighbours.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) rows: Vec<ListedRow>,
    pub(super) before: Option<PageCursor>,
    pub(super) after: Option<PageCursor>,
    /// Cursor to resume the filter, after the maximum of rows was filtered and too few matched.
    pub(super) resume_at: Option<PageCursor>,
}

/// A row: the plain values for its links, and the displayed values.
#[derive(Debug)]
pub(super) struct ListedRow {
    pub(super) raw: Row,
    pub(super) cells: Row,
}

/// Rows with a value in the sort column precede those with NULL, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NullsPart {
    Present,
    Missing,
}

pub(super) struct PageReader<'r, 'c> {
    pub(super) query: &'r ListQuery<'c>,
    pub(super) view: &'r View,
    /// Columns whose plain values are read with each row.
    pub(super) raw: &'r [&'c ColumnInfo],
    /// SQL of the displayed values.
    pub(super) cells: Vec<String>,
}

impl PageReader<'_, '_> {
    pub(super) async fn page(&self, shared: &AppState) -> Result<Page> {
        let query = self.query;
        let mut parts = vec![NullsPart::Present];
        if query.sort.is_some_and(|column| !column.not_null) {
            parts.push(NullsPart::Missing);
        }
        let mut from = query.place.clone();
        // A cursor without a value of the sort column points to the rows with NULL.
        let begins = from.as_ref().map(|place| match place.first() {
            Some(None) if query.sort.is_some() => NullsPart::Missing,
            _ => NullsPart::Present,
        });
        if query.backwards {
            parts.reverse();
        }
        let (mut rows, mut resume_at) = (Vec::new(), None);
        for part in parts.into_iter().skip_while(|part| begins.is_some_and(|begins| begins != *part)) {
            let limit = ROWS + 1 - rows.len();
            let (statement, end) = self.statements(part, from.take(), limit);
            let mut answers = shared.ask(self.view.workspace(), [Some(statement), end].into_iter().flatten()).await?;
            if answers.len() > 1 {
                resume_at = answers.pop().and_then(|mut ends| ends.pop());
            }
            rows.extend(answers.pop().unwrap_or_default());
            if rows.len() > ROWS || resume_at.is_some() {
                break;
            }
        }
        let is_more = rows.len() > ROWS;
        rows.truncate(ROWS);
        if query.backwards {
            rows.reverse();
        }
        let keys = self.order(NullsPart::Present).len();
        let place = |row: &Row| row.get(..keys).map(<[_]>::to_vec);
        let (first, last) = (rows.first().and_then(place), rows.last().and_then(place));
        let (before, after) = match (keys, query.backwards) {
            (0, _) => (None, None),
            (_, false) => (first.filter(|_| query.place.is_some()), last.filter(|_| is_more)),
            (_, true) => (first.filter(|_| is_more), last),
        };
        let raw = self.raw.len();
        let split = |mut row: Row| {
            let cells = row.split_off((keys + raw).min(row.len()));
            ListedRow { raw: row.split_off(keys.min(row.len())), cells }
        };
        Ok(Page {
            rows: rows.into_iter().map(split).collect(),
            before,
            after,
            resume_at: resume_at.filter(|_| !is_more),
        })
    }

    /// Returns the sort columns: the requested column, if the rows have a value in it, and the key.
    fn order(&self, part: NullsPart) -> Vec<&ColumnInfo> {
        let key = self.query.key(self.view);
        let sort = self.query.sort.filter(|_| part == NullsPart::Present);
        sort.into_iter()
            .chain(key.into_iter().filter(|column| sort.is_none_or(|sort| sort.name != column.name)))
            .collect()
    }

    /// Returns the SQL of a sort column. A text without an index is sorted by its first characters, so that its value fits
    /// into an address.
    fn ordered(&self, column: &ColumnInfo) -> String {
        let name = escape_identifier(&column.name);
        let is_key = self.query.table.key.contains(&column.name);
        if column.kind == ColumnKind::Text && !is_key && !self.query.table.is_indexed(self.view, &column.name) {
            return format!("left({name}, {BEGINNING})");
        }
        name
    }

    /// Returns the statement of the rows after a cursor. If an index doesn't answer all filters, the second statement finds
    /// the cursor of the last filtered row.
    fn statements(
        &self,
        part: NullsPart,
        from: Option<PageCursor>,
        limit: usize,
    ) -> (DynamicStatement, Option<DynamicStatement>) {
        let query = self.query;
        let order = self.order(part);
        let names: Vec<String> = order.iter().map(|column| self.ordered(column)).collect();
        let falling = query.descending != query.backwards;
        let direction = if falling { " DESC" } else { "" };
        let by: Vec<String> = names.iter().map(|name| format!("{name}{direction}")).collect();
        let by = if by.is_empty() { String::new() } else { format!(" ORDER BY {}", by.join(", ")) };
        let mut statement = DynamicStatement::default();
        let (mut quick, slow) = query.conditions(self.view, &mut statement);
        if let Some(sort) = query.sort {
            let is = if part == NullsPart::Present { "IS NOT NULL" } else { "IS NULL" };
            quick.push(format!("{} {is}", escape_identifier(&sort.name)));
        }
        // A cursor of rows with NULL begins with that NULL; the rest is the key.
        let skipped = usize::from(part == NullsPart::Missing);
        if let Some(from) = from.filter(|from| from.len() == order.len() + skipped && !order.is_empty()) {
            let values: Vec<String> = order
                .iter()
                .zip(from.iter().skip(skipped))
                .map(|(column, value)| statement.bind(value.as_deref(), column.bound()))
                .collect();
            let than = if falling { "<" } else { ">" };
            quick.push(format!("({}) {than} ({})", names.join(", "), values.join(", ")));
        }
        let all = |conditions: &[String]| match conditions {
            [] => String::new(),
            conditions => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let table = escape_identifier(&query.table.name);
        let source = format!("{table}{}{by}", all(&quick));
        let place = self.order(NullsPart::Present).into_iter().map(|column| format!("{}::text", self.ordered(column)));
        let place: Vec<String> = place.collect();
        // Values of a key are short, and the other values are truncated.
        let raw = self.raw.iter().map(|column| format!("left({}::text, 1000)", escape_identifier(&column.name)));
        let cells: Vec<String> = place.iter().cloned().chain(raw).chain(self.cells.iter().cloned()).collect();
        let cells = cells.join(", ");
        if slow.is_empty() {
            statement.push(&format!("SELECT ARRAY[{cells}]::text[] AS cells FROM {source} LIMIT {limit}"));
            return (statement, None);
        }
        let mut end = statement.clone();
        let window = format!("(SELECT * FROM {source} LIMIT {LOOKED_AT}) AS {table}");
        statement
            .push(&format!("SELECT ARRAY[{cells}]::text[] AS cells FROM {window}{}{by} LIMIT {limit}", all(&slow)));
        let place = place.join(", ");
        end.push(&format!("SELECT ARRAY[{place}]::text[] AS cells FROM {source} LIMIT 1 OFFSET {}", LOOKED_AT - 1));
        (statement, (!order.is_empty()).then_some(end))
    }
}
