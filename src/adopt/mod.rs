//! Takes over the database of the TypeScript package that this project replaces, without losing a fact.
//!
//! [`Adoption::plan`] says first what will become of every row. [`run`](Adoption::run) copies in batches while the old
//! application goes on, catches up with what it wrote meanwhile, and compares by counts and by a checksum of every column; it
//! can be stopped anywhere and run again. [`switch`](Adoption::switch) keeps the writers out, catches up and compares a last
//! time, and says for how long they had to stop. [`finish`](Adoption::finish) lets go of what was kept for that.
//!
//! Ids, times and password hashes stay what they are, so an administrator logs in with the old password. What can't be taken
//! over is kept aside with the reason, and written into a file at the end.
//!
//! ```no_run
//! use std::path::Path;
//! use workspace_db::adopt::Adoption;
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
mod plan;
mod source_schema;
mod state;
mod statements;
mod tables;
mod verify;

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio_postgres::Client;

pub use self::catch_up::CatchUpRound;
use self::connections::Connections;
use self::copy::RowSelection;
pub use self::plan::{AdoptionFinding, AdoptionOutcome, AdoptionPlan};
pub use self::source_schema::SchemaDifferences;
use self::tables::TABLES;
pub use self::verify::TableComparison;
use crate::config::{DatabaseUrl, Environment};
use crate::db;
use crate::db::migrations::Migrator;
use crate::error::{Error, Kind, Result};
use crate::new_file::{NewFile, unwritable};
use crate::sql_types::SecretKey;

/// The schema that the old package's tables are in.
const OLD_SCHEMA: &str = "public";
/// Rounds of catching up, after which what is left is the business of the last step.
const ROUNDS: usize = 5;
/// Changes that the last step may find, so that nobody has to wait for long.
const FEW: u64 = 1_000;

/// How far an adoption has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptionProgress {
    /// What is being done.
    pub step: AdoptionStep,
    /// The table.
    pub table: &'static str,
    /// Rows that are copied.
    pub rows: u64,
    /// Rows that there are.
    pub of: u64,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptionStep {
    /// Rows are copied.
    Copying,
    /// What was written meanwhile is taken over.
    CatchingUp,
    /// Counts and checksums are compared.
    Comparing,
}

/// What a run did.
#[derive(Clone, Debug, Serialize)]
pub struct AdoptionReport {
    /// Rows of all tables that are copied.
    pub rows: u64,
    /// What each round of catching up found.
    pub rounds: Vec<CatchUpRound>,
    /// Seconds that the last round took: about as long writers must stop, beside the comparison.
    pub last_round_seconds: f64,
    /// Every table, where nobody wrote while it was compared; else it is left to the last step.
    pub compared: Option<Vec<TableComparison>>,
}

/// What the last step did.
#[derive(Clone, Debug, Serialize)]
pub struct SwitchReport {
    /// For how long writers were kept out.
    #[serde(rename = "writers_stopped_seconds", serialize_with = "seconds")]
    pub writers_stopped: Duration,
    /// What was written since the last run.
    pub caught_up: CatchUpRound,
    /// Every table.
    pub compared: Vec<TableComparison>,
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// Where the new tables are while the old application reads its own, in the same database.
const NEXT_SCHEMA: &str = "workspace_db_next";

/// The way from one database into another, or from the old tables of one to its new ones.
#[derive(Debug)]
pub struct Adoption {
    from: DatabaseUrl,
    into: DatabaseUrl,
    key: Option<SecretKey>,
    is_in_place: bool,
}

impl Adoption {
    /// From the old package's database, as a login that reads it, into a migrated and empty one, as its owner. `key` seals the
    /// webhook secrets that lie there in the clear.
    #[must_use]
    pub fn new(from: &DatabaseUrl, into: &DatabaseUrl, key: Option<SecretKey>) -> Self {
        Self { from: from.clone(), into: into.clone(), key, is_in_place: false }
    }

    /// Within one database, as the owner of its tables. The new ones are made in a schema of their own, `workspace_db_next`;
    /// the last step moves the old ones aside, into `workspace_db_before`, and the new ones to their place, in one
    /// transaction; and [`finish`](Self::finish) drops the old ones.
    #[must_use]
    pub fn in_place(url: &DatabaseUrl, key: Option<SecretKey>) -> Self {
        let into = url.with_search_path(&format!("{NEXT_SCHEMA},{OLD_SCHEMA}"));
        Self { from: url.clone(), into, key, is_in_place: true }
    }

    /// What will become of the source. Nothing is written anywhere.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure) where the login may not
    /// read.
    pub async fn plan(&self) -> Result<AdoptionPlan> {
        let source = db::client(&self.from).await?;
        source.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
        plan::plan(&source, OLD_SCHEMA).await
    }

    /// Copies what is not copied yet, and catches up with what was written meanwhile.
    ///
    /// Batches of 2,000 rows are a transaction each; whatever ends a run, the next goes on behind the last one.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) where the source is not the old package's, with what it lacks;
    /// [`is_conflict`](Error::is_conflict) where the target is not empty, or another adoption runs;
    /// [`is_missing_prerequisite`](Error::is_missing_prerequisite) where secrets can't be sealed;
    /// [`is_unreachable`](Error::is_unreachable).
    pub async fn run(&self, on_progress: &(dyn Fn(AdoptionProgress) + Sync)) -> Result<AdoptionReport> {
        let mut connected = self.connect().await?;
        // In place the old tables are elsewhere by then.
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
            // The old application goes on.
            Err(error) if error.is_conflict() => None,
            Err(error) => return Err(error),
        };
        Ok(AdoptionReport { rows, rounds, last_round_seconds, compared })
    }

    /// Keeps writers out there, takes over what was written last, and compares every table.
    ///
    /// The tables are locked against writing where the login may do so, readers go on. Where it may not, somebody must have
    /// stopped the writers and say so by `writers_are_stopped`. Whatever fails, the old application can go on, and this be
    /// called again; afterwards the target may be written, and this refuses.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) where something is not copied yet, tables differ, a lock is not to be had within
    /// 10 s, or it was done before; [`is_missing_prerequisite`](Error::is_missing_prerequisite) where the login may not lock; as
    /// [`run`](Self::run).
    pub async fn switch(
        &self,
        writers_are_stopped: bool,
        on_progress: &(dyn Fn(AdoptionProgress) + Sync),
    ) -> Result<SwitchReport> {
        let mut connected = self.connect().await?;
        if !state::is_open(&connected.target).await? {
            return Err(Error::new(Kind::Conflict, "nothing was copied yet").remedy("run `workspace-db adopt` first"));
        }
        if state::is_switched(&connected.target).await? {
            return Err(is_over());
        }
        for mapping in TABLES {
            if !state::progress(&connected.target, mapping.table).await?.is_copied {
                return Err(Error::new(Kind::Conflict, format!("{} is not copied to its end", mapping.table))
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

    /// Writes what was kept aside into a new file, as JSON Lines of table, key, reason and old row, and lets go of what the
    /// adoption noted in the target. Another database stays as it is; in place the old tables are dropped. Returns how many
    /// rows were kept aside.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) where the last step was not done, or the file exists;
    /// [`is_io_failure`](Error::is_io_failure), [`is_unreachable`](Error::is_unreachable).
    pub async fn finish(&self, aside: &Path) -> Result<u64> {
        let target = db::client(&self.into).await?;
        state::lock(&target).await?;
        if !state::is_open(&target).await? || !state::is_switched(&target).await? {
            return Err(Error::new(Kind::Conflict, "the adoption has not come to its last step")
                .remedy("run `workspace-db adopt --switch` first"));
        }
        let mut file = NewFile::create(aside)?;
        let all = "SELECT jsonb_build_object('table', table_name, 'key', key, 'reason', reason, 'is_kept', is_kept,
            'old_row', old_row)::text FROM workspace_db_adoption.set_aside ORDER BY table_name, key, reason";
        let mut rows = 0;
        for row in target.query(all, &[]).await? {
            writeln!(file, "{}", row.get::<_, &str>(0)).map_err(|error| unwritable(aside, error))?;
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
                "{} is not the database of the TypeScript package, or not all of it; missing: {}",
                self.from,
                missing.join(", ")
            )));
        }
        if !unknown.is_empty() {
            return Err(Error::invalid(format!(
                "{} has what nothing here takes over: {}",
                self.from,
                unknown.join(", ")
            ))
            .remedy("move these columns into a table of their own, or drop them, first"));
        }
        let has_secrets = plan.findings.iter().any(|finding| finding.what.contains("secret in the clear"));
        if has_secrets && self.key.is_none() {
            return Err(copy::no_key());
        }
        Ok(())
    }

    /// Makes the new tables beside the old ones.
    async fn migrate(&self, target: &Client) -> Result<()> {
        // As `public` is: a migration becomes workspace_platform, who has to find the tables.
        let make = format!("CREATE SCHEMA IF NOT EXISTS {NEXT_SCHEMA}; GRANT USAGE ON SCHEMA {NEXT_SCHEMA} TO PUBLIC");
        target.batch_execute(&make).await?;
        // As in production, where the bootstrap inserts nothing.
        Migrator::new(&self.into, Environment::Production).run(|_| ()).await?;
        Ok(())
    }

    async fn connect(&self) -> Result<Connections> {
        let (source, target) = (db::client(&self.from).await?, db::client(&self.into).await?);
        state::lock(&target).await?;
        // Times are compared as text, and whole tables are read.
        let set = "SET TimeZone = 'UTC'; SET extra_float_digits = 1;
            SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";
        for client in [&source, &target] {
            client.batch_execute(set).await?;
        }
        Ok(Connections { source, target, old: identifier(OLD_SCHEMA) })
    }
}

fn is_over() -> Error {
    Error::new(Kind::Conflict, "the adoption has had its last step").remedy("run `workspace-db adopt --finish`")
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
