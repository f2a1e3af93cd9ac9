//! Adoption of the database of the TypeScript package that this project replaces, without loss of data.
//!
//! [`Adoption::plan`] reports the outcome for every row in advance. [`run`](Adoption::run) copies in batches while the old
//! application keeps writing, catches up with its writes, and compares counts and a checksum of every column. You can stop
//! it at any point and run it again. [`switch`](Adoption::switch) locks out the writers, catches up and compares one last
//! time, and reports how long they were stopped. In place, [`switch_back`](Adoption::switch_back) reverts that.
//! [`finish`](Adoption::finish) deletes the adoption's own tables.
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
mod conversion;
mod conversion_options;
mod copy;
mod dependents;
mod embed;
mod generated_checks;
mod in_place;
mod mapping;
mod options;
mod plan;
mod published_password;
mod report;
mod set_aside;
mod source_schema;
mod state;
mod statements;
mod tables;
mod target_schema;
mod verify;

use std::path::Path;
use std::time::Instant;

use postgres_protocol::escape::escape_identifier;
use tokio_postgres::Client;

pub use self::catch_up::CatchUpRound;
use self::connections::Connections;
use self::conversion_options::ConversionOptions;
use self::copy::RowSelection;
pub use self::dependents::{AdoptionDependent, DependentOutcome};
pub use self::embed::{EmbedReport, embed_set_aside};
use self::in_place::{NEXT_SCHEMA, OLD_SCHEMA};
pub use self::options::{LongVectors, UnknownColumns};
pub use self::plan::{AdoptionFinding, AdoptionPlan};
pub use self::report::{AdoptionOutcome, AdoptionProgress, AdoptionReport, AdoptionStep, FinishReport, SwitchReport};
pub use self::source_schema::SchemaDifferences;
use self::source_schema::SourceSchema;
use self::statements::TableStatements;
use self::tables::TABLES;
use self::target_schema::TargetTable;
pub use self::verify::TableComparison;
use workspace_db::config::{DatabaseUrl, Environment};
use workspace_db::db::migrations::Migrator;
use workspace_db::sql_types::SecretKey;
use workspace_db::{Error, ErrorKind, Result};

/// Maximum number of rounds of catching up. The last step handles the remaining changes.
const ROUNDS: usize = 5;
/// Number of changes below which catching up ends. The last step then takes only a short time.
const FEW: u64 = 1_000;

/// Adoption from one database into another, or from the old tables of one database to its new ones.
#[derive(Debug)]
pub struct Adoption {
    from: DatabaseUrl,
    into: DatabaseUrl,
    key: Option<SecretKey>,
    is_in_place: bool,
    unknown_columns: UnknownColumns,
    long_vectors: LongVectors,
}

impl Adoption {
    /// Creates an adoption from the old package's database into a migrated and empty one. The login of `from` must read its
    /// tables; the login of `into` must be the owner. `key` seals the webhook secrets that the source has in plain text.
    #[must_use]
    pub fn new(from: &DatabaseUrl, into: &DatabaseUrl, key: Option<SecretKey>) -> Self {
        Self {
            from: from.clone(),
            into: into.clone(),
            key,
            is_in_place: false,
            unknown_columns: UnknownColumns::default(),
            long_vectors: LongVectors::default(),
        }
    }

    /// Creates an adoption within one database, as the owner of its tables. The new tables are created in the schema
    /// `workspace_db_next`. In one transaction, the last step moves the old tables to `workspace_db_before` and the new ones
    /// to their place. [`finish`](Self::finish) drops the old ones.
    #[must_use]
    pub fn in_place(url: &DatabaseUrl, key: Option<SecretKey>) -> Self {
        let into = url.with_search_path(&format!("{NEXT_SCHEMA},{OLD_SCHEMA}"));
        Self { is_in_place: true, ..Self::new(url, &into, key) }
    }

    /// Sets the treatment of columns that the old package does not have. Use the same for every step.
    #[must_use]
    pub fn unknown_columns(self, unknown_columns: UnknownColumns) -> Self {
        Self { unknown_columns, ..self }
    }

    /// Sets the treatment of vectors with 3072 dimensions. Use the same for every step.
    #[must_use]
    pub fn long_vectors(self, long_vectors: LongVectors) -> Self {
        Self { long_vectors, ..self }
    }

    /// Reports the outcome for every row of the source, and writes nothing. [`check`](Self::check) tells if the adoption is
    /// possible.
    ///
    /// # Errors
    ///
    /// [`is_unreachable`](Error::is_unreachable); [`is_missing_prerequisite`](Error::is_missing_prerequisite) if the login
    /// may not read all rows.
    pub async fn plan(&self) -> Result<AdoptionPlan> {
        let source = connections::source(&self.from).await?;
        source.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
        let schema = SourceSchema::read(&source, OLD_SCHEMA).await?;
        let options = self.options(&source, &schema).await?;
        plan::plan(&source, OLD_SCHEMA, &schema, options, self.is_in_place).await
    }

    /// Returns an error if the plan makes the adoption impossible.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if the source is not the old package's, or has unknown columns that
    /// are to be refused; [`is_missing_prerequisite`](Error::is_missing_prerequisite) if secrets can't be sealed;
    /// [`is_conflict`](Error::is_conflict) if objects of yours prevent the switch.
    pub fn check(&self, plan: &AdoptionPlan) -> Result<()> {
        self.check_source(plan)?;
        dependents::refuse_blocking(&plan.dependents)
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
        self.check_source(&plan)?;
        if self.is_in_place {
            dependents::refuse_distant_vector(&connected.source).await?;
            self.migrate(&connected.target).await?;
        }
        state::open(&connected.source, &connected.target).await?;
        self.prepare(&mut connected).await?;
        let mut rows = 0;
        for (number, mapping) in TABLES.iter().enumerate() {
            let of = plan.rows.get(mapping.table).copied().unwrap_or_default();
            let mut progress = state::progress(&connected.target, mapping.table).await?;
            while !progress.is_copied {
                let mut copier = connected.copying(self.key.as_ref());
                if let Some(statements) = copier.statements.get(number) {
                    copier.batch(statements, RowSelection::After(progress.last_key)).await?;
                }
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
            // Rows that an interrupted run left set aside are looked at again.
            let rechecks = rounds.is_empty();
            let round = connected.copying(self.key.as_ref()).catch_up(rechecks).await?;
            last_round_seconds = began.elapsed().as_secs_f64();
            rounds.push(round);
            if round.changed + round.gone < FEW {
                break;
            }
        }
        on_progress(step(AdoptionStep::Comparing));
        let compared = match verify::compare_and_repair(&mut connected, self.key.as_ref()).await {
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
        if self.is_in_place {
            dependents::refuse_blocking(&dependents::dependents(&connected.source, OLD_SCHEMA).await?.0)?;
        }
        self.prepare(&mut connected).await?;
        let began = Instant::now();
        connected.lock_out_writers(writers_are_stopped).await?;
        on_progress(AdoptionProgress { step: AdoptionStep::CatchingUp, table: "", rows: 0, of: 0 });
        let caught_up = connected.copying(self.key.as_ref()).catch_up(false).await?;
        on_progress(AdoptionProgress { step: AdoptionStep::Comparing, table: "", rows: 0, of: 0 });
        let compared = verify::compare_and_repair(&mut connected, self.key.as_ref()).await?;
        if self.is_in_place {
            in_place::switch(&connected.source).await?;
        } else {
            connected.target.batch_execute("INSERT INTO workspace_db_adoption.switched DEFAULT VALUES").await?;
            connected.source.batch_execute("COMMIT").await?;
        }
        Ok(SwitchReport { writers_stopped: began.elapsed(), caught_up, compared })
    }

    /// Reverts the switch of an adoption in place, until [`finish`](Self::finish). The old tables return to their place, and
    /// the new ones to the schema `workspace_db_next`. The old application can resume.
    ///
    /// The new tables are emptied, and the next [`run`](Self::run) copies everything again: nothing that was written to them
    /// since the switch is kept.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) if the adoption is not in place, or the switch was not done, or readers don't
    /// release the tables within 10 s; [`is_unreachable`](Error::is_unreachable).
    pub async fn switch_back(&self) -> Result<()> {
        if !self.is_in_place {
            return Err(Error::new(ErrorKind::Conflict, "only an adoption in place can be switched back")
                .remedy("start the old application on its own database, which is unchanged"));
        }
        let target = connections::target(&self.into).await?;
        state::lock(&target).await?;
        self.check_switched(&target).await?;
        in_place::switch_back(&connections::source(&self.from).await?).await
    }

    /// Writes the rows that were set aside into a new file, and deletes the adoption's own tables in the target.
    ///
    /// Each line is JSON with the table, key, reason and old row. [`embed_set_aside`] reads it. Webhook secrets in it are sealed, and passwords in plain
    /// text are left out. A separate source stays unchanged. In place, the old tables are dropped, without CASCADE.
    ///
    /// # Errors
    ///
    /// [`is_conflict`](Error::is_conflict) if the switch was not done, the file exists, or objects of yours depend on the
    /// old tables; [`is_io_failure`](Error::is_io_failure), [`is_unreachable`](Error::is_unreachable).
    pub async fn finish(&self, aside: &Path) -> Result<FinishReport> {
        let mut target = connections::target(&self.into).await?;
        state::lock(&target).await?;
        self.check_switched(&target).await?;
        let transaction = target.transaction().await?;
        let (file, set_aside, passages) = set_aside::write(&transaction, aside).await?;
        let kept_types = if self.is_in_place { in_place::drop_old(&transaction).await? } else { Vec::new() };
        state::close(&transaction).await?;
        // The rows are in the file before they are gone from the database.
        file.put_in_place()?;
        transaction.commit().await?;
        Ok(FinishReport { set_aside, passages, kept_types })
    }

    async fn check_switched(&self, target: &Client) -> Result<()> {
        if state::is_open(target).await? && state::is_switched(target).await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, "the last step of the adoption has not run yet")
            .remedy("run `workspace-db adopt --switch` first"))
    }

    fn check_source(&self, plan: &AdoptionPlan) -> Result<()> {
        let SchemaDifferences { missing, unknown } = &plan.differences;
        if !missing.is_empty() {
            return Err(Error::invalid(format!(
                "{} is not a complete database of the TypeScript package; missing: {}",
                self.from,
                missing.join(", ")
            )));
        }
        if !unknown.is_empty() && self.unknown_columns == UnknownColumns::Refuse {
            return Err(Error::invalid(format!(
                "{} has columns that the adoption does not copy: {}",
                self.from,
                unknown.join(", ")
            ))
            .remedy(
                "choose `--unknown-columns metadata` or `--unknown-columns set-aside`, or move these columns to a separate table",
            ));
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
        let (source, target) = (connections::source(&self.from).await?, connections::target(&self.into).await?);
        state::lock(&target).await?;
        Ok(Connections { source, target, old: escape_identifier(OLD_SCHEMA), statements: Vec::new() })
    }

    /// Creates the statements, for which the new tables must exist.
    async fn prepare(&self, connected: &mut Connections) -> Result<()> {
        let schema = SourceSchema::read(&connected.source, OLD_SCHEMA).await?;
        let options = self.options(&connected.source, &schema).await?;
        for mapping in TABLES {
            let target = TargetTable::read(&connected.target, mapping).await?;
            let source = schema.table(mapping.table);
            connected.statements.push(TableStatements::new(mapping, &source, target, options, schema.is_utf8));
        }
        Ok(())
    }

    async fn options(&self, source: &Client, schema: &SourceSchema) -> Result<ConversionOptions> {
        let can_shorten = "SELECT to_regprocedure('subvector(vector,integer,integer)') IS NOT NULL
            AND to_regprocedure('l2_normalize(vector)') IS NOT NULL";
        let keeps_unknown = self.unknown_columns == UnknownColumns::Metadata;
        if self.long_vectors == LongVectors::SetAside || schema.table("document_chunks").types.is_empty() {
            return Ok(ConversionOptions { can_shorten: false, keeps_unknown });
        }
        Ok(ConversionOptions { can_shorten: source.query_one(can_shorten, &[]).await?.get(0), keeps_unknown })
    }
}

fn is_over() -> Error {
    Error::new(ErrorKind::Conflict, "the last step of the adoption has already run")
        .remedy("run `workspace-db adopt --finish`")
}
