//! A table as `schema.rs` describes it.

use anyhow::{Context as _, Result};
use diesel_table_macro_syntax::{ColumnDef, TableDecl};
use syn::{Attribute, Expr, ExprLit, GenericArgument, Item, Lit, Meta, PathArguments};

use crate::error::ConflictingArguments;

pub(super) struct TableSchema {
    pub(super) name: String,
    /// Name of the module in Rust.
    module: String,
    pub(super) docs: String,
    key: Vec<String>,
    pub(super) columns: Vec<ColumnSchema>,
}

pub(super) struct ColumnSchema {
    pub(super) name: String,
    /// Name in Rust, which has an underscore after a keyword.
    pub(super) field: String,
    pub(super) docs: String,
    /// SQL type without `Nullable`, by its last name; for an array, the type of its elements.
    pub(super) sql_type: String,
    pub(super) is_array: bool,
    pub(super) is_nullable: bool,
}

/// Parses every `table!` of a file.
pub(super) fn parse(text: &str) -> Result<Vec<TableSchema>> {
    let file = syn::parse_file(text)?;
    let macros = file.items.into_iter().filter_map(|item| match item {
        Item::Macro(item) if item.mac.path.segments.last().is_some_and(|last| last.ident == "table") => Some(item.mac),
        _ => None,
    });
    macros
        .map(|one| TableSchema::from_declaration(&one.parse_body().context("a table! macro can't be parsed")?))
        .collect()
}

impl TableSchema {
    fn from_declaration(declared: &TableDecl) -> Result<Self> {
        let key = declared.primary_keys.iter().flat_map(|key| key.keys.iter().map(ToString::to_string)).collect();
        let columns = declared.column_defs.iter().map(ColumnSchema::from_declaration).collect::<Result<_>>()?;
        Ok(Self {
            name: declared.sql_name.clone(),
            module: declared.table_name.to_string(),
            docs: docs(&declared.meta),
            key,
            columns,
        })
    }

    pub(super) fn is_tenants(&self) -> bool {
        self.columns.iter().any(|column| column.name == "workspace_id")
    }

    pub(super) fn column(&self, name: &str) -> Option<&ColumnSchema> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(super) fn has_all(&self, columns: &str) -> bool {
        columns.split(',').all(|name| self.column(name.trim()).is_some())
    }

    /// Verifies that it can be a tenants' table. Otherwise the error states the required change.
    pub(super) fn validate(&self) -> Result<()> {
        let wrong = |what: &str| Err(ConflictingArguments(format!("{} in src/schema.rs {what}", self.name)).into());
        if self.module != self.name {
            return wrong("has another name in Rust, and `tenant_tables!` needs one name for both");
        }
        if self.key != ["workspace_id", "id"] {
            return wrong("needs the primary key (workspace_id, id), with workspace_id first");
        }
        for name in ["workspace_id", "id"] {
            if !self
                .column(name)
                .is_some_and(|column| column.sql_type == "Uuid" && !column.is_nullable && !column.is_array)
            {
                return wrong(&format!("needs the column {name} -> Uuid"));
            }
        }
        Ok(())
    }

    /// Returns the name of the type: `DocumentTag` for `document_tags`.
    pub(super) fn type_name(&self) -> String {
        camel(&singular(&self.name))
    }

    /// Returns `a document tag` for `document_tags`.
    pub(super) fn article(&self) -> String {
        let words = singular(&self.name).replace('_', " ");
        let an = words.starts_with(['a', 'e', 'i', 'o', 'u']);
        format!("{} {words}", if an { "an" } else { "a" })
    }
}

impl ColumnSchema {
    fn from_declaration(declared: &ColumnDef) -> Result<Self> {
        let name = declared.sql_name.clone();
        let mut is_nullable = false;
        let mut is_array = false;
        let mut path = declared.tpe.clone();
        loop {
            let last = path.path.segments.last().context("a type without a name")?;
            let within = match &last.arguments {
                PathArguments::AngleBracketed(arguments) => arguments.args.iter().find_map(|one| match one {
                    GenericArgument::Type(syn::Type::Path(inner)) => Some(inner.clone()),
                    _ => None,
                }),
                _ => None,
            };
            match (last.ident.to_string().as_str(), within) {
                // The elements of an array can always be null, so this says nothing about the column.
                ("Nullable", Some(inner)) => {
                    is_nullable |= !is_array;
                    path = inner;
                }
                ("Array", Some(inner)) => {
                    is_array = true;
                    path = inner;
                }
                (sql_type, _) => {
                    let docs = docs(&declared.meta);
                    return Ok(Self {
                        docs: if docs.is_empty() { usual(&name) } else { docs },
                        field: declared.column_name.to_string(),
                        sql_type: plain(sql_type),
                        name,
                        is_array,
                        is_nullable,
                    });
                }
            }
        }
    }

    /// Returns true if the database has a default value for it.
    pub(super) fn has_default(&self) -> bool {
        self.default().is_some()
    }

    pub(super) fn default(&self) -> Option<&'static str> {
        match (self.name.as_str(), self.sql_type.as_str()) {
            ("id", "Uuid") => Some("gen_random_uuid()"),
            ("created_at" | "updated_at", "Timestamptz") => Some("now()"),
            _ => None,
        }
    }
}

/// Returns one of Diesel's names for a type that has several.
fn plain(name: &str) -> String {
    match name {
        "Integer" => "Int4",
        "SmallInt" => "Int2",
        "BigInt" => "Int8",
        "Float" => "Float4",
        "Double" => "Float8",
        "Varchar" => "Text",
        "Binary" => "Bytea",
        "Timestamp" => "Timestamptz",
        other => other,
    }
    .to_owned()
}

/// Returns the conventional description of a column without a doc comment.
fn usual(name: &str) -> String {
    match name {
        "id" => "Identity within the workspace.".to_owned(),
        "workspace_id" => "The workspace.".to_owned(),
        "created_at" => "Time of insertion.".to_owned(),
        "updated_at" => "Time of the last change, set by the statement that makes it.".to_owned(),
        name => {
            let words = name.trim_end_matches("_id").replace('_', " ");
            format!("The {words}.")
        }
    }
}

fn docs(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|one| match &one.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                Some(text.value().split_whitespace().collect::<Vec<_>>().join(" "))
            }
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ").trim().to_owned()
}

pub(super) fn singular(name: &str) -> String {
    match (name.strip_suffix("ies"), name.strip_suffix('s')) {
        (Some(stem), _) => format!("{stem}y"),
        (None, Some(stem)) => stem.to_owned(),
        (None, None) => name.to_owned(),
    }
}

pub(super) fn camel(name: &str) -> String {
    let word =
        |word: &str| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect::<String>();
    name.split('_').map(word).collect()
}

/// Returns `document_status` for `DocumentStatus`.
pub(super) fn snake(name: &str) -> String {
    name.chars()
        .enumerate()
        .flat_map(|(at, c)| (at > 0 && c.is_uppercase()).then_some('_').into_iter().chain(c.to_lowercase()))
        .collect()
}
