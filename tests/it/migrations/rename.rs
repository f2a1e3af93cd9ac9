//! The worked example of `migrations/README.md`: a column of a live table gets another name, and nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use diesel_async::AsyncPgConnection;
use tokio::task::JoinHandle;

use super::*;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");

/// A release of the program: what it writes, and what it reads.
#[derive(Clone, Copy)]
struct Release {
    insert: &'static str,
    update: &'static str,
    read: &'static str,
}

const FIRST: Release = Release {
    insert: "INSERT INTO document_tags (workspace_id, document_id, tag) SELECT workspace_id, id, $1 FROM documents",
    update: "UPDATE document_tags SET tag = tag || '!' WHERE tag = $1",
    read: "SELECT tag FROM document_tags WHERE tag IS NOT NULL AND tag = $1",
};
const SECOND: Release = Release {
    insert: "INSERT INTO document_tags (workspace_id, document_id, tag, label) SELECT workspace_id, id, $1, $1 FROM documents",
    update: "UPDATE document_tags SET tag = tag || '!', label = tag || '!' WHERE tag = $1",
    read: FIRST.read,
};
const THIRD: Release = Release {
    update: "UPDATE document_tags SET tag = label || '!', label = label || '!' WHERE label = $1",
    read: "SELECT label FROM document_tags WHERE label = $1",
    ..SECOND
};
const FOURTH: Release = Release {
    insert: "INSERT INTO document_tags (workspace_id, document_id, label) SELECT workspace_id, id, $1 FROM documents",
    update: "UPDATE document_tags SET label = label || '!' WHERE label = $1",
    ..THIRD
};

/// A release that runs: it inserts, changes and reads back its own words, one after the other, and everything it does succeeds.
struct RunningRelease {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl RunningRelease {
    fn start(database: &TestDatabase, name: &'static str, release: Release) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (until, counted, url) = (Arc::clone(&stop), Arc::clone(&done), database.platform_url().unwrap());
        let task = tokio::spawn(async move {
            let mut conn = connect(&url).await.unwrap();
            // Nobody waits for a migration for longer than its lock time-out, and some.
            conn.batch_execute("SET statement_timeout = '4s'").await.unwrap();
            while !until.load(Ordering::SeqCst) {
                let word = format!("{name} {}", counted.load(Ordering::SeqCst));
                for sql in [release.insert, release.update] {
                    let changed = run_with(&mut conn, sql, &word).await;
                    assert_eq!(changed, 2, "{sql}");
                }
                assert_eq!(run_with(&mut conn, release.read, &format!("{word}!")).await, 2, "{}", release.read);
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { stop, done, task }
    }

    /// Once it has done something more.
    async fn at_work(&self) {
        let before = self.done.load(Ordering::SeqCst);
        while self.done.load(Ordering::SeqCst) <= before + 1 {
            assert!(!self.task.is_finished(), "a release has failed");
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
        self.done.load(Ordering::SeqCst)
    }
}

async fn run_with(conn: &mut AsyncPgConnection, sql: &str, word: &str) -> usize {
    let query = diesel::sql_query(sql).bind::<diesel::sql_types::Text, _>(word);
    diesel_async::RunQueryDsl::execute(query, conn).await.expect("a statement of a release failed")
}

/// As `backfill.sql` says: again while there is something left.
async fn backfill(conn: &mut AsyncPgConnection) {
    let batch = std::fs::read_to_string(format!("{EXAMPLES}/rename_a_column/backfill.sql")).unwrap();
    while diesel_async::RunQueryDsl::execute(diesel::sql_query(&batch), conn).await.unwrap() > 0 {}
}

#[tokio::test]
async fn a_column_of_a_live_table_is_renamed_without_downtime() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let mut conn = database.connect().await.unwrap();
    for slug in ["a", "b"] {
        seed(&mut conn, slug).await.unwrap();
    }
    let own = migrator(&url).with_folder(format!("{EXAMPLES}/generated/migrations")).unwrap();
    own.run(|_| ()).await.unwrap();
    let whole = own.clone().with_folder(format!("{EXAMPLES}/rename_a_column")).unwrap();
    let steps: Vec<Migration> = whole.migrations().filter(|one| one.name().starts_with("2999")).cloned().collect();
    assert_eq!(steps.len(), 6);
    let step = async |count: usize| {
        let known = own.clone().with(steps[..count].iter().cloned()).unwrap();
        assert_eq!(known.run(|_| ()).await.unwrap().len(), 1, "step {count}");
    };
    let mut done = 0;

    let first = RunningRelease::start(&database, "first", FIRST);
    first.at_work().await;
    step(1).await;
    first.at_work().await;
    let second = RunningRelease::start(&database, "second", SECOND);
    second.at_work().await;
    done += first.end().await;
    // Only now does every row that comes have both.
    backfill(&mut conn).await;
    for count in 2..=5 {
        step(count).await;
        second.at_work().await;
    }
    let third = RunningRelease::start(&database, "third", THIRD);
    third.at_work().await;
    done += second.end().await;
    let fourth = RunningRelease::start(&database, "fourth", FOURTH);
    fourth.at_work().await;
    done += third.end().await;
    step(6).await;
    fourth.at_work().await;
    done += fourth.end().await;

    // Every word of every release is there, in every workspace, once.
    let counted = format!(
        "SELECT count(*) = {} AND count(DISTINCT (workspace_id, label)) = count(*) AS met FROM document_tags",
        2 * done
    );
    until(&mut conn, &counted).await;
    let tables = [workspace_db::tenancy::TENANT_TABLES, &["document_tags"]].concat();
    let config = database.config().unwrap();
    let violations = workspace_db_testing::conformance::violations(&config, &tables).await.unwrap();
    assert!(violations.iter().all(|one| !one.object.contains("document_tags")), "{violations:?}");
    // And back, over the rows, and forth again.
    whole.revert(RevertCount::Last(6)).await.unwrap();
    until(&mut conn, &counted.replace("label", "tag")).await;
    step(1).await;
    backfill(&mut conn).await;
    whole.run(|_| ()).await.unwrap();
    until(&mut conn, &counted).await;
}
