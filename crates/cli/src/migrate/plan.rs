//! `workspace-db migrate plan`

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl as _;
use serde::Serialize;
use workspace_db::config::DatabaseUrl;
use workspace_db::db;
use workspace_db::db::catalog::{Catalog, Drift};
use workspace_db::db::migrations::{Migration, Migrator};
use workspace_db_testing::TestDatabase;

use super::locks::{Lock, ScratchDatabase};
use crate::context::Context;
use crate::output;

#[derive(Args, Debug)]
pub(super) struct Plan {
    /// Print only the names, without starting a server to measure locks
    #[arg(long)]
    names: bool,
}

/// The pending migrations, and the locks that they take.
#[derive(Serialize)]
struct MigrationPlan {
    pending: Vec<PendingMigration>,
    /// Differences between the database and the schema that its applied migrations create.
    drift: Vec<Drift>,
}

#[derive(Serialize)]
struct PendingMigration {
    name: String,
    in_transaction: bool,
    statements: Vec<PlannedStatement>,
}

#[derive(Serialize)]
struct PlannedStatement {
    line: usize,
    sql: String,
    locks: Vec<Lock>,
}

/// Size of a table, as the planner estimates it.
#[derive(Clone, diesel::QueryableByName)]
struct Size {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    rows: i64,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

impl Plan {
    pub(super) async fn run(self, context: &Context, migrator: &Migrator, owner: &DatabaseUrl) -> Result<()> {
        let pending = migrator.plan().await?;
        if self.names {
            let names: Vec<_> = pending.iter().map(Migration::name).collect();
            return if context.json {
                output::print_json(&names)
            } else {
                output::print_lines(names.into_iter().map(str::to_owned))
            };
        }
        let planned = if pending.is_empty() {
            MigrationPlan { pending: Vec::new(), drift: Vec::new() }
        } else {
            plan_on_scratch(migrator, &pending, owner).await?
        };
        if context.json {
            return output::print_json(&planned);
        }
        let sizes = sizes(owner).await?;
        let drift = planned.drift.iter().map(|drift| format!("-- drift: {drift}"));
        output::print_lines(drift.chain(planned.pending.iter().flat_map(|one| lines(one, &sizes))))
    }
}

/// Runs the applied and then the pending migrations on a temporary server.
async fn plan_on_scratch(migrator: &Migrator, pending: &[Migration], owner: &DatabaseUrl) -> Result<MigrationPlan> {
    let spinner = output::spinner();
    output::tell(&spinner, "checking locks in a temporary database");
    let scratch = TestDatabase::unmigrated().await?;
    let url = scratch.url()?;
    let mut trial = ScratchDatabase::on(&url).await?;
    for applied in migrator.migrations().filter(|one| !pending.contains(one)) {
        trial.run(applied).await?;
    }
    let drift = Catalog::read(&url).await?.drift(&Catalog::read(owner).await?);
    let mut all = Vec::with_capacity(pending.len());
    for migration in pending {
        let locks = trial.run(migration).await?;
        let steps = migration.statements().into_iter().zip(locks);
        let steps = steps.map(|(one, locks)| PlannedStatement { line: one.line, sql: one.sql.to_owned(), locks });
        all.push(PendingMigration {
            name: migration.name().to_owned(),
            in_transaction: migration.runs_in_transaction(),
            statements: steps.collect(),
        });
    }
    spinner.finish_and_clear();
    Ok(MigrationPlan { pending: all, drift })
}

async fn sizes(owner: &DatabaseUrl) -> Result<BTreeMap<String, Size>> {
    let query = "SELECT oid::regclass::text AS name, reltuples::bigint AS rows, pg_total_relation_size(oid) AS bytes
        FROM pg_class WHERE relkind IN ('r', 'm')";
    let all: Vec<Size> = diesel::sql_query(query).load(&mut db::connect(owner).await?).await?;
    Ok(all.into_iter().map(|size| (size.name.clone(), size)).collect())
}

/// Formats the SQL, with its locks as comments.
fn lines(migration: &PendingMigration, sizes: &BTreeMap<String, Size>) -> Vec<String> {
    let outside = if migration.in_transaction { "" } else { ", outside a transaction" };
    let mut lines = vec![format!("-- {}{outside}", migration.name)];
    for step in &migration.statements {
        lines.extend(step.locks.iter().map(|lock| {
            let Lock { table, mode, keeps_out, rewrites } = lock;
            let rewrites = if *rewrites { ", rewrites every row" } else { "" };
            format!("-- {mode} on {table}{}: blocks {keeps_out}{rewrites}", size(sizes.get(table)))
        }));
        lines.push(format!("{};", step.sql));
    }
    lines.push(String::new());
    lines
}

fn size(size: Option<&Size>) -> String {
    match size {
        // The table was never analyzed.
        Some(Size { rows, bytes, .. }) if *rows < 0 => format!(" ({})", indicatif::BinaryBytes(bytes.unsigned_abs())),
        Some(Size { rows, bytes, .. }) => {
            format!(" (about {rows} rows, {})", indicatif::BinaryBytes(bytes.unsigned_abs()))
        }
        None => String::new(),
    }
}
