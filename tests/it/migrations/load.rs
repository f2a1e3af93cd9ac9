//! Readers and writers while migrations run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use diesel::sql_types::Text;
use tokio::task::JoinHandle;

use super::*;

/// Twice the migrator's wait for a lock: no one statement of a reader or writer may take longer.
const PATIENCE: &str = "SET statement_timeout = '4s'";

#[derive(diesel::QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    column: String,
}

/// Does one statement after the other on each table in turn until told to stop, and counts them.
fn keep_at_it(
    database: &TestDatabase,
    statement: fn(&Table) -> String,
    stop: &Arc<AtomicBool>,
) -> (JoinHandle<()>, Arc<AtomicUsize>) {
    let (url, stop, count) = (database.superuser_url().unwrap(), Arc::clone(stop), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    let busy = tokio::spawn(async move {
        let mut conn = connect(&url).await.unwrap();
        conn.batch_execute(PATIENCE).await.unwrap();
        while !stop.load(Ordering::SeqCst) {
            // The first column that no key has, since an update of that is the usual one.
            let tables = "SELECT c.relname::text AS name, (SELECT quote_ident(a.attname) FROM pg_attribute a
                    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum DESC LIMIT 1) AS column
                FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE '\\_\\_%'";
            let tables: Vec<Table> =
                diesel_async::RunQueryDsl::load(diesel::sql_query(tables), &mut conn).await.unwrap();
            for table in tables {
                match conn.batch_execute(&statement(&table)).await {
                    Ok(()) => drop(counted.fetch_add(1, Ordering::SeqCst)),
                    Err(error) => {
                        let said = error.to_string();
                        // Between the look and the statement a revert may have taken the table, column or type away.
                        let gone =
                            ["does not exist", "could not open relation", "cache lookup failed", "deadlock detected"];
                        assert!(gone.iter().any(|gone| said.contains(gone)), "{}: {said}", table.name);
                    }
                }
            }
        }
    });
    (busy, count)
}

/// Every migration, down and up again, over rows, with a reader and a writer at all tables: neither waits for longer than the
/// migrator may, and every migration gets through between them.
#[tokio::test]
async fn readers_and_writers_go_on_during_every_migration() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let mut conn = database.connect().await.unwrap();
    for slug in 'a'..='j' {
        seed(&mut conn, &slug.to_string()).await.unwrap();
    }
    let all: Vec<String> = migrator(&url).migrations().map(|one| one.name().to_owned()).collect();
    let mut done = 0;
    for known in (1..=all.len()).rev() {
        let stop = Arc::new(AtomicBool::new(false));
        let (reader, read) = keep_at_it(&database, |table| format!("SELECT count(*) FROM {}", table.name), &stop);
        let update = |table: &Table| format!("UPDATE {0} SET {1} = {1}", table.name, table.column);
        let (writer, written) = keep_at_it(&database, update, &stop);
        let name = &all[known - 1];
        migrator(&url).revert(RevertCount::Last(1)).await.unwrap_or_else(|error| panic!("reverting {name}: {error}"));
        only(&url, known).run(|_| ()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        stop.store(true, Ordering::SeqCst);
        reader.await.unwrap_or_else(|error| panic!("a reader, with {name}: {error}"));
        writer.await.unwrap_or_else(|error| panic!("a writer, with {name}: {error}"));
        done += read.load(Ordering::SeqCst).min(written.load(Ordering::SeqCst));
        migrator(&url).revert(RevertCount::Last(1)).await.unwrap();
    }
    assert!(done > 20 * all.len(), "both did {done} statements during {} migrations", all.len());
}
