//! The tables and their references as a diagram.

use std::collections::HashMap;

use maud::{Markup, html};

use super::catalog::TableInfo;
use super::view::View;

const WIDTH: usize = 190;
const GAP_ACROSS: usize = 80;
const GAP_DOWN: usize = 24;
const LINE: usize = 16;

/// A table and its position.
struct PlacedTable<'t> {
    table: &'t TableInfo,
    /// Columns that refer to other tables.
    columns: Vec<&'t str>,
    x: usize,
    y: usize,
}

impl PlacedTable<'_> {
    fn height(&self) -> usize {
        LINE * (self.columns.len() + 1) + 12
    }
}

/// Draws the tables from left to right, each to the right of the tables that it refers to.
pub(super) fn draw(tables: &[&TableInfo], view: &View) -> Markup {
    let drawn: Vec<&TableInfo> = tables.iter().copied().filter(|table| table.name != "workspaces").collect();
    let depths = depths(&drawn);
    let mut bottoms: Vec<usize> = Vec::new();
    let mut placed: Vec<PlacedTable<'_>> = Vec::new();
    for table in &drawn {
        let depth = depths.get(table.name.as_str()).copied().unwrap_or(0);
        if bottoms.len() <= depth {
            bottoms.resize(depth + 1, GAP_DOWN / 2);
        }
        let columns = references(&drawn, table).map(|(_, column)| column).collect();
        let Some(bottom) = bottoms.get_mut(depth) else { continue };
        let one = PlacedTable { table, columns, x: 2 + depth * (WIDTH + GAP_ACROSS), y: *bottom };
        *bottom += one.height() + GAP_DOWN;
        placed.push(one);
    }
    let (width, height) = (bottoms.len() * (WIDTH + GAP_ACROSS), bottoms.iter().copied().max().unwrap_or(0));
    html! {
        svg class="diagram" width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) } role="group" aria-label="Tables and their references" {
            @for one in &placed { (arrows(&placed, one)) }
            @for one in &placed {
                a href=(view.path(&format!("tables/{}", one.table.name))) {
                    rect x=(one.x) y=(one.y) width=(WIDTH) height=(one.height()) rx="6" {}
                    text class="name" x=(one.x + 10) y=(one.y + LINE + 2) { (one.table.name) }
                    @for (row, column) in one.columns.iter().enumerate() {
                        text x=(one.x + 10) y=(one.y + LINE * (row + 2) + 2) { (column) }
                    }
                }
            }
        }
    }
}

/// Returns the tables that a table refers to, except the workspace, and the columns of the references.
fn references<'t>(drawn: &'t [&'t TableInfo], table: &'t TableInfo) -> impl Iterator<Item = (&'t TableInfo, &'t str)> {
    table.foreign_keys.iter().filter_map(|key| {
        let to = drawn.iter().copied().find(|other| other.name == key.table)?;
        Some((to, key.columns.iter().rfind(|column| *column != "workspace_id")?.as_str()))
    })
}

/// Returns the length of each table's longest chain of references. A cycle ends at its first repeated table.
fn depths<'t>(drawn: &'t [&'t TableInfo]) -> HashMap<&'t str, usize> {
    let mut known = HashMap::new();
    for table in drawn {
        depth(drawn, table, &mut Vec::new(), &mut known);
    }
    known
}

fn depth<'t>(
    drawn: &'t [&'t TableInfo],
    table: &'t TableInfo,
    path: &mut Vec<&'t str>,
    known: &mut HashMap<&'t str, usize>,
) -> usize {
    if let Some(depth) = known.get(table.name.as_str()) {
        return *depth;
    }
    path.push(&table.name);
    let mut deepest = 0;
    for (to, _) in references(drawn, table) {
        if !path.contains(&to.name.as_str()) {
            deepest = deepest.max(1 + depth(drawn, to, path, known));
        }
    }
    path.pop();
    known.insert(&table.name, deepest);
    deepest
}

fn arrows(placed: &[PlacedTable<'_>], from: &PlacedTable<'_>) -> Markup {
    let drawn: Vec<&TableInfo> = placed.iter().map(|one| one.table).collect();
    let ends = references(&drawn, from.table).enumerate().filter_map(|(row, (to, _))| {
        let to = placed.iter().find(|one| one.table.name == to.name)?;
        let (x, y) = (from.x, from.y + LINE * (row + 2) - 3);
        let (to_x, to_y) = (to.x + WIDTH, to.y + LINE);
        let bend = GAP_ACROSS / 2;
        Some(format!("M{x} {y}C{} {y} {} {to_y} {to_x} {to_y}", x.saturating_sub(bend), to_x + bend))
    });
    html! { @for path in ends { path class="arrow" d=(path) {} } }
}
