//! An initial model of a tenants' table: the row, the row to insert, and the changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;
use workspace_db::tenancy::TENANT_TABLES;

use super::edit;
use super::enums::Enums;
use super::references::Reference;
use super::registry::Layout;
use super::table::{ColumnSchema, TableSchema, camel, singular};

/// Writes the model unless the file exists, and returns the files that it wrote.
pub(super) fn write(
    layout: &Layout,
    table: &TableSchema,
    references: &[Reference],
    enums: &Enums,
) -> Result<Vec<PathBuf>> {
    let path = layout.models.join(format!("{}.rs", table.name));
    if path.exists() {
        return Ok(Vec::new());
    }
    let model = Model::new(layout, table, references, enums);
    edit::file(&path, "", |_| Ok(model.text()))?;
    let (name, row) = (&table.name, table.type_name());
    let beside = layout.models.with_extension("rs");
    let module = if beside.exists() { beside } else { layout.models.join("mod.rs") };
    edit::file(&module, "//! One file per table: the row, the row to insert, and the changes.\n", |text| {
        let mut names = [format!("New{row}"), format!("{row}Changes"), row.clone()];
        names.sort_unstable();
        let text = into_lines(&text, "mod ", &format!("mod {name};"));
        Ok(into_lines(&text, "pub use self::", &format!("pub use self::{name}::{{{}}};", names.join(", "))))
    })?;
    Ok(vec![path, module])
}

/// Returns the declaration of a column as a field, such as `pub tag: Option<String>`.
pub(super) fn field(table: &TableSchema, column: &ColumnSchema, references: &[Reference]) -> String {
    let field = Field::new(column, table, references);
    format!("pub {}: {}", field.name, field.wrapped())
}

/// Inserts a line in order among the lines with the same prefix, or appends it if there are none.
fn into_lines(text: &str, prefix: &str, line: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.contains(&line) {
        return text.to_owned();
    }
    let alike = |one: &&str| one.starts_with(prefix);
    let later = lines.iter().position(|one| alike(one) && *one > line);
    // A list of names may take several lines.
    let end_of =
        |first: usize| lines.iter().skip(first).position(|line| line.ends_with(';')).map_or(first, |end| first + end);
    let behind = lines.iter().rposition(alike).map(|last| end_of(last) + 1);
    let at = later.or(behind).unwrap_or_else(|| {
        lines.push("");
        lines.len()
    });
    lines.insert(at, line);
    format!("{}\n", lines.join("\n"))
}

struct Model<'a> {
    layout: &'a Layout,
    table: &'a TableSchema,
    enums: &'a Enums,
    fields: Vec<Field>,
    /// True if the changes set `updated_at`.
    has_time: bool,
    /// True if the rows have a place in the order of pages.
    has_page_key: bool,
}

impl<'a> Model<'a> {
    fn new(layout: &'a Layout, table: &'a TableSchema, references: &[Reference], enums: &'a Enums) -> Self {
        let has_column = |name: &str| {
            let is_time = |one: &ColumnSchema| one.sql_type == "Timestamptz" && !one.is_nullable && !one.is_array;
            table.column(name).is_some_and(|one| is_time(one) && one.field == name)
        };
        Self {
            layout,
            table,
            enums,
            // The sign bits of a vector are for searches, which name the column.
            fields: table
                .columns
                .iter()
                .filter(|column| column.sql_type != "Bit")
                .map(|column| Field::new(column, table, references))
                .collect(),
            has_time: has_column("updated_at"),
            has_page_key: has_column("created_at"),
        }
    }

    fn text(&self) -> String {
        let (name, row) = (&self.table.name, self.table.type_name());
        let docs = if self.table.docs.is_empty() { format!("A row of `{name}`.") } else { self.table.docs.clone() };
        let written: Vec<&Field> = self.fields.iter().filter(|field| field.is_written).collect();
        let of_row: String = self.fields.iter().map(Field::declared).collect();
        let of_new: String = written.iter().map(|field| field.declared()).collect();
        let changed = written.iter().filter(|field| field.name != "id");
        let mut of_changes: String = changed.map(|field| field.changed()).collect();
        if self.has_time {
            of_changes.push_str(
                "    /// Time of the last change, which every update sets.\n    pub updated_at: StatementTime,\n",
            );
        }
        let needed = written.iter().filter(|field| field.name != "id" && !field.is_optional);
        let arguments: Vec<String> = needed.map(|field| format!("{}: {}", field.name, field.rust())).collect();
        let values: String = written
            .iter()
            .map(|field| match () {
                () if field.name == "id" => format!("            id: {row}Id::generate(),\n"),
                () if field.is_optional => format!("            {}: None,\n", field.name),
                () => format!("            {},\n", field.name),
            })
            .collect();
        let untimed = if self.has_time {
            ""
        } else {
            "\n///\n/// The table has no `updated_at`, so Diesel rejects a changeset in which every field is `None`."
        };
        let page_key = if self.has_page_key { page_key(&row) } else { String::new() };
        format!(
            "//! Table `{name}`.

{}
/// {docs}
#[derive(Clone, Debug, PartialEq, HasQuery)]
#[diesel(table_name = {name})]
pub struct {row} {{
{of_row}}}

/// A row of `{name}` to insert. It has no workspace: the scope supplies it.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = {name})]
pub struct New{row} {{
{of_new}}}

impl New{row} {{
    /// Creates the row with a new id, and NULL in the nullable columns.
    #[must_use]
    pub fn new({}) -> Self {{
        Self {{
{values}        }}
    }}
}}

/// Changes to a row of `{name}`; `None` leaves a column unchanged, `Some(None)` sets it to NULL.{untimed}
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = {name})]
pub struct {row}Changes {{
{of_changes}}}
{page_key}
{}::tenant_rows! {{
    {name}: New{row}, {row}Changes;
}}
",
            self.imports(),
            arguments.join(", "),
            self.layout.library,
        )
    }

    /// Returns the imports in the order of rustfmt.
    fn imports(&self) -> String {
        let library = self.layout.library;
        let own_id = format!("{}Id", self.table.type_name());
        let used: BTreeSet<&str> = self.fields.iter().map(|field| field.base.as_str()).collect();
        let known = TENANT_TABLES.iter().chain(&["workspaces", "admin_users"]);
        let known: BTreeSet<String> = known.map(|table| id_type(table)).collect();
        let mut imports = Imports::default();
        for one in used {
            match one {
                "String" | "i16" | "i32" | "i64" | "f32" | "f64" | "bool" | "Vec<u8>" => {}
                "DateTime<Utc>" => imports.add("chrono", &["DateTime", "Utc"]),
                "NaiveDate" => imports.add("chrono", &["NaiveDate"]),
                "Value" => imports.add("serde_json", &["Value"]),
                "Uuid" => imports.add("uuid", &["Uuid"]),
                "TextArray" | "Embedding" => imports.add(&format!("{library}::sql_types"), &[one]),
                id if id == own_id => imports.add(self.layout.ids_module, &[id]),
                id if known.contains(id) => imports.add(&format!("{library}::id"), &[id]),
                one => match self.enums.module(one) {
                    Some(module) => imports.add(module, &[one]),
                    None => imports.add(self.layout.ids_module, &[one]),
                },
            }
        }
        if self.has_time {
            imports.add(&format!("{library}::sql_types"), &["StatementTime"]);
        }
        if self.has_page_key {
            imports.add(&format!("{library}::tenancy"), &["Keyset", "PageKey"]);
        }
        imports.text(library, &format!("use crate::schema::{};", self.table.name))
    }
}

fn page_key(row: &str) -> String {
    format!(
        "
impl Keyset for {row} {{
    fn page_key(&self) -> PageKey {{
        PageKey {{ created_at: self.created_at, id: *self.id.as_uuid() }}
    }}
}}
"
    )
}

/// Imported names by module.
#[derive(Default)]
struct Imports(BTreeMap<String, BTreeSet<String>>);

impl Imports {
    fn add(&mut self, module: &str, names: &[&str]) {
        self.0.entry(module.to_owned()).or_default().extend(names.iter().map(|name| (*name).to_owned()));
    }

    fn text(&self, library: &str, schema: &str) -> String {
        // A crate of the user's needs no dependency on them, and has the same versions.
        let reexports = if library == "crate" { "" } else { "workspace_db::" };
        let line = |(module, names): (&String, &BTreeSet<String>)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let names = if let [one] = names[..] { one.to_owned() } else { format!("{{{}}}", names.join(", ")) };
            let is_reexport = ["chrono", "serde_json", "uuid"].contains(&module.as_str());
            format!("use {}{module}::{names};", if is_reexport { reexports } else { "" })
        };
        let is_inside = |line: &String| line.starts_with("use crate::");
        let (mut inside, mut outside): (Vec<String>, Vec<String>) = self.0.iter().map(line).partition(is_inside);
        inside.push(schema.to_owned());
        outside.push("use diesel::prelude::*;".to_owned());
        inside.sort_unstable();
        outside.sort_unstable();
        format!("{}\n\n{}\n", outside.join("\n"), inside.join("\n"))
    }
}

/// A column as a field.
struct Field {
    name: String,
    docs: String,
    /// Type of the value, or of the elements of an array.
    base: String,
    is_array: bool,
    is_optional: bool,
    /// True if a program writes it: not the workspace, generated values, or `created_at` and `updated_at`.
    is_written: bool,
}

impl Field {
    fn new(column: &ColumnSchema, table: &TableSchema, references: &[Reference]) -> Self {
        let is_text_array = column.is_array && column.sql_type == "Text";
        Self {
            name: column.field.clone(),
            docs: column.docs.clone(),
            base: if is_text_array { "TextArray".to_owned() } else { base_type(column, table, references) },
            is_array: column.is_array && !is_text_array,
            is_optional: column.is_nullable,
            is_written: column.name == "id" || (column.name != "workspace_id" && !column.has_default()),
        }
    }

    fn rust(&self) -> String {
        if self.is_array { format!("Vec<Option<{}>>", self.base) } else { self.base.clone() }
    }

    fn wrapped(&self) -> String {
        if self.is_optional { format!("Option<{}>", self.rust()) } else { self.rust() }
    }

    fn declared(&self) -> String {
        format!("    /// {}\n    pub {}: {},\n", self.docs, self.name, self.wrapped())
    }

    fn changed(&self) -> String {
        format!("    /// {}\n    pub {}: Option<{}>,\n", self.docs, self.name, self.wrapped())
    }
}

/// Returns the type of a table's id.
fn id_type(table: &str) -> String {
    // Its rows are called entries.
    if table == "audit_log" { "AuditEntryId".to_owned() } else { format!("{}Id", camel(&singular(table))) }
}

fn base_type(column: &ColumnSchema, table: &TableSchema, references: &[Reference]) -> String {
    if let Some(reference) = references.iter().find(|one| one.column == column.name) {
        return id_type(&reference.to);
    }
    match (column.name.as_str(), column.sql_type.as_str()) {
        ("id", _) => return format!("{}Id", table.type_name()),
        ("workspace_id", _) => "WorkspaceId",
        (_, "Text") => "String",
        (_, "Int2") => "i16",
        (_, "Int4") => "i32",
        (_, "Int8") => "i64",
        (_, "Float4") => "f32",
        (_, "Float8") => "f64",
        (_, "Bool") => "bool",
        (_, "Jsonb") => "Value",
        (_, "Timestamptz") => "DateTime<Utc>",
        (_, "Date") => "NaiveDate",
        (_, "Bytea") => "Vec<u8>",
        (_, "Vector") => "Embedding",
        (_, other) => other,
    }
    .to_owned()
}
