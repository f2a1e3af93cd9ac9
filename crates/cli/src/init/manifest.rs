//! The Cargo.toml of a crate, to which dependencies are added.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use toml_edit::{DocumentMut, Item, Table};

/// Dependencies of a crate with tables of its own, as README.md shows them.
const DEPENDENCIES: &str = include_str!("template/dependencies.toml");
/// Path to the clone of workspace-db in [`DEPENDENCIES`].
const LIBRARY: &str = "../workspace-db";

pub(super) struct Manifest {
    path: PathBuf,
    document: DocumentMut,
    name: String,
}

impl Manifest {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("Cargo.toml");
        let text = fs::read_to_string(&path).with_context(|| {
            format!("can't read {}; run `cargo new --lib my-service` first, and this in its folder", path.display())
        })?;
        let document: DocumentMut = text.parse().with_context(|| path.display().to_string())?;
        let of = |table: &str| document.get(table).and_then(|table| table.get("name")).and_then(Item::as_str);
        let Some(name) = of("lib").or_else(|| of("package")) else {
            bail!("{} has no package; run this in the folder of one crate", path.display());
        };
        Ok(Self { name: name.to_owned(), path, document })
    }

    /// Returns the name by which tests import the library.
    pub(super) fn library_name(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Adds the dependencies that are missing, and returns false if none is.
    pub(super) fn add_dependencies(&self, library: &str) -> Result<bool> {
        let mut document = self.document.clone();
        let ours: DocumentMut = DEPENDENCIES.parse()?;
        for section in ["dependencies", "dev-dependencies"] {
            let Some(dependencies) = ours.get(section).and_then(Item::as_table) else { continue };
            let place = document.entry(section).or_insert(Item::Table(Table::new()));
            let Some(place) = place.as_table_like_mut() else {
                bail!("{} has a {section} that is no table", self.path.display());
            };
            for (name, dependency) in dependencies {
                if !place.contains_key(name) {
                    let mut dependency = dependency.clone();
                    // `get_mut` of an inline table inserts a missing key.
                    if let Some(path) = dependency.get("path").and_then(Item::as_str) {
                        let path = path.replacen(LIBRARY, library, 1);
                        if let Some(dependency) = dependency.as_inline_table_mut() {
                            dependency.insert("path", path.into());
                        }
                    }
                    place.insert(name, dependency);
                }
            }
        }
        let (before, after) = (self.document.to_string(), document.to_string());
        if before == after {
            return Ok(false);
        }
        fs::write(&self.path, after).with_context(|| format!("can't write {}", self.path.display()))?;
        Ok(true)
    }
}
