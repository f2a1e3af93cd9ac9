//! Rows as a table, with filters, sort order and links to other rows.

use maud::{Markup, html};

use super::count::COUNTED;
use super::page::{LOOKED_AT, ListedRow, Page, ROWS};
use super::query::{Comparison, FILTER, ListQuery, PLACE, PageCursor};
use workspace_db::noun::noun_for;

use crate::catalog::{ColumnInfo, ForeignKey, TableInfo};
use crate::display::{Budget, short};
use crate::request::StudioRequest;
use crate::view::View;

/// Maximum bytes of all values on a page.
const PAGE: usize = 120_000;

pub(super) struct RowList<'l> {
    pub(super) visit: &'l StudioRequest,
    pub(super) table: &'l TableInfo,
    /// Number of rows, counted up to a limit.
    pub(super) count: usize,
}

impl RowList<'_> {
    pub(super) fn with(&self, query: &ListQuery<'_>, raw: &[&ColumnInfo], page: &Page) -> Markup {
        let budget = Budget::new(PAGE);
        html! {
            @if let Some(comment) = &self.table.comment { p class="quiet" { (comment) } }
            (self.form(Some(query)))
            @if page.rows.is_empty() {
                p class="empty" { @if self.count == 0 { "There are no rows." } @else { "No rows match." } }
            } @else {
                div class="wide" tabindex="0" role="region" aria-label={ "Rows of " (self.table.name) } {
                    table {
                        (self.head(query))
                        tbody {
                            @for row in &page.rows { (self.row(query, raw, row, &budget)) }
                        }
                    }
                }
            }
            (self.foot(page))
        }
    }

    fn path(&self) -> String {
        self.visit.view.path(&format!("tables/{}", self.table.name))
    }

    /// Returns the form with filters and a choice of columns.
    pub(super) fn form(&self, query: Option<&ListQuery<'_>>) -> Markup {
        let params = &self.visit.params;
        let values: Vec<Vec<&str>> = FILTER.iter().map(|name| params.all(name).collect()).collect();
        let value =
            |part: usize, row: usize| values.get(part).and_then(|all| all.get(row)).copied().unwrap_or_default();
        let given = values.first().map_or(0, |all| all.iter().filter(|name| !name.is_empty()).count());
        let chosen = |name: &str| query.is_some_and(|query| query.columns.iter().any(|column| column.name == name));
        let chosen_by_hand = params.value("col").is_some();
        html! {
            form class="filter" action=(self.path()) role="search" {
                @if let Some(sort) = params.value("sort") { input type="hidden" name="sort" value=(sort); }
                div class="bar" {
                    label for="q" { "Contains" }
                    input id="q" name="q" type="search" value=(params.value("q").unwrap_or_default()) placeholder="any text column";
                    button { "Apply" }
                    a href=(self.path()) { "Reset" }
                    @if self.visit.may_edit(self.table) { a class="button" href={ (self.path()) "/new" } { "New row" } }
                }
                @for row in 0..=given {
                    div class="bar" {
                        select name="fc" aria-label={ "Column of filter " (row + 1) } {
                            option value="" { "filter by a column" }
                            @for column in &self.table.columns {
                                option value=(column.name) selected[value(0, row) == column.name] { (column.name) }
                            }
                        }
                        select name="fo" aria-label={ "Comparison of filter " (row + 1) } {
                            @for (_, name, words) in Comparison::ALL {
                                option value=(name) selected[value(1, row) == name] { (words) }
                            }
                        }
                        input name="fv" value=(value(2, row)) aria-label={ "Value of filter " (row + 1) };
                    }
                }
                details open[chosen_by_hand] {
                    summary { "Columns" }
                    div class="checks" {
                        @for column in &self.table.columns {
                            label title=[column.comment.as_deref()] {
                                input type="checkbox" name="col" value=(column.name) checked[chosen(&column.name)];
                                (column.name)
                            }
                        }
                    }
                }
            }
        }
    }

    fn head(&self, query: &ListQuery<'_>) -> Markup {
        let view = &self.visit.view;
        let plain = self.visit.params.without(&["sort"]).without(&PLACE);
        html! {
            thead { tr {
                th scope="col" { span class="unseen" { "Row" } }
                @for column in &query.columns {
                    @let is_sort = query.sort.is_some_and(|sort| sort.name == column.name);
                    @let can_sort = column.kind.is_ordered()
                        && (self.count <= COUNTED || self.table.is_indexed(view, &column.name));
                    @let order = if query.descending { "descending" } else { "ascending" };
                    th scope="col" title=[column.comment.as_deref()] aria-sort=[is_sort.then_some(order)] {
                        @if can_sort {
                            @let next = if is_sort && !query.descending { format!("-{}", column.name) } else { column.name.clone() };
                            a href=(plain.clone().with("sort", next).at(&self.path())) {
                                (column.name) @if is_sort { @if query.descending { " ↓" } @else { " ↑" } }
                            }
                        } @else { (column.name) }
                        span class="type" { (column.of_type) }
                    }
                }
            } }
        }
    }

    fn row(&self, query: &ListQuery<'_>, raw: &[&ColumnInfo], row: &ListedRow, budget: &Budget) -> Markup {
        let value = |name: &str| {
            let at = raw.iter().position(|column| column.name == name)?;
            row.raw.get(at)?.as_deref()
        };
        let address = key_address(&self.visit.view, &self.table.name, &self.table.key, &self.table.key, value);
        html! {
            tr {
                th scope="row" { @if let Some(address) = address { a href=(address) { "open" } } }
                @for (column, cell) in query.columns.iter().zip(&row.cells) {
                    @let reference = self.table.reference(&column.name).filter(|_| cell.is_some());
                    td class=(format!("{:?}", column.kind).to_lowercase()) {
                        @match reference.and_then(|key| self.reference_address(key, value)) {
                            Some(address) => a href=(address) { (short(column, cell.as_deref(), budget)) },
                            None => (short(column, cell.as_deref(), budget)),
                        }
                    }
                }
            }
        }
    }

    fn reference_address<'v>(&self, key: &ForeignKey, value: impl Fn(&str) -> Option<&'v str>) -> Option<String> {
        key_address(&self.visit.view, &key.table, &key.refers_to, &key.columns, value)
    }

    fn foot(&self, page: &Page) -> Markup {
        let params = &self.visit.params;
        let turned = |name: &str, place: &PageCursor| {
            let place = serde_json::to_string(place).unwrap_or_default();
            params.without(&PLACE).with(name, place).at(&self.path()).into_owned()
        };
        let copy = |form: &str| params.clone().with("as", form).at(&format!("{}/copy", self.path())).into_owned();
        html! {
            div class="bar foot" {
                @if let Some(place) = &page.before { a class="button" rel="prev" href=(turned("before", place)) { "← Previous" } }
                @if let Some(place) = &page.after { a class="button" rel="next" href=(turned("after", place)) { "Next →" } }
                @if let Some(place) = &page.resume_at {
                    span role="status" { (page.rows.len()) " of the next " (LOOKED_AT) " rows match." }
                    @if params.value("before").is_some() {
                        a class="button" rel="prev" href=(turned("before", place)) { "← Continue" }
                    } @else {
                        a class="button" rel="next" href=(turned("after", place)) { "Continue →" }
                    }
                }
                @if page.rows.is_empty() && PLACE.iter().any(|name| params.value(name).is_some()) {
                    a class="button" href=(params.without(&PLACE).at(&self.path())) { "First page" }
                }
                span class="quiet" { (self.total()) }
                @if !page.rows.is_empty() {
                    span { "Copy as "
                        @for form in ["SQL", "JSON", "CSV"] {
                            a class="button" data-copy href=(copy(&form.to_lowercase())) { (form) } " "
                        }
                    }
                    span id="copied" role="status" {}
                }
            }
        }
    }

    fn total(&self) -> String {
        match (self.count, &self.visit.view) {
            (count, _) if count <= COUNTED => format!("{count} {} in total, {ROWS} per page", noun_for(count, "row")),
            (_, View::Platform) if self.table.estimate > 0.0 => {
                format!("about {:.0} rows in total", self.table.estimate)
            }
            _ => format!("more than {COUNTED} rows in total"),
        }
    }
}

/// Returns the address of a row from its table, the names of its key, and the columns that hold the key's values here.
pub(crate) fn key_address<'v>(
    view: &View,
    table: &str,
    key: &[String],
    columns: &[String],
    value: impl Fn(&str) -> Option<&'v str>,
) -> Option<String> {
    if key.is_empty() {
        return None;
    }
    let parts = key.iter().zip(columns).map(|(name, column)| Some((name.as_str(), value(column)?.to_owned())));
    Some(view.row(table, parts.collect::<Option<Vec<_>>>()?))
}
