//! Migration as its folder contains it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::statements::{MigrationStatement, statements};
use crate::error::{Error, ErrorKind, Result};

/// Migrations of this crate, as `build.rs` found them: folder, `up.sql`, `down.sql`, `metadata.toml`.
const BUILT_IN: &[(&str, &str, &str, Option<&str>)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// Change of the schema: the SQL that applies it and the SQL that reverts it.
///
/// ```
/// use workspace_db::db::migrations::Migration;
///
/// let tags = Migration::new("2026-12-01-090000_create_tags", "CREATE TABLE tags (tag text)", "DROP TABLE tags");
/// assert_eq!(tags.version(), "20261201090000");
/// assert_eq!(tags.statements().len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    name: Cow<'static, str>,
    up: Cow<'static, str>,
    /// SQL that reverts the change; `None` if the folder has no `down.sql`.
    down: Option<Cow<'static, str>>,
    in_transaction: bool,
}

impl Migration {
    /// Creates a migration that runs in a transaction. The name is `<timestamp>_<what it does>`, as the Diesel CLI
    /// writes it.
    #[must_use]
    pub const fn new(name: &'static str, up: &'static str, down: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), up: Cow::Borrowed(up), down: Some(Cow::Borrowed(down)), in_transaction: true }
    }

    /// Returns the migrations of a folder, in the order of their versions, as
    /// [`Migrator::with_folder`](super::Migrator::with_folder) reads them.
    ///
    /// # Errors
    ///
    /// Same as [`Migrator::with_folder`](super::Migrator::with_folder).
    pub fn in_folder(folder: impl AsRef<Path>) -> Result<Vec<Self>> {
        let mut set = MigrationSet::default();
        set.add_folder(folder.as_ref())?;
        Ok(set.0.into_values().collect())
    }

    /// Returns the migration to run outside a transaction, as `run_in_transaction = false` in its `metadata.toml` does.
    /// Use it for one statement that PostgreSQL rejects in a transaction, such as
    /// `CREATE INDEX CONCURRENTLY IF NOT EXISTS`.
    #[must_use]
    pub fn outside_a_transaction(self) -> Self {
        Self { in_transaction: false, ..self }
    }

    /// Returns the name of its folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the version in Diesel's table of applied migrations: its name before the first underscore, without
    /// dashes.
    #[must_use]
    pub fn version(&self) -> String {
        self.name.split('_').next().unwrap_or_default().replace('-', "")
    }

    /// Returns the text of its `up.sql`.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.up
    }

    /// Returns the statements of its `up.sql`, in order.
    #[must_use]
    pub fn statements(&self) -> Vec<MigrationStatement<'_>> {
        statements(without_mark(&self.up))
    }

    /// Returns true if it runs in a transaction.
    #[must_use]
    pub fn runs_in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Returns the SHA-256 of its `up.sql`, in hexadecimal digits.
    #[must_use]
    pub fn checksum(&self) -> String {
        checksum_of(&self.up)
    }

    /// Returns true if the checksum belongs to the same text with other line endings, as Git may check it out.
    pub(super) fn differs_in_line_ends_from(&self, checksum: &str) -> bool {
        let unix = self.up.replace("\r\n", "\n");
        let others = [unix.replace('\n', "\r\n"), unix];
        others.iter().any(|other| checksum_of(other) == checksum)
    }

    pub(super) fn down_statements(&self) -> Vec<MigrationStatement<'_>> {
        statements(without_mark(self.text("down.sql")))
    }

    /// Returns an error if the migration has no `down.sql`. Diesel's runner accepts such a migration too.
    pub(super) fn require_down_sql(&self) -> Result<()> {
        if self.down.is_some() {
            return Ok(());
        }
        Err(Error::invalid(format!("migration {} has no down.sql, so it can't be reverted", self.name))
            .remedy("create it with the statements that revert up.sql"))
    }

    /// Applies the settings of `metadata.toml`, if the migration has one.
    fn described_by(self, metadata: Option<&str>) -> Result<Self> {
        let Some(metadata) = metadata else { return Ok(self) };
        let metadata: Metadata = toml::from_str(without_mark(metadata)).map_err(|error| {
            Error::invalid(format!("metadata.toml of migration {} can't be parsed: {}", self.name, error.message()))
                .remedy("write `run_in_transaction = false` or `run_in_transaction = true`, or delete the file")
                .caused_by(error)
        })?;
        Ok(if metadata.run_in_transaction { self } else { self.outside_a_transaction() })
    }

    fn text(&self, file: &str) -> &str {
        if file == "up.sql" { &self.up } else { self.down.as_deref().unwrap_or_default() }
    }

    /// Returns an error if the migration could not be run safely.
    pub(super) fn validate(&self) -> Result<()> {
        let name = &self.name;
        if self.version().is_empty() {
            return Err(Error::invalid(format!("{name:?} is not a valid name of a migration"))
                .remedy("name it <timestamp>_<what it does>, such as 2026-12-01-090000_create_tags"));
        }
        for (file, statements) in [("up.sql", self.statements()), ("down.sql", self.down_statements())] {
            let at =
                |statement: &MigrationStatement<'_>| format!("{file} of migration {name}, line {}", statement.line);
            if self.text(file).contains('\0') {
                return Err(Error::invalid(format!(
                    "{file} of migration {name} contains the character NUL, which PostgreSQL can't read"
                ))
                .remedy("save it as UTF-8"));
            }
            if let Some(statement) = statements.iter().find(|statement| statement.is_of_psql()) {
                return Err(Error::invalid(format!(
                    "{} is a psql command, which the server does not execute",
                    at(statement)
                ))
                .remedy("write it as SQL, or remove it"));
            }
            if let Some(statement) = statements.iter().find(|statement| statement.copies_from_stdin()) {
                return Err(Error::invalid(format!(
                    "{} is COPY FROM STDIN, but a migration has no standard input",
                    at(statement)
                ))
                .remedy("write the rows as INSERT ... VALUES"));
            }
            if let Some(statement) = statements.iter().find(|statement| statement.controls_the_transaction()) {
                return Err(Error::invalid(format!("{} begins or ends a transaction", at(statement)))
                    .remedy("remove it: the migration runs in a transaction, unless its metadata.toml disables this"));
            }
            let concurrent = statements.iter().find(|statement| statement.is_concurrent());
            match (self.in_transaction, concurrent, statements.as_slice()) {
                (true, Some(statement), _) => {
                    return Err(Error::invalid(format!("{} can't run in a transaction", at(statement)))
                        .remedy("move it to its own migration, with `run_in_transaction = false` in metadata.toml"));
                }
                (false, _, [_, second, ..]) => {
                    return Err(Error::invalid(format!("{} is the second statement of a migration without a transaction", at(second)))
                        .remedy("move each statement to its own migration: after a failure between the two, the first could not be rolled back"));
                }
                (false, _, [only]) if !only.is_repeatable() => {
                    return Err(Error::invalid(format!("{} can't be repeated after a crash", at(only)))
                        .remedy("add IF NOT EXISTS or IF EXISTS: without a transaction, the statement may have run without being recorded"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn checksum_of(up: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(up.as_bytes()))
}

/// Settings that Diesel reads from `metadata.toml`. A missing setting is `false`.
#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    run_in_transaction: bool,
}

/// Removes the byte order mark that some editors write before a text.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Migrations by version, which is also their order.
#[derive(Clone, Debug, Default)]
pub(super) struct MigrationSet(BTreeMap<String, Migration>);

impl MigrationSet {
    /// Returns this crate's migrations.
    ///
    /// An invalid one is not reported, since the caller could not fix it: a test runs them all.
    pub(super) fn built_in() -> Self {
        let migrations = BUILT_IN.iter().map(|(name, up, down, metadata)| {
            let migration = Migration::new(name, up, down);
            migration.clone().described_by(*metadata).unwrap_or(migration)
        });
        Self(migrations.map(|migration| (migration.version(), migration)).collect())
    }

    /// Adds a migration, which replaces one of the same name.
    pub(super) fn add(&mut self, migration: Migration) -> Result<()> {
        migration.validate()?;
        let version = migration.version();
        if let Some(existing) = self.0.get(&version).filter(|existing| existing.name != migration.name) {
            return Err(one_version(&existing.name, &migration));
        }
        self.0.insert(version, migration);
        Ok(())
    }

    /// Adds the migrations of a folder, each in its own subfolder.
    pub(super) fn add_folder(&mut self, folder: &Path) -> Result<()> {
        let failed = |error| {
            Error::new(ErrorKind::Io, format!("the migrations in {} can't be read", folder.display())).caused_by(error)
        };
        let mut folders = fs::read_dir(folder)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>())
            .map_err(failed)?;
        // A folder that begins with a dot belongs to an editor or a repository. Diesel skips it too.
        let is_hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        folders.retain(|path| path.is_dir() && !is_hidden(path));
        folders.sort();
        let mut seen = BTreeMap::new();
        for folder in folders {
            let migration = read(&folder)?;
            if let Some(other) = seen.insert(migration.version(), migration.name.clone()) {
                return Err(one_version(&other, &migration));
            }
            self.add(migration)?;
        }
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Migration> {
        self.0.values()
    }

    pub(super) fn get(&self, version: &str) -> Option<&Migration> {
        self.0.get(version)
    }
}

fn one_version(other: &str, migration: &Migration) -> Error {
    let what = format!("the migrations {other} and {} have the same version, {}", migration.name, migration.version());
    Error::new(ErrorKind::Conflict, what)
        .remedy("change the timestamp of the newer one; otherwise a database would mistake one for the other")
}

fn read(folder: &Path) -> Result<Migration> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let file = |file: &str| match fs::read_to_string(folder.join(file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let (what, remedy) = match error.kind() {
                io::ErrorKind::InvalidData => ("is not encoded in UTF-8:", "save it as UTF-8"),
                _ => ("has an unreadable", "make the file readable"),
            };
            Err(Error::invalid(format!("migration {name} {what} {file}")).remedy(remedy).caused_by(error))
        }
        Ok(text) => Ok(Some(text)),
    };
    let up = file("up.sql")?.ok_or_else(|| {
        Error::invalid(format!("migration {name} has no up.sql"))
            .remedy("create it with the statements of the migration, or delete the folder")
    })?;
    let (down, metadata) = (file("down.sql")?, file("metadata.toml")?);
    let migration =
        Migration { name: name.clone().into(), up: up.into(), down: down.map(Cow::from), in_transaction: true };
    migration.described_by(metadata.as_deref())
}
