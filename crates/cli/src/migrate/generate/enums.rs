//! The enums of the crate: where they are declared, and which of them the database lacks.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, Item, LitStr, Token, braced};
use workspace_db::sql_types::PG_ENUMS;

use super::edit;
use super::existing_schema::ExistingSchema;
use super::table::{camel, snake};

/// Enums that columns may have, by the name of their Rust type.
pub(super) struct Enums(BTreeMap<String, EnumType>);

struct EnumType {
    /// Module of the Rust type.
    module: String,
    /// Name in the database.
    name: String,
    labels: Vec<String>,
    origin: Origin,
}

#[derive(PartialEq, Eq)]
enum Origin {
    /// The database has it, and a Rust type exists.
    Both,
    /// Only the crate declares it.
    Crate,
    /// Only the database has it.
    Database,
}

/// `Name = "name" { Variant = "label", ... }` in `pg_enums!`
struct Declaration {
    rust: String,
    name: String,
    labels: Vec<String>,
}

impl Parse for Declaration {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.call(Attribute::parse_outer)?;
        let rust = input.parse::<Ident>()?.to_string();
        input.parse::<Token![=]>()?;
        let name = input.parse::<LitStr>()?.value();
        let content;
        braced!(content in input);
        let mut labels = Vec::new();
        while !content.is_empty() {
            content.call(Attribute::parse_outer)?;
            content.parse::<Ident>()?;
            content.parse::<Token![=]>()?;
            labels.push(content.parse::<LitStr>()?.value());
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        Ok(Self { rust, name, labels })
    }
}

struct Declarations(Vec<Declaration>);

impl Parse for Declarations {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut all = Vec::new();
        while !input.is_empty() {
            all.push(input.parse()?);
        }
        Ok(Self(all))
    }
}

impl Enums {
    /// Returns the enums of the database and those that the sources in `src` declare.
    pub(super) fn read(src: &Path, is_ours: bool, library: &str, known: &ExistingSchema) -> Self {
        let mut all = BTreeMap::new();
        for (name, labels) in &known.enums {
            let is_of_library = PG_ENUMS.iter().any(|(one, _)| one == name);
            let (module, origin) = if is_of_library {
                (format!("{library}::sql_types"), Origin::Both)
            } else {
                ("crate::sql_types".to_owned(), Origin::Database)
            };
            all.insert(camel(name), EnumType { module, name: name.clone(), labels: labels.clone(), origin });
        }
        if !is_ours {
            in_folder(src, "crate", known, &mut all);
        }
        Self(all)
    }

    /// Returns the type in the database.
    pub(super) fn name(&self, rust: &str) -> Option<&str> {
        self.0.get(rust).map(|one| one.name.as_str())
    }

    /// Returns the module of the Rust type.
    pub(super) fn module(&self, rust: &str) -> Option<&str> {
        self.0.get(rust).map(|one| one.module.as_str())
    }

    /// Returns the statements that create the types of these columns, and those that drop them.
    pub(super) fn statements<'a>(
        &self,
        known: &ExistingSchema,
        types: impl Iterator<Item = &'a str>,
    ) -> (Vec<String>, Vec<String>) {
        let missing = self.among(types, &Origin::Crate);
        let create = missing.iter().map(|one| {
            let labels: Vec<String> =
                one.labels.iter().map(|label| format!("'{}'", label.replace('\'', "''"))).collect();
            format!("CREATE TYPE {} AS ENUM ({});", known.quoted_type(&one.name), labels.join(", "))
        });
        let drop = missing.iter().map(|one| format!("DROP TYPE {};", known.quoted_type(&one.name)));
        (create.collect(), drop.collect())
    }

    /// Declares the types of these columns that no source declares, and returns the file if it changed.
    pub(super) fn declare<'a>(&self, src: &Path, types: impl Iterator<Item = &'a str>) -> Result<Option<PathBuf>> {
        let missing = self.among(types, &Origin::Database);
        let folder = src.join("sql_types/mod.rs");
        let path = if folder.exists() { folder } else { src.join("sql_types.rs") };
        for one in &missing {
            let variants = variants(&one.labels);
            let declared = format!(
                "    /// Enum `{0}` of the database.\n    {1} = \"{0}\" {{\n{variants}    }}",
                one.name,
                camel(&one.name)
            );
            let opening = "workspace_db::pg_enums! {";
            edit::file(&path, "//! Enums of the database.\n", |text| edit::into_block(&text, opening, &declared))?;
        }
        Ok((!missing.is_empty()).then_some(path))
    }

    fn among<'a>(&self, types: impl Iterator<Item = &'a str>, origin: &Origin) -> Vec<&EnumType> {
        let mut found: Vec<&EnumType> =
            types.filter_map(|rust| self.0.get(rust)).filter(|one| one.origin == *origin).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|a, b| a.name == b.name);
        found
    }
}

/// Returns a variant for each label, each of another name.
fn variants(labels: &[String]) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut lines = Vec::new();
    for label in labels {
        let words: String = label.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        let mut name = camel(&words);
        if !name.starts_with(|c: char| c.is_alphabetic()) {
            name = format!("V{name}");
        }
        if name == "Self" || names.contains(&name) {
            name = format!("{name}{}", names.len());
        }
        lines.push(format!("        /// `{label}`\n        {name} = {label:?},\n"));
        names.push(name);
    }
    lines.concat()
}

/// Adds the enums that the files of a folder declare. A file that does not parse is skipped: the compiler reports it.
fn in_folder(folder: &Path, module: &str, known: &ExistingSchema, all: &mut BTreeMap<String, EnumType>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        if path.is_dir() {
            in_folder(&path, &format!("{module}::{stem}"), known, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let is_root = ["lib", "main", "mod"].contains(&stem);
            let module = if is_root { module.to_owned() } else { format!("{module}::{stem}") };
            let parsed = fs::read_to_string(&path).ok().and_then(|text| syn::parse_file(&text).ok());
            in_items(parsed.map(|file| file.items).unwrap_or_default(), &module, known, all);
        }
    }
}

fn in_items(items: Vec<Item>, module: &str, known: &ExistingSchema, all: &mut BTreeMap<String, EnumType>) {
    for item in items {
        match item {
            Item::Mod(inner) => {
                let module = format!("{module}::{}", inner.ident);
                in_items(inner.content.map(|(_, items)| items).unwrap_or_default(), &module, known, all);
            }
            // By hand: the type in the database must exist, because its labels are unknown here.
            Item::Enum(one) => {
                let rust = one.ident.to_string();
                let name = snake(&rust);
                let is_undeclared = all.get(&rust).is_none_or(|known| known.origin == Origin::Database);
                if let Some(labels) = known.enums.get(&name).filter(|_| is_undeclared) {
                    let labels = labels.clone();
                    all.insert(rust, EnumType { module: module.to_owned(), name, labels, origin: Origin::Both });
                }
            }
            Item::Macro(one) if one.mac.path.segments.last().is_some_and(|last| last.ident == "pg_enums") => {
                let Ok(declared) = one.mac.parse_body::<Declarations>() else { continue };
                for Declaration { rust, name, labels } in declared.0 {
                    let origin = if known.enums.contains_key(&name) { Origin::Both } else { Origin::Crate };
                    all.insert(rust, EnumType { module: module.to_owned(), name, labels, origin });
                }
            }
            _ => {}
        }
    }
}
