//! Foreign keys of tenants' tables, and the order in which they can be created.

use anyhow::Result;

use super::existing_schema::ExistingSchema;
use super::table::{ColumnSchema, TableSchema, camel, singular};
use crate::error::ConflictingArguments;

/// Table that every workspace may refer to, and that belongs to none.
const PEOPLE: &str = "admin_users";

/// A foreign key.
#[derive(Clone)]
pub(super) struct Reference {
    pub(super) column: String,
    /// Name of the column in Rust.
    pub(super) field: String,
    pub(super) to: String,
    pub(super) is_nullable: bool,
    pub(super) is_tenants: bool,
}

/// Relation in the registry, which needs an alias if the table's name alone does not say which key is meant.
pub(super) struct Relation<'a> {
    pub(super) reference: &'a Reference,
    pub(super) alias: Option<Alias>,
}

/// An alias of the referenced table.
pub(super) struct Alias {
    pub(super) name: String,
    pub(super) type_name: String,
}

/// Returns the references of these columns by `--references`, or by their names: `document_id` refers to `documents`, and
/// `parent_id` to its own table.
pub(super) fn of_columns<'a>(
    table: &TableSchema,
    columns: impl Iterator<Item = &'a ColumnSchema>,
    given: &[(String, String)],
    tenants: &[&str],
) -> Result<Vec<Reference>> {
    let mut found = Vec::new();
    for column in
        columns.filter(|column| column.name != "workspace_id" && column.sql_type == "Uuid" && !column.is_array)
    {
        let said = given.iter().find(|(of, _)| *of == column.name).map(|(_, to)| to.as_str());
        let by_name = column.name.strip_suffix("_id").and_then(|stem| {
            let named = tenants.iter().copied().chain([PEOPLE]).find(|name| singular(name) == stem);
            named.or_else(|| (stem == "parent").then_some(table.name.as_str()))
        });
        let Some(to) = said.or(by_name) else { continue };
        if !tenants.contains(&to) && to != PEOPLE {
            return Err(ConflictingArguments(format!(
                "{}.{} can't reference {to}: there is no tenant table of this name",
                table.name, column.name
            ))
            .into());
        }
        found.push(Reference {
            column: column.name.clone(),
            field: column.field.clone(),
            to: to.to_owned(),
            is_nullable: column.is_nullable,
            is_tenants: to != PEOPLE,
        });
    }
    Ok(found)
}

/// Returns the tenants' tables of the database and the new ones.
pub(super) fn tenants<'a>(known: &'a ExistingSchema, new: &[&'a TableSchema]) -> Vec<&'a str> {
    let of_database = known.tenants.iter().map(String::as_str);
    of_database.chain(new.iter().filter(|one| one.is_tenants()).map(|one| one.name.as_str())).collect()
}

/// Returns the relations of a table. `others` is the number of relations to a table that the registry already has.
pub(super) fn relations<'a>(
    table: &TableSchema,
    references: &'a [Reference],
    others: impl Fn(&str) -> usize,
) -> Vec<Relation<'a>> {
    let to_tenants = || references.iter().filter(|one| one.is_tenants);
    to_tenants()
        .map(|reference| {
            let alike = to_tenants().filter(|one| one.to == reference.to).count() + others(&reference.to);
            let is_ambiguous = alike > 1 || reference.to == table.name;
            let alias = is_ambiguous.then(|| {
                let stem = reference.column.strip_suffix("_id").unwrap_or(&reference.column);
                let name = format!("{}_{stem}", singular(&table.name));
                Alias { type_name: camel(&name), name }
            });
            Relation { reference, alias }
        })
        .collect()
}

/// A new table with the references that its CREATE TABLE can contain, and those that must wait for another table.
pub(super) struct NewTable<'a> {
    pub(super) table: &'a TableSchema,
    pub(super) references: Vec<Reference>,
    pub(super) later: Vec<Reference>,
}

/// Sorts referenced tables first, and otherwise keeps the order of the file. If tables refer to each other in a circle, a
/// reference waits until both exist.
pub(super) fn in_order(mut tables: Vec<(&TableSchema, Vec<Reference>)>) -> Vec<NewTable<'_>> {
    let mut ordered = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let is_of = |reference: &Reference, name: &str| {
            reference.to != name && tables.iter().any(|(other, _)| other.name == reference.to)
        };
        let waits = |(table, references): &(&TableSchema, Vec<Reference>)| {
            references.iter().any(|reference| is_of(reference, &table.name))
        };
        let at = tables.iter().position(|one| !waits(one)).unwrap_or(0);
        let (table, references) = tables.remove(at);
        let (later, references) =
            references.into_iter().partition(|reference| tables.iter().any(|(other, _)| other.name == reference.to));
        ordered.push(NewTable { table, references, later });
    }
    ordered
}
