//! One page of rows by keyset: as quick at the end of ten million rows as at their beginning.

use super::wanted::{Place, Wanted};
use crate::error::Result;
use crate::studio::Shared;
use crate::studio::catalog::Column;
use crate::studio::shape::Shape;
use crate::studio::statement::{Row, Statement, quoted};
use crate::studio::view::View;

/// Rows of a page.
pub(super) const ROWS: usize = 50;
/// Rows that are looked at one by one for a page, where no index answers the filter.
pub(super) const LOOKED_AT: usize = 10_000;

/// Characters of a text by which rows are put in order.
const BEGINNING: usize = 100;

/// The rows of one page and what lies around them.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) rows: Vec<Found>,
    pub(super) before: Option<Place>,
    pub(super) after: Option<Place>,
    /// Where to look on, after so many rows were looked at and too few of them fit.
    pub(super) look_on: Option<Place>,
}

/// A row: what is not shown but linked by, and what is shown.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) raw: Row,
    pub(super) cells: Row,
}

/// Rows whose value in the column of the order is there come before those in which it is NULL, whichever the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Present,
    Missing,
}

pub(super) struct Reading<'r, 'c> {
    pub(super) wanted: &'r Wanted<'c>,
    pub(super) view: &'r View,
    /// Columns whose plain values come with each row.
    pub(super) raw: &'r [&'c Column],
    /// SQL of the values that are shown.
    pub(super) cells: Vec<String>,
}

impl Reading<'_, '_> {
    pub(super) async fn page(&self, shared: &Shared) -> Result<Page> {
        let wanted = self.wanted;
        let mut parts = vec![Part::Present];
        if wanted.sort.is_some_and(|column| !column.not_null) {
            parts.push(Part::Missing);
        }
        let mut from = wanted.place.clone();
        // A place without a value of the order's column is among the rows that have none.
        let begins = from.as_ref().map(|place| match place.first() {
            Some(None) if wanted.sort.is_some() => Part::Missing,
            _ => Part::Present,
        });
        if wanted.backwards {
            parts.reverse();
        }
        let (mut rows, mut look_on) = (Vec::new(), None);
        for part in parts.into_iter().skip_while(|part| begins.is_some_and(|begins| begins != *part)) {
            let most = ROWS + 1 - rows.len();
            let (statement, end) = self.statements(part, from.take(), most);
            let mut answers = shared.ask(self.view.workspace(), [Some(statement), end].into_iter().flatten()).await?;
            if answers.len() > 1 {
                look_on = answers.pop().and_then(|mut ends| ends.pop());
            }
            rows.extend(answers.pop().unwrap_or_default());
            if rows.len() > ROWS || look_on.is_some() {
                break;
            }
        }
        let is_more = rows.len() > ROWS;
        rows.truncate(ROWS);
        if wanted.backwards {
            rows.reverse();
        }
        let keys = self.order(Part::Present).len();
        let place = |row: &Row| row.get(..keys).map(<[_]>::to_vec);
        let (first, last) = (rows.first().and_then(place), rows.last().and_then(place));
        let (before, after) = match (keys, wanted.backwards) {
            (0, _) => (None, None),
            (_, false) => (first.filter(|_| wanted.place.is_some()), last.filter(|_| is_more)),
            (_, true) => (first.filter(|_| is_more), last),
        };
        let raw = self.raw.len();
        let split = |mut row: Row| {
            let cells = row.split_off((keys + raw).min(row.len()));
            Found { raw: row.split_off(keys.min(row.len())), cells }
        };
        Ok(Page { rows: rows.into_iter().map(split).collect(), before, after, look_on: look_on.filter(|_| !is_more) })
    }

    /// The columns that rows are in order by: the one that is asked for, where it is there, and the key.
    fn order(&self, part: Part) -> Vec<&Column> {
        let key = self.wanted.key(self.view);
        let sort = self.wanted.sort.filter(|_| part == Part::Present);
        sort.into_iter()
            .chain(key.into_iter().filter(|column| sort.is_none_or(|sort| sort.name != column.name)))
            .collect()
    }

    /// SQL by which rows are in order: a long text, which no index holds anyway, by its beginning, so that its value fits into
    /// an address.
    fn ordered(&self, column: &Column) -> String {
        let name = quoted(&column.name);
        let is_key = self.wanted.table.key.contains(&column.name);
        if column.shape == Shape::Text && !is_key && !self.wanted.table.is_indexed(self.view, &column.name) {
            return format!("left({name}, {BEGINNING})");
        }
        name
    }

    /// The rows from a place on, and where no index answers all of it, the place up to which rows are looked at.
    fn statements(&self, part: Part, from: Option<Place>, most: usize) -> (Statement, Option<Statement>) {
        let wanted = self.wanted;
        let order = self.order(part);
        let names: Vec<String> = order.iter().map(|column| self.ordered(column)).collect();
        let falling = wanted.descending != wanted.backwards;
        let direction = if falling { " DESC" } else { "" };
        let by: Vec<String> = names.iter().map(|name| format!("{name}{direction}")).collect();
        let by = if by.is_empty() { String::new() } else { format!(" ORDER BY {}", by.join(", ")) };
        let mut statement = Statement::default();
        let (mut quick, slow) = wanted.conditions(self.view, &mut statement);
        if let Some(sort) = wanted.sort {
            let is = if part == Part::Present { "IS NOT NULL" } else { "IS NULL" };
            quick.push(format!("{} {is}", quoted(&sort.name)));
        }
        // A place of rows without a value begins with that; the rest of it is the key.
        let skipped = usize::from(part == Part::Missing);
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
        let table = quoted(&wanted.table.name);
        let source = format!("{table}{}{by}", all(&quick));
        let place = self.order(Part::Present).into_iter().map(|column| format!("{}::text", self.ordered(column)));
        let place: Vec<String> = place.collect();
        // Those of a key are short, whatever others may be.
        let raw = self.raw.iter().map(|column| format!("left({}::text, 1000)", quoted(&column.name)));
        let cells: Vec<String> = place.iter().cloned().chain(raw).chain(self.cells.iter().cloned()).collect();
        let cells = cells.join(", ");
        if slow.is_empty() {
            statement.push(&format!("SELECT ARRAY[{cells}]::text[] AS cells FROM {source} LIMIT {most}"));
            return (statement, None);
        }
        let mut end = statement.clone();
        let window = format!("(SELECT * FROM {source} LIMIT {LOOKED_AT}) AS {table}");
        statement.push(&format!("SELECT ARRAY[{cells}]::text[] AS cells FROM {window}{}{by} LIMIT {most}", all(&slow)));
        let place = place.join(", ");
        end.push(&format!("SELECT ARRAY[{place}]::text[] AS cells FROM {source} LIMIT 1 OFFSET {}", LOOKED_AT - 1));
        (statement, (!order.is_empty()).then_some(end))
    }
}
