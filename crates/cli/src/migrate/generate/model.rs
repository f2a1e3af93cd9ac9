//! The Rust code of a tenants' table: its id, its line in the registry, and an initial model.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use workspace_db::tenancy::TENANT_TABLES;

use super::edit;
use super::table::{ColumnSchema, Reference, TableSchema, camel, singular};

/// Locations of the generated code in a crate.
struct Layout {
    ids: PathBuf,
    registry: PathBuf,
    models: PathBuf,
    /// Path prefix of this library's macros and modules.
    library: &'static str,
    /// Module of the crate's own ids.
    ids_module: &'static str,
}

/// Writes or extends the sources, and returns their paths.
pub(super) fn write(root: &Path, is_ours: bool, table: &TableSchema, references: &[Reference]) -> Result<Vec<PathBuf>> {
    let src = root.join("src");
    let layout = if is_ours {
        Layout {
            ids: src.join("id.rs"),
            registry: src.join("tenancy/registry.rs"),
            models: src.join("models"),
            library: "crate",
            ids_module: "crate::id",
        }
    } else {
        let registry = src.join("registry.rs");
        Layout {
            ids: registry.clone(),
            registry,
            models: src.join("models"),
            library: "workspace_db",
            ids_module: "crate::registry",
        }
    };
    let model = layout.models.join(format!("{}.rs", table.name));
    ids(&layout, is_ours, table)?;
    registry(&layout, is_ours, table, references)?;
    edit::file(&model, "", |_| Ok(stub(&layout, table, references)))?;
    let (name, row) = (&table.name, table.type_name());
    let module = layout.models.join("mod.rs");
    edit::file(&module, "//! One file a table: the row, what is inserted, what may change.\n", |text| {
        let mut names = [format!("New{row}"), format!("{row}Changes"), row.clone()];
        names.sort_unstable();
        let text = into_lines(&text, "mod ", &format!("mod {name};"));
        Ok(into_lines(&text, "pub use self::", &format!("pub use self::{name}::{{{}}};", names.join(", "))))
    })?;
    let all: BTreeSet<PathBuf> = [layout.ids, layout.registry, model, module].into();
    Ok(all.into_iter().collect())
}

const REGISTRY: &str =
    "//! The tenants' tables of this crate: their ids, their registration, and the relations between them.

#[allow(unused_imports, reason = \"which of them is named depends on the relations\")]
use workspace_db::schema::*;

use crate::schema::*;
";

fn ids(layout: &Layout, is_ours: bool, table: &TableSchema) -> Result<()> {
    let opening = if is_ours { "typed_ids! {" } else { "workspace_db::typed_ids! {" };
    let line = format!(
        "    /// Names a row of `{}` within its workspace.\n    pub {}Id, \"{}\";",
        table.name,
        table.type_name(),
        table.article()
    );
    edit::file(&layout.ids, REGISTRY, |text| edit::into_block(&with_block(text, opening), opening, &line))
}

fn registry(layout: &Layout, is_ours: bool, table: &TableSchema, references: &[Reference]) -> Result<()> {
    let (name, row) = (&table.name, table.type_name());
    let macro_of = |name: &str| format!("{}::{name}! {{", layout.library);
    edit::file(&layout.registry, REGISTRY, |mut text| {
        if is_ours {
            text = edit::into_import(&text, "use crate::schema::{", name)?;
            text = edit::into_import(&text, "use crate::id::{", &format!("{row}Id"))?;
        }
        text = edit::into_block(
            &with_block(text, &macro_of("tenant_tables")),
            &macro_of("tenant_tables"),
            &format!("    {name}: {row}Id,"),
        )?;
        let tenants = references.iter().filter(|one| one.is_tenants);
        for Reference { column, to, .. } in tenants.clone() {
            let line = format!("    {name}.{column} => {to};");
            text = edit::into_block(&with_block(text, &macro_of("relations")), &macro_of("relations"), &line)?;
        }
        let theirs: BTreeSet<&str> =
            tenants.map(|one| one.to.as_str()).filter(|to| !is_ours && TENANT_TABLES.contains(to)).collect();
        if !theirs.is_empty() {
            let theirs = theirs.into_iter().collect::<Vec<_>>().join(", ");
            text = format!("{text}workspace_db::appear_together!({name}: {theirs});\n");
        }
        Ok(text)
    })
}

/// Appends an empty block if the text has none.
fn with_block(text: String, opening: &str) -> String {
    if text.contains(&format!("\n{opening}")) { text } else { format!("{text}\n{opening}\n}}\n") }
}

/// Inserts a line in order among the lines with the same prefix, or appends it if there are none.
fn into_lines(text: &str, prefix: &str, line: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    if lines.contains(&line) {
        return text.to_owned();
    }
    let alike = |one: &&str| one.starts_with(prefix);
    let later = lines.iter().position(|one| alike(one) && *one > line);
    let behind = lines.iter().rposition(alike).map(|last| last + 1);
    let at = later.or(behind).unwrap_or_else(|| {
        lines.push("");
        lines.len()
    });
    lines.insert(at, line);
    format!("{}\n", lines.join("\n"))
}

fn stub(layout: &Layout, table: &TableSchema, references: &[Reference]) -> String {
    let (name, row, library) = (&table.name, table.type_name(), layout.library);
    let docs = if table.docs.is_empty() { format!("A row of `{name}`.") } else { table.docs.clone() };
    // The sign bits of a vector are for searches, which name the column.
    let fields: Vec<Field> = table
        .columns
        .iter()
        .filter(|column| column.sql_type != "Bit")
        .map(|column| Field::new(column, table, references))
        .collect();
    let has_time = table.column("updated_at").is_some();
    let written: Vec<&Field> = fields.iter().filter(|field| field.is_written).collect();
    let of_row: String = fields.iter().map(Field::declared).collect();
    let of_new: String = written.iter().map(|field| field.declared()).collect();
    let changed = written.iter().filter(|field| field.name != "id");
    let mut of_changes: String = changed.map(|field| field.changed()).collect();
    if has_time {
        of_changes.push_str(
            "    /// Time of the last change: the statement's own, always.\n    pub updated_at: StatementTime,\n",
        );
    }
    let needed: Vec<&&Field> = written.iter().filter(|field| field.name != "id" && !field.is_optional).collect();
    let arguments: Vec<String> = needed.iter().map(|field| format!("{}: {}", field.name, field.rust)).collect();
    let values: String = written
        .iter()
        .map(|field| match () {
            () if field.name == "id" => format!("            id: {row}Id::generate(),\n"),
            () if field.is_optional => format!("            {}: None,\n", field.name),
            () => format!("            {},\n", field.name),
        })
        .collect();
    let imports = imports(layout, name, &row, &fields, has_time);
    let untimed = if has_time {
        ""
    } else {
        "\n///\n/// The table has no `updated_at`, so a changeset in which all is `None` is refused by Diesel."
    };
    format!(
        "//! Table `{name}`.

{imports}
/// {docs}
#[derive(Clone, Debug, PartialEq, HasQuery)]
#[diesel(table_name = {name})]
pub struct {row} {{
{of_row}}}

/// A row of `{name}` to insert. The workspace is not in it: the scope supplies it.
#[derive(Clone, Debug, PartialEq, Insertable)]
#[diesel(table_name = {name})]
pub struct New{row} {{
{of_new}}}

impl New{row} {{
    /// What is needed; the id is fresh, and everything else is absent.
    #[must_use]
    pub fn new({}) -> Self {{
        Self {{
{values}        }}
    }}
}}

/// What may change in a row of `{name}`; `None` leaves a column as it is, `Some(None)` sets it to NULL.{untimed}
#[derive(Clone, Debug, Default, PartialEq, AsChangeset)]
#[diesel(table_name = {name})]
pub struct {row}Changes {{
{of_changes}}}

{library}::tenant_rows! {{
    {name}: New{row}, {row}Changes;
}}
",
        arguments.join(", ")
    )
}

/// A column as a field.
struct Field {
    name: String,
    docs: String,
    rust: String,
    is_optional: bool,
    /// True if a program writes it: not the workspace, generated values, or `created_at` and `updated_at`.
    is_written: bool,
}

impl Field {
    fn new(column: &ColumnSchema, table: &TableSchema, references: &[Reference]) -> Self {
        Self {
            name: column.name.clone(),
            docs: column.docs.clone(),
            rust: rust_type(column, table, references),
            is_optional: column.is_nullable,
            is_written: column.name == "id" || (column.name != "workspace_id" && !column.has_default()),
        }
    }

    fn wrapped(&self) -> String {
        if self.is_optional { format!("Option<{}>", self.rust) } else { self.rust.clone() }
    }

    fn declared(&self) -> String {
        format!("    /// {}\n    pub {}: {},\n", self.docs, self.name, self.wrapped())
    }

    fn changed(&self) -> String {
        format!("    /// {}\n    pub {}: Option<{}>,\n", self.docs, self.name, self.wrapped())
    }
}

fn rust_type(column: &ColumnSchema, table: &TableSchema, references: &[Reference]) -> String {
    if let Some(reference) = references.iter().find(|one| one.column == column.name) {
        return format!("{}Id", camel(&singular(&reference.to)));
    }
    match (column.name.as_str(), column.sql_type.as_str(), column.is_array) {
        ("id", ..) => format!("{}Id", table.type_name()),
        ("workspace_id", ..) => "WorkspaceId".to_owned(),
        (_, "Text", true) => "TextArray".to_owned(),
        (_, sql_type, is_array) => {
            let one = match sql_type {
                "Text" => "String",
                "Int2" => "i16",
                "Int4" => "i32",
                "Int8" => "i64",
                "Float4" => "f32",
                "Float8" => "f64",
                "Bool" => "bool",
                "Jsonb" => "Value",
                "Timestamptz" => "DateTime<Utc>",
                "Date" => "NaiveDate",
                "Bytea" => "Vec<u8>",
                "Vector" => "Embedding",
                other => other,
            };
            if is_array { format!("Vec<Option<{one}>>") } else { one.to_owned() }
        }
    }
}

/// Returns the imports in the order of rustfmt.
fn imports(layout: &Layout, table: &str, row: &str, fields: &[Field], has_time: bool) -> String {
    let library = layout.library;
    let own_id = format!("{row}Id");
    let names = |belongs: &dyn Fn(&str) -> bool| {
        let all: BTreeSet<&str> = fields.iter().map(|field| field.rust.as_str()).filter(|rust| belongs(rust)).collect();
        all.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let known = TENANT_TABLES.iter().chain(&["workspaces", "admin_users"]);
    let known: BTreeSet<String> = known.map(|table| format!("{}Id", camel(&singular(table)))).collect();
    let theirs = names(&|rust| rust != own_id && known.contains(rust));
    let own = names(&|rust| rust.ends_with("Id") && (rust == own_id || !known.contains(rust)));
    let plain = ["String", "i16", "i32", "i64", "f32", "f64", "bool", "Value", "NaiveDate", "Uuid"];
    let mut values = names(&|rust| !rust.ends_with("Id") && !rust.contains('<') && !plain.contains(&rust));
    if has_time {
        values.push("StatementTime".to_owned());
        values.sort_unstable();
    }
    let times: Vec<&str> = [("DateTime<Utc>", "DateTime"), ("NaiveDate", "NaiveDate"), ("DateTime<Utc>", "Utc")]
        .into_iter()
        .filter(|(rust, _)| fields.iter().any(|field| field.rust == *rust))
        .map(|(_, name)| name)
        .collect();
    // A crate of the user's needs no dependency on them, and has the same versions.
    let reexports = if library == "crate" { "" } else { "workspace_db::" };
    let mut outside = vec!["use diesel::prelude::*;".to_owned()];
    if !times.is_empty() {
        outside.push(format!("use {reexports}chrono::{};", braced(&times)));
    }
    if fields.iter().any(|field| field.rust == "Value") {
        outside.push(format!("use {reexports}serde_json::Value;"));
    }
    if fields.iter().any(|field| field.rust == "Uuid") {
        outside.push(format!("use {reexports}uuid::Uuid;"));
    }
    let strs = |names: &[String]| braced(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let of_types = (!values.is_empty()).then(|| format!("use {library}::sql_types::{};", strs(&values)));
    let schema = format!("use crate::schema::{table};");
    let inside = if library == "crate" {
        let ids: Vec<String> = theirs.into_iter().chain(own).collect::<BTreeSet<_>>().into_iter().collect();
        [Some(format!("use crate::id::{};", strs(&ids))), Some(schema), of_types]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
    } else {
        outside.push(format!("use workspace_db::id::{};", strs(&theirs)));
        outside.extend(of_types);
        vec![format!("use {}::{};", layout.ids_module, strs(&own)), schema]
    };
    outside.sort_unstable();
    format!("{}\n\n{}\n", outside.join("\n"), inside.join("\n"))
}

fn braced(names: &[&str]) -> String {
    if let [one] = names { (*one).to_owned() } else { format!("{{{}}}", names.join(", ")) }
}
