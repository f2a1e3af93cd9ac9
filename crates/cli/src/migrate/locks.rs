//! The locks of a migration, as PostgreSQL reports them on a temporary database that has no other users.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use diesel::sql_types::{Array, BigInt, Oid, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use serde::Serialize;
use workspace_db::config::DatabaseUrl;
use workspace_db::db;
use workspace_db::db::migrations::{Migration, MigrationStatement};

/// A table that existed before, and the effect of a statement on it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Lock {
    pub(super) table: String,
    /// Strongest lock that the statement takes, by PostgreSQL's name.
    pub(super) mode: String,
    pub(super) keeps_out: &'static str,
    /// True if PostgreSQL rewrites every row under that lock, which takes time in proportion to the rows.
    pub(super) rewrites: bool,
}

/// Lock modes from the weakest to the strongest, each with the sessions that it blocks.
const MODES: &[(&str, &str)] = &[
    ("AccessShareLock", "only schema changes"),
    ("RowShareLock", "only schema changes"),
    ("RowExclusiveLock", "only schema changes"),
    ("ShareUpdateExclusiveLock", "VACUUM and other schema changes"),
    ("ShareLock", "writers"),
    ("ShareRowExclusiveLock", "writers"),
    ("ExclusiveLock", "writers"),
    ("AccessExclusiveLock", "readers and writers"),
];

#[derive(diesel::QueryableByName)]
struct TableFile {
    #[diesel(sql_type = Oid)]
    oid: u32,
    #[diesel(sql_type = Text)]
    name: String,
    /// File that stores its rows. A rewrite changes it.
    #[diesel(sql_type = BigInt)]
    file: i64,
}

#[derive(diesel::QueryableByName)]
struct HeldLock {
    #[diesel(sql_type = Oid)]
    oid: u32,
    #[diesel(sql_type = Text)]
    mode: String,
}

/// A temporary database on which migrations run.
pub(super) struct ScratchDatabase {
    conn: AsyncPgConnection,
}

impl ScratchDatabase {
    pub(super) async fn on(url: &DatabaseUrl) -> Result<Self> {
        let mut conn = db::connect(url).await?;
        conn.batch_execute("SET workspace_db.bootstrap = 'off'").await?;
        Ok(Self { conn })
    }

    /// Runs the migration, and returns the locks of each statement.
    pub(super) async fn run(&mut self, migration: &Migration) -> Result<Vec<Vec<Lock>>> {
        let mut tables = self.tables().await?;
        let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
        let mut locks = Vec::new();
        if migration.runs_in_transaction() {
            self.conn.batch_execute("BEGIN").await?;
        }
        for statement in migration.statements() {
            let place = || format!("migration {}, line {}", migration.name(), statement.line);
            self.conn.batch_execute(statement.sql).await.with_context(place)?;
            locks.push(if migration.runs_in_transaction() {
                self.locks(&mut tables, &mut seen).await?
            } else {
                concurrent(&statement, &tables)
            });
        }
        if migration.runs_in_transaction() {
            self.conn.batch_execute("COMMIT").await?;
        }
        Ok(locks)
    }

    async fn tables(&mut self) -> Result<Vec<TableFile>> {
        let query = "SELECT oid, oid::regclass::text AS name, coalesce(pg_relation_filenode(oid), 0)::bigint AS file
            FROM pg_class WHERE relkind IN ('r', 'p', 'm') AND relnamespace NOT IN (
                SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg\\_%' OR nspname = 'information_schema')";
        Ok(diesel::sql_query(query).load(&mut self.conn).await?)
    }

    /// Returns the locks of the last statement that are stronger than those of earlier statements in the transaction.
    async fn locks(&mut self, tables: &mut [TableFile], seen: &mut BTreeMap<u32, usize>) -> Result<Vec<Lock>> {
        let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
        let query = "SELECT relation AS oid, mode FROM pg_locks
            WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation = ANY ($1)";
        let held: Vec<HeldLock> = diesel::sql_query(query).bind::<Array<Oid>, _>(&oids).load(&mut self.conn).await?;
        let now = self.tables().await?;
        let mut strongest: BTreeMap<u32, usize> = BTreeMap::new();
        for held in &held {
            let strength = MODES.iter().position(|(mode, _)| *mode == held.mode).unwrap_or_default();
            let known = strongest.entry(held.oid).or_default();
            *known = strength.max(*known);
        }
        let mut found = Vec::new();
        for table in tables {
            let file = now.iter().find(|other| other.oid == table.oid).map_or(table.file, |other| other.file);
            let rewrites = file != table.file;
            table.file = file;
            let Some(&strength) = strongest.get(&table.oid) else { continue };
            let is_news = seen.get(&table.oid).is_none_or(|known| *known < strength);
            if is_news {
                seen.insert(table.oid, strength);
            }
            if is_news || rewrites {
                found.push(lock(table.name.clone(), strength, rewrites));
            }
        }
        Ok(found)
    }
}

fn lock(table: String, strength: usize, rewrites: bool) -> Lock {
    let (mode, keeps_out) = MODES.get(strength).copied().unwrap_or_default();
    Lock { table, mode: mode.to_owned(), keeps_out, rewrites }
}

/// Returns the locks of a statement outside a transaction. PostgreSQL has released them before another query could read
/// them.
fn concurrent(statement: &MigrationStatement<'_>, tables: &[TableFile]) -> Vec<Lock> {
    let named = |table: &&TableFile| {
        statement.sql.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == table.name)
    };
    // ShareUpdateExclusiveLock, as the documentation of CREATE INDEX CONCURRENTLY says.
    tables.iter().filter(named).map(|table| lock(table.name.clone(), 3, false)).collect()
}
