//! A query on a table: columns, sort order, filters and cursor.

use crate::catalog::{ColumnInfo, TableInfo};
use crate::column_kind::ColumnKind;
use crate::params::Params;
use crate::problem::Problem;
use crate::secrets::is_safe;
use crate::statement::{DynamicStatement, literally};
use crate::view::View;
use postgres_protocol::escape::escape_identifier;
use workspace_db::Error;

/// Number of columns shown by default.
const FEW: usize = 12;

/// Names of a filter's parts in an address.
pub(super) const FILTER: [&str; 3] = ["fc", "fo", "fv"];
pub(super) const PLACE: [&str; 2] = ["after", "before"];

/// Comparison of a column with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Is,
    IsNot,
    Contains,
    Less,
    Greater,
    Null,
    NotNull,
}

impl Comparison {
    pub(super) const ALL: [(Self, &str, &str); 7] = [
        (Self::Is, "is", "is"),
        (Self::IsNot, "not", "is not"),
        (Self::Contains, "contains", "contains"),
        (Self::Less, "less", "is less than"),
        (Self::Greater, "greater", "is greater than"),
        (Self::Null, "null", "is NULL"),
        (Self::NotNull, "present", "is not NULL"),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(comparison, ..)| *comparison)
    }

    fn fits(self, kind: ColumnKind) -> bool {
        match self {
            Self::Null | Self::NotNull => true,
            Self::Is | Self::IsNot | Self::Contains => !matches!(
                kind,
                ColumnKind::Secret | ColumnKind::Vector | ColumnKind::Bits | ColumnKind::Words | ColumnKind::Bytes
            ),
            Self::Less | Self::Greater => kind.is_ordered(),
        }
    }
}

/// A condition on one column.
#[derive(Clone, Debug)]
pub(super) struct Filter<'c> {
    pub(super) column: &'c ColumnInfo,
    pub(super) comparison: Comparison,
    pub(super) value: String,
}

impl Filter<'_> {
    pub(super) fn sql(&self, statement: &mut DynamicStatement) -> String {
        let (name, value, of_type) = (escape_identifier(&self.column.name), self.value.as_str(), self.column.bound());
        match self.comparison {
            Comparison::Null => format!("{name} IS NULL"),
            Comparison::NotNull => format!("{name} IS NOT NULL"),
            Comparison::Is => format!("{name} = {}", statement.bind(Some(value), of_type)),
            Comparison::IsNot => format!("{name} IS DISTINCT FROM {}", statement.bind(Some(value), of_type)),
            Comparison::Less => format!("{name} < {}", statement.bind(Some(value), of_type)),
            Comparison::Greater => format!("{name} > {}", statement.bind(Some(value), of_type)),
            Comparison::Contains if self.column.of_type == "jsonb" => {
                format!("{name} @> {}", statement.bind(Some(value), of_type))
            }
            Comparison::Contains => contains(&name, value, statement),
        }
    }
}

/// Returns the condition that a column contains a text.
fn contains(name: &str, value: &str, statement: &mut DynamicStatement) -> String {
    format!("{name}::text ILIKE {}", statement.bind(Some(&format!("%{}%", literally(value))), "text"))
}

/// First or last row of a page: the values of the sort columns.
pub(super) type PageCursor = Vec<Option<String>>;

pub(super) struct ListQuery<'c> {
    pub(super) table: &'c TableInfo,
    pub(super) columns: Vec<&'c ColumnInfo>,
    pub(super) sort: Option<&'c ColumnInfo>,
    pub(super) descending: bool,
    pub(super) filters: Vec<Filter<'c>>,
    /// Text that some column must contain.
    pub(super) text: Option<String>,
    pub(super) place: Option<PageCursor>,
    /// True if the page ends at the cursor instead of beginning there.
    pub(super) backwards: bool,
}

impl<'c> ListQuery<'c> {
    pub(super) fn read(table: &'c TableInfo, view: &View, params: &Params) -> Result<Self, Problem> {
        let column = |name: &str| {
            table.column(name).ok_or_else(|| Error::invalid(format!("{} has no column {name:?}", table.name)))
        };
        let mut columns = params.all("col").map(column).collect::<Result<Vec<_>, _>>()?;
        if columns.is_empty() {
            columns = at_first(table, view);
        }
        let sort_param = params.value("sort");
        let sort = sort_param.map(|name| column(name.trim_start_matches('-'))).transpose()?;
        let names: [Vec<&str>; 3] = FILTER.map(|name| params.all(name).collect());
        let [by, how, what] = &names;
        let mut filters = Vec::new();
        for ((by, how), value) in by.iter().zip(how).zip(what) {
            if by.is_empty() {
                continue;
            }
            let column = column(by)?;
            let comparison = Comparison::named(how)
                .filter(|how| how.fits(column.kind))
                .ok_or_else(|| Error::invalid(format!("{by} does not support the comparison {how:?}")))?;
            let is_sought = !matches!(comparison, Comparison::Null | Comparison::NotNull);
            // Repeated filters on a hidden value would reveal it.
            if is_sought && column.kind == ColumnKind::Json && (column.of_type == "json" || !is_safe(value)) {
                return Err(Error::invalid(format!("{by} can't be filtered by this value"))
                    .remedy("use a JSON object that names no secret, and only fields that the studio shows")
                    .into());
            }
            filters.push(Filter { column, comparison, value: (*value).to_owned() });
        }
        let [after, before] = PLACE.map(|name| params.value(name));
        let place = before.or(after).map(serde_json::from_str).transpose();
        let place = place.map_err(|error| Error::invalid("the cursor of the page is not valid").caused_by(error))?;
        Ok(Self {
            table,
            columns,
            sort,
            descending: sort_param.is_some_and(|name| name.starts_with('-')),
            filters,
            text: params.value("q").map(ToOwned::to_owned),
            place,
            backwards: before.is_some(),
        })
    }

    /// Returns the columns of the key that identify a row in this view.
    pub(super) fn key(&self, view: &View) -> Vec<&'c ColumnInfo> {
        let own = self.table.workspace_column().filter(|_| view.workspace().is_some() && self.table.key.len() > 1);
        let parts = self.table.key.iter().filter(|name| Some(name.as_str()) != own);
        parts.filter_map(|name| self.table.column(name)).collect()
    }

    /// Returns the conditions that an index answers, and those that filter rows one by one.
    pub(super) fn conditions(&self, view: &View, statement: &mut DynamicStatement) -> (Vec<String>, Vec<String>) {
        let (mut quick, mut slow) = (Vec::new(), Vec::new());
        if let (Some(id), Some(column)) = (view.workspace(), self.table.workspace_column()) {
            quick.push(format!("{} = {}", escape_identifier(column), statement.bind(Some(&id.to_string()), "uuid")));
        }
        for filter in &self.filters {
            let is_quick = filter.comparison == Comparison::Is && self.table.is_indexed(view, &filter.column.name);
            if is_quick { &mut quick } else { &mut slow }.push(filter.sql(statement));
        }
        if let Some(text) = &self.text {
            let searched = self
                .table
                .columns
                .iter()
                .filter(|column| matches!(column.kind, ColumnKind::Text | ColumnKind::Uuid | ColumnKind::Enum));
            let any: Vec<String> =
                searched.map(|column| contains(&escape_identifier(&column.name), text, statement)).collect();
            slow.push(if any.is_empty() { "false".to_owned() } else { format!("({})", any.join(" OR ")) });
        }
        (quick, slow)
    }
}

/// Returns the readable columns, with the workspace only if the view has several.
fn at_first<'c>(table: &'c TableInfo, view: &View) -> Vec<&'c ColumnInfo> {
    let own = table.workspace_column().filter(|name| view.workspace().is_some() && *name == "workspace_id");
    let shown = table.columns.iter().filter(|column| column.kind.is_shown_at_first());
    shown.filter(|column| Some(column.name.as_str()) != own).take(FEW).collect()
}
