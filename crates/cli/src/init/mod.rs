//! `workspace-db init`

mod manifest;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chrono::Utc;
use clap::Args;
use serde::Serialize;

use self::manifest::Manifest;
use super::context::Context;
use super::{modules, output};

/// Files of a new crate, by their path. `{crate}` is the name of the library, and `{version}` that of the migration.
const FILES: &[(&str, &str)] = &[
    ("diesel.toml", include_str!("template/diesel.toml")),
    ("migrations/{version}_create_notes/up.sql", include_str!("template/migration/up.sql")),
    ("migrations/{version}_create_notes/down.sql", include_str!("template/migration/down.sql")),
    ("src/models/mod.rs", include_str!("template/models/mod.rs")),
    ("src/models/notes.rs", include_str!("template/models/notes.rs")),
    ("src/registry.rs", include_str!("template/registry.rs")),
    ("src/schema.rs", include_str!("template/schema.rs")),
    ("tests/isolation.rs", include_str!("template/isolation.rs")),
];

/// Prepare a crate for tables of its own
///
/// Run it in a crate that `cargo new` made. It adds the dependencies, diesel.toml, a first table with its migration and
/// models, and a test of its isolation. Existing files and dependencies stay as they are.
#[derive(Args, Debug)]
pub(super) struct Init {
    /// Folder of the crate
    #[arg(default_value = ".", value_name = "FOLDER")]
    folder: PathBuf,
    /// Path from the crate to the clone of workspace-db
    #[arg(long, value_name = "PATH", default_value = "../workspace-db")]
    library: String,
}

/// Result of the command.
#[derive(Debug, Default, Serialize)]
struct InitReport {
    /// Files that were written.
    written: Vec<String>,
    /// Files that existed and stay as they are.
    kept: Vec<String>,
}

impl Init {
    pub(super) fn run(self, context: &Context) -> Result<()> {
        let manifest = Manifest::read(&self.folder)?;
        let mut report = InitReport::default();
        if manifest.add_dependencies(&self.library)? {
            report.written.push("Cargo.toml".to_owned());
        } else {
            report.kept.push("Cargo.toml".to_owned());
        }
        let version = Utc::now().format("%Y-%m-%d-%H%M%S").to_string();
        // A second run must not write the same table in another migration.
        let has_table = self.folder.join("src/models/notes.rs").exists();
        for (path, text) in FILES {
            let path = path.replace("{version}", &version);
            if has_table && path.starts_with("migrations/") {
                continue;
            }
            let text = text.replace("{crate}", &manifest.library_name());
            let list = if create(&self.folder.join(&path), &text)? { &mut report.written } else { &mut report.kept };
            list.push(path);
        }
        if modules::declare(&self.folder.join("src/lib.rs"), &["models", "registry", "schema"])? {
            report.written.push("src/lib.rs".to_owned());
        }
        if context.json {
            return output::print_json(&report);
        }
        let written = report.written.iter().map(|path| format!("wrote  {path}"));
        let kept = report.kept.iter().map(|path| format!("kept   {path}"));
        output::print_lines(
            written.chain(kept).chain([
                String::new(),
                "next:  cargo test                                        starts PostgreSQL and tests the isolation"
                    .to_owned(),
                "       workspace-db up                                   starts a database for development".to_owned(),
                "       workspace-db migrate run --migrations migrations  creates your tables in it".to_owned(),
            ]),
        )
    }
}

/// Creates a file, and returns false if it exists.
fn create(path: &Path, text: &str) -> Result<bool> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("can't create {}", folder.display()))?;
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes()).with_context(|| format!("can't write {}", path.display()))?;
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).with_context(|| format!("can't create {}", path.display())),
    }
}
