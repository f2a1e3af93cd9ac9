//! Adoption of the database of the TypeScript package that this project replaces, without loss of data.
//!
//! [`Adoption::plan`] reports the outcome for every row in advance. [`run`](Adoption::run) copies in batches while the old
//! application keeps writing, catches up with its writes, and compares counts and a checksum of every column. You can stop
//! it at any point and run it again. [`switch`](Adoption::switch) locks out the writers, catches up and compares one last
//! time, and reports how long they were stopped. [`finish`](Adoption::finish) deletes the adoption's own tables.
//!
//! Ids, times and password hashes stay unchanged, so administrators log in with their old passwords. Rows that can't be
//! copied are set aside with the reason, and written into a file at the end.
//!
//! ```toml
//! [dependencies]
//! workspace-db = { path = "../workspace-db" }
//! workspace-db-adopt = { path = "../workspace-db/crates/adopt" }
//! ```
//!
//! The command `workspace-db adopt` runs the same steps.
//!
//! ```no_run
//! use std::path::Path;
//! use workspace_db_adopt::Adoption;
//!
//! # async fn example() -> workspace_db::Result<()> {
//! let adoption = Adoption::new(
//!     &"postgres://owner:secret@old.example.com/platform".parse()?,
//!     &"postgres://owner:secret@new.example.com/platform".parse()?,
//!     None,
//! );
//! for finding in adoption.plan().await?.findings {
//!     println!("{} {}: {} ({:?})", finding.rows, finding.table, finding.what, finding.becomes);
//! }
//! adoption.run(&|_| ()).await?;
//! // Now the old application stops writing.
//! let switched = adoption.switch(true, &|_| ()).await?;
//! println!("writers were stopped for {:?}", switched.writers_stopped);
//! adoption.finish(Path::new("set-aside.jsonl")).await?;
//! # Ok(())
//! # }
//! ```

mod catch_up;
mod connections;
mod copy;
mod mapping;
mod plan;
mod source_schema;
mod state;
mod statements;
mod tables;
mod verify;

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use postgres_protocol::escape::escape_identifier;
use serde::Serialize;
use tokio_postgres::Client;

pub use self::catch_up::CatchUpRound;
use self::connections::Connections;
use self::copy::RowSelection;
pub use self::plan::{AdoptionFinding, AdoptionOutcome, AdoptionPlan};
pub use self::source_schema::SchemaDifferences;
use self::tables::TABLES;
pub use self::verify::TableComparison;
use workspace_db::config::{DatabaseUrl, Environment};
use workspace_db::db;
use workspace_db::db::migrations::Migrator;
use workspace_db::sql_types::SecretKey;
use workspace_db::transfer::NewFile;
use workspace_db::{Error, ErrorKind, Result};

/// Schema of the old package's tables.
const OLD_SCHEMA: &str = "public";
/// Maximum number of rounds of catching up. The last step handles the remaining changes.
const ROUNDS: usize = 5;
/// Number of changes below which catching up ends. The last step then takes only a short time.
const FEW: u64 = 1_000;

/// Progress of an adoption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptionProgress {
    /// Current step.
    pub step: AdoptionStep,
    /// Table that is being copied; empty in other steps.
    pub table: &'static str,
    /// Number of rows copied.
    pub rows: u64,
    /// Total number of rows.
    pub of: u64,
}

/// Step of an adoption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptionStep {
    /// Copying of rows.
    Copying,
    /// Catching up with rows written meanwhile.
    CatchingUp,
    /// Comparison of counts and checksums.
    Comparing,
}

/// Result of a run.
#[derive(Clone, Debug, Serialize)]
pub struct AdoptionReport {
    /// Number of rows copied, in all tables.
    pub rows: u64,
    /// Result of each round of catching up.
    pub rounds: Vec<CatchUpRound>,
    /// Duration of the last round in seconds. Writers must stop for about this time, in addition to the comparison.
    pub last_round_seconds: f64,
    /// Comparison of every table. None if rows were written during it; then the last step compares.
    pub compared: Option<Vec<TableComparison>>,
}

/// Result of the last step.
#[derive(Clone, Debug, Serialize)]
pub struct SwitchReport {
    /// Duration for which writers were locked out.
    #[serde(rename = "writers_stopped_seconds", serialize_with = "seconds")]
    pub writers_stopped: Duration,
    /// Rows that were written since the last run.
    pub caught_up: CatchUpRound,
    /// Comparison of every table.
    pub compared: Vec<TableComparison>,
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// Schema of the new tables while the old application still uses its own tables in the same database.
const NEXT_SCHEMA: &str = "workspace_db_next";

/// Adoption from one database into another, or from the old tables of one database to its new ones.
#[derive(Debug)]
pub struct Adoption {
    from: DatabaseUrl,
    into: DatabaseUrl,
    key: Option<SecretKey>,
    is_in_place: bool,
}

impl Adoption {
    /// Creates an adoption from the old package's database into a migrated and empty one. The login of `from` must read its
    /// tables; the login of `into` must be the owner. `key` seals the webhook secrets that the source has in plain text.
    #[must_use]
    pub fn new(from: &DatabaseUrl, into: &DatabaseUrl, key: Option<SecretKey>) -> Self {
        Self { from: from.clone(), into: into.clone(), key, is_in_place: false }
    }

    /// Creates an adoption within one database, as the owner of its tables. The new tables are created in the schema
    /// `workspace_db_next`. In one transaction, the last step moves the old tables to `workspace_db_before` and the new ones
    /// to their place. [`finish`](Self::finish) drops the old ones.
    #[must_use]
    pub fn in_place(url: &DatabaseUrl, key: Option<SecretKey>) -> Self {
        let into = url.with_search_path(&format!("{NEXT_SCHEMA},{OLD_SCHEMA}"));
        Self { from: url.clone(), into, key, is_in_place: true }
    }

    /// Reports the outcome for every row of the source, and writes nothing.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure) if the login may not
    /// read.
    pub async fn plan(&self) -> Result<AdoptionPlan> {
        let source = db::client(&self.from).await?;
        source.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
        plan::plan(&source, OLD_SCHEMA).await
    }

    /// Copies the rows that are not copied yet, and catches up with rows written meanwhile.
    ///
    /// Each batch of 2,000 rows is a transaction. After an interruption, the next run resumes after the last batch.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the source is not the old package's, with the missing objects;
    /// [`is_conflict`](Error::is_conflict) if the target is not empty, or another adoption runs;
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) if secrets can't be sealed;
    /// [`is_unreachable`](Error::is_unreachable).
    pub async fn run(&self, on_progress: &(dyn Fn(AdoptionProgress) + Sync)) -> Result<AdoptionReport> {
        let mut connected = self.connect().await?;
        // After a switch in place, the old tables are in another schema.
        if state::is_open(&connected.target).await? && state::is_switched(&connected.target).await? {
            return Err(is_over());
        }
        let plan = self.plan().await?;
        self.check_adoptable(&plan)?;
        if self.is_in_place {
            self.migrate(&connected.target).await?;
        }
        state::open(&connected.source, &connected.target).await?;
        let mut rows = 0;
        for mapping in TABLES {
            let of = plan.rows.get(mapping.table).copied().unwrap_or_default();
            let mut progress = state::progress(&connected.target, mapping.table).await?;
            while !progress.is_copied {
                connected.copying(self.key.as_ref()).batch(mapping, RowSelection::After(progress.last_key)).await?;
                progress = state::progress(&connected.target, mapping.table).await?;
                let told =
                    AdoptionProgress { step: AdoptionStep::Copying, table: mapping.table, rows: progress.rows, of };
                on_progress(told);
            }
            rows += progress.rows;
        }
        let step = |step| AdoptionProgress { step, table: "", rows, of: rows };
        let (mut rounds, mut last_round_seconds) = (Vec::new(), 0.0);
        while rounds.len() < ROUNDS {
            on_progress(step(AdoptionStep::CatchingUp));
            let began = Instant::now();
            let round = connected.copying(self.key.as_ref()).catch_up().await?;
            last_round_seconds = began.elapsed().as_secs_f64();
            rounds.push(round);
            if round.changed + round.gone < FEW {
                break;
            }
        }
        on_progress(step(AdoptionStep::Comparing));
        let compared = match verify::compare(connected.there(self.key.as_ref()), &connected.target).await {
            Ok(compared) => Some(compared),
            // The old application is still writing.
            Err(error) if error.is_conflict() => None,
            Err(error) => return Err(error),
        };
        Ok(AdoptionReport { rows, rounds, last_round_seconds, compared })
    }

    /// Locks out the source's writers, copies the last changes, and compares every table.
    ///
    /// The old tables are locked against writes if the login may do so; readers are not blocked. Otherwise you must stop the
    /// writers and set `writers_are_stopped`. If anything fails, the old application can resume, and you can call this
    /// again. After success the target may be written, and another call returns an error.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) if a table is not copied completely, tables differ, a lock is not acquired within
    /// 10 s, or the switch was done before; [`is_missing_prerequisite`](Error::is_missing_prerequisite) if the login may not
    /// lock; the errors of [`run`](Self::run).
    pub async fn switch(
        &self,
        writers_are_stopped: bool,
        on_progress: &(dyn Fn(AdoptionProgress) + Sync),
    ) -> Result<SwitchReport> {
        let mut connected = self.connect().await?;
        if !state::is_open(&connected.target).await? {
            return Err(
                Error::new(ErrorKind::Conflict, "nothing has been copied yet").remedy("run `workspace-db adopt` first")
            );
        }
        if state::is_switched(&connected.target).await? {
            return Err(is_over());
        }
        for mapping in TABLES {
            if !state::progress(&connected.target, mapping.table).await?.is_copied {
                return Err(Error::new(ErrorKind::Conflict, format!("{} is not copied completely", mapping.table))
                    .remedy("run `workspace-db adopt` again first"));
            }
        }
        let began = Instant::now();
        connected.lock_out_writers(writers_are_stopped).await?;
        on_progress(AdoptionProgress { step: AdoptionStep::CatchingUp, table: "", rows: 0, of: 0 });
        let caught_up = connected.copying(self.key.as_ref()).catch_up().await?;
        on_progress(AdoptionProgress { step: AdoptionStep::Comparing, table: "", rows: 0, of: 0 });
        let compared = verify::compare(connected.there(self.key.as_ref()), &connected.target).await?;
        if self.is_in_place {
            connected.swap().await?;
        } else {
            connected.target.batch_execute("INSERT INTO workspace_db_adoption.switched DEFAULT VALUES").await?;
            connected.source.batch_execute("COMMIT").await?;
        }
        Ok(SwitchReport { writers_stopped: began.elapsed(), caught_up, compared })
    }

    /// Writes the rows that were set aside into a new file, and deletes the adoption's own tables in the target.
    ///
    /// Each line is JSON with the table, key, reason and old row. A separate source stays unchanged; in place, the old
    /// tables are dropped. Returns the number of lines.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) if the switch was not done, or the file exists;
    /// [`is_io_failure`](Error::is_io_failure), [`is_unreachable`](Error::is_unreachable).
    pub async fn finish(&self, aside: &Path) -> Result<u64> {
        let target = db::client(&self.into).await?;
        state::lock(&target).await?;
        if !state::is_open(&target).await? || !state::is_switched(&target).await? {
            return Err(Error::new(ErrorKind::Conflict, "the last step of the adoption has not run yet")
                .remedy("run `workspace-db adopt --switch` first"));
        }
        let mut file = NewFile::create(aside)?;
        let all = "SELECT jsonb_build_object('table', table_name, 'key', key, 'reason', reason, 'is_kept', is_kept,
            'old_row', old_row)::text FROM workspace_db_adoption.set_aside ORDER BY table_name, key, reason";
        let mut rows = 0;
        for row in target.query(all, &[]).await? {
            writeln!(file, "{}", row.get::<_, &str>(0)).map_err(|error| {
                Error::new(ErrorKind::Io, format!("can't write {}: {error}", aside.display())).caused_by(error)
            })?;
            rows += 1;
        }
        file.put_in_place()?;
        let drop_old = if self.is_in_place { "DROP SCHEMA workspace_db_before CASCADE;" } else { "" };
        target.batch_execute(&format!("BEGIN; {drop_old} DROP SCHEMA workspace_db_adoption CASCADE; COMMIT")).await?;
        Ok(rows)
    }

    fn check_adoptable(&self, plan: &AdoptionPlan) -> Result<()> {
        let SchemaDifferences { missing, unknown } = &plan.differences;
        if !missing.is_empty() {
            return Err(Error::invalid(format!(
                "{} is not a complete database of the TypeScript package; missing: {}",
                self.from,
                missing.join(", ")
            )));
        }
        if !unknown.is_empty() {
            return Err(Error::invalid(format!(
                "{} has columns that the adoption does not copy: {}",
                self.from,
                unknown.join(", ")
            ))
            .remedy("first move these columns to a separate table, or drop them"));
        }
        let has_secrets = plan.findings.iter().any(|finding| finding.what.contains("secret in plain text"));
        if has_secrets && self.key.is_none() {
            return Err(copy::no_key());
        }
        Ok(())
    }

    /// Creates the new tables in a separate schema of the same database.
    async fn migrate(&self, target: &Client) -> Result<()> {
        // `public` has the same grant: a migration changes to the role workspace_platform, which must find the tables.
        let make = format!("CREATE SCHEMA IF NOT EXISTS {NEXT_SCHEMA}; GRANT USAGE ON SCHEMA {NEXT_SCHEMA} TO PUBLIC");
        target.batch_execute(&make).await?;
        // In production the bootstrap inserts nothing.
        Migrator::new(&self.into, Environment::Production).run(|_| ()).await?;
        Ok(())
    }

    async fn connect(&self) -> Result<Connections> {
        let (source, target) = (db::client(&self.from).await?, db::client(&self.into).await?);
        state::lock(&target).await?;
        // Times are compared as text, and reading whole tables may exceed the login's timeouts.
        let set = "SET TimeZone = 'UTC'; SET extra_float_digits = 1;
            SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";
        for client in [&source, &target] {
            client.batch_execute(set).await?;
        }
        Ok(Connections { source, target, old: escape_identifier(OLD_SCHEMA) })
    }
}

fn is_over() -> Error {
    Error::new(ErrorKind::Conflict, "the last step of the adoption has already run")
        .remedy("run `workspace-db adopt --finish`")
}
