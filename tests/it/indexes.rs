//! Upkeep of the vector indexes, over real builds of real indexes.

use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use rstest::rstest;
use serde_json::Value;
use workspace_db::config::{Config, SearchLimits};
use workspace_db::db;
use workspace_db::id::WorkspaceId;
use workspace_db::indexes::{IndexAction, IndexProgress, VerifyOptions, retrain, status, verify};
use workspace_db::models::{NewDocument, Workspace};
use workspace_db::schema::*;
use workspace_db::search::{Plan, SearchChunks as _};
use workspace_db::sql_types::{DIMENSIONS, Embedding};
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};

use crate::cli::Shell;
use crate::search::{Fixture, question, random, same_signs};
use crate::until;

/// Chunks of a workspace that count as many here.
const MANY: u32 = 50;

async fn filled(fixture: &mut Fixture, workspace: WorkspaceId, count: usize) {
    let document = fixture.document(workspace, &NewDocument::new("Notes")).await;
    let mut rng = fastrand::Rng::with_seed(11);
    let passages = (0..count).map(|at| (format!("passage {at}"), random(&mut rng))).collect();
    fixture.passages(workspace, document, passages).await;
}

/// Workspace `a` with many chunks, `b` with few.
async fn fixture() -> Fixture {
    let mut fixture = Fixture::new().await;
    let (a, b) = (fixture.a, fixture.b);
    filled(&mut fixture, a, 120).await;
    filled(&mut fixture, b, 10).await;
    fixture
}

fn own_index(workspace: WorkspaceId) -> String {
    format!("document_chunks_near_{}", workspace.as_uuid().simple())
}

/// The steps without those that autovacuum may do first.
fn of_indexes(mut steps: Vec<IndexAction>) -> Vec<IndexAction> {
    steps.retain(|step| !matches!(step, IndexAction::Vacuum { .. }));
    steps
}

async fn due(fixture: &Fixture, from: u32) -> Vec<IndexAction> {
    of_indexes(status(&fixture.database.url().unwrap(), from).await.unwrap().due)
}

async fn retrained(fixture: &Fixture, from: u32) -> Vec<IndexAction> {
    of_indexes(retrain(&fixture.database.url().unwrap(), from, &|_| ()).await.unwrap())
}

/// `ALTER DATABASE`, as a superuser.
async fn alter_database(fixture: &Fixture, what: &str) {
    let mut superuser = db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    let alter = format!("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {what}', current_database()); END $$");
    superuser.batch_execute(&alter).await.unwrap();
}

fn shell(fixture: &Fixture) -> Shell {
    Shell::for_database(&fixture.database).with("WORKSPACE_DB_OWN_INDEX_FROM", MANY.to_string())
}

#[tokio::test]
async fn a_large_workspace_gets_an_index_of_its_own_and_a_small_one_loses_it() {
    let mut fixture = fixture().await;
    let index = own_index(fixture.a);
    let build = IndexAction::Build { index: index.clone(), workspace: fixture.a, chunks: 120 };
    assert_eq!(due(&fixture, MANY).await, std::slice::from_ref(&build));
    assert_eq!(retrained(&fixture, MANY).await, [build]);
    assert_eq!(due(&fixture, MANY).await, []);
    assert_eq!(retrained(&fixture, MANY).await, []);
    let answer = fixture.chunks().nearest(&question(&Embedding::try_from([0.5; DIMENSIONS]).unwrap()), 5);
    let answer = answer.run(&mut fixture.ws).await.unwrap();
    assert_eq!(answer.by_vector.unwrap().plan, Plan::Approximate);

    // One that has become a little smaller keeps it, one that has become much smaller does not.
    assert_eq!(due(&fixture, 200).await, []);
    let drop = IndexAction::Drop { index: index.clone(), workspace: fixture.a, chunks: 120 };
    assert_eq!(due(&fixture, 300).await, [drop]);
    diesel::delete(workspaces::table.filter(workspaces::id.eq(fixture.a))).execute(&mut fixture.conn).await.unwrap();
    let drop = IndexAction::Drop { index, workspace: fixture.a, chunks: 0 };
    assert_eq!(retrained(&fixture, MANY).await, [drop]);
    assert!(status(&fixture.database.url().unwrap(), MANY).await.unwrap().own.is_empty());
}

#[tokio::test]
async fn the_first_search_after_a_load_runs_the_plan_that_it_reports() {
    let mut fixture = Fixture::new().await;
    let a = fixture.a;
    let mut owner = db::connect(&fixture.database.url().unwrap()).await.unwrap();
    owner.batch_execute("ALTER TABLE document_chunks SET (autovacuum_enabled = false)").await.unwrap();
    filled(&mut fixture, a, 1_500).await;
    // A session counts its changes later, and those would seem newer than the vacuum.
    fixture.conn.batch_execute("SELECT pg_stat_force_next_flush()").await.unwrap();
    let counted =
        "SELECT n_mod_since_analyze >= 1500 AS met FROM pg_stat_user_tables WHERE relname = 'document_chunks'";
    until(&mut owner, counted).await;
    let index = own_index(a);
    owner
        .batch_execute(&format!(
            "CREATE INDEX {index} ON document_chunks USING hnsw (vector_bits bit_hamming_ops) WHERE workspace_id = '{a}'"
        ))
        .await
        .unwrap();

    // Nothing was analyzed, so the planner takes the workspace for one row.
    let mut rng = fastrand::Rng::with_seed(5);
    let search = fixture.chunks().nearest(&question(&random(&mut rng)), 5).with_plan(Plan::Approximate);
    let answer = search.run(&mut fixture.ws).await.unwrap();
    assert_eq!((answer.returned, answer.by_vector.unwrap().plan), (5, Plan::Approximate));
    until(&mut owner, &format!("SELECT idx_scan > 0 AS met FROM pg_stat_user_indexes WHERE indexrelname = '{index}'"))
        .await;

    let vacuum = IndexAction::Vacuum { chunks: 1_500 };
    let url = fixture.database.url().unwrap();
    assert!(status(&url, 5_000).await.unwrap().due.contains(&vacuum));
    assert!(retrain(&url, 5_000, &|_| ()).await.unwrap().contains(&vacuum));
    for _ in 0..3 {
        eprintln!("{:?}", status(&url, 5_000).await.unwrap().due);
    }
    // A snapshot of the server's own, which is older than the rows, can keep a vacuum from marking their pages.
    let done = async {
        while status(&url, 5_000).await.unwrap().due.contains(&vacuum) {
            retrain(&url, 5_000, &|_| ()).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(10), done).await.expect("the vacuum stays due");
}

/// Hashed words are searched exactly, so an index of their signs would never be read.
#[tokio::test]
async fn a_workspace_of_hashed_words_gets_none() {
    let mut fixture = fixture().await;
    diesel::update(document_chunks::table)
        .set(document_chunks::embedding_model.eq("feature-hashing-v2"))
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    assert_eq!(due(&fixture, MANY).await, []);
}

#[tokio::test]
async fn the_shared_index_is_trained_once_the_table_has_grown() {
    let mut fixture = Fixture::new().await;
    let a = fixture.a;
    filled(&mut fixture, a, 1_000).await;
    let train = |chunks| IndexAction::Train { index: "document_chunks_vector_idx".to_owned(), lists: 100, chunks };
    assert_eq!(due(&fixture, 5_000).await, [train(1_000)]);
    let events = Mutex::new(Vec::<IndexProgress>::new());
    let on_progress = |progress: &IndexProgress| events.lock().unwrap().push(progress.clone());
    let done = retrain(&fixture.database.url().unwrap(), 5_000, &on_progress).await.unwrap();
    assert_eq!(of_indexes(done), [train(1_000)]);
    assert_eq!(events.lock().unwrap()[0].step, train(1_000));
    let after = status(&fixture.database.url().unwrap(), 5_000).await.unwrap();
    assert_eq!((after.chunks, of_indexes(after.due)), (1_000, vec![]));
    assert_eq!(after.shared.unwrap().trained_on, Some(1_000));

    filled(&mut fixture, a, 900).await;
    assert_eq!(due(&fixture, 5_000).await, []);
    filled(&mut fixture, a, 100).await;
    assert_eq!(due(&fixture, 5_000).await, [train(2_000)]);

    let mut owner = db::connect(&fixture.database.url().unwrap()).await.unwrap();
    owner.batch_execute("DROP INDEX document_chunks_vector_idx").await.unwrap();
    let missing = IndexAction::Train { index: "document_chunks_vector_idx".to_owned(), lists: 100, chunks: 2_000 };
    assert_eq!(retrained(&fixture, 5_000).await, [missing]);
    assert_eq!(due(&fixture, 5_000).await, []);
}

/// A transaction that a concurrent build has to wait for.
async fn older_transaction(fixture: &Fixture) -> AsyncPgConnection {
    let mut conn = fixture.database.connect().await.unwrap();
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE document_chunks SET token_count = 1 WHERE false;
        LOCK TABLE document_chunks IN ROW EXCLUSIVE MODE";
    conn.batch_execute(begin).await.unwrap();
    conn
}

const BUILDING: &str = "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE datname = current_database()
    AND phase LIKE 'waiting for%') AS met";
const NOT_BUILDING: &str = "SELECT NOT EXISTS (SELECT FROM pg_stat_progress_create_index
    WHERE datname = current_database()) AS met";

#[tokio::test]
async fn a_build_that_is_killed_is_found_and_done_again() {
    let fixture = fixture().await;
    let shell = shell(&fixture);
    let mut older = older_transaction(&fixture).await;
    let mut superuser = db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    let mut child = shell.command(&["index", "retrain"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(&mut superuser, BUILDING).await;

    // Only one at a time, and the second one says so.
    let said = shell.fails(&["index", "retrain"], 7);
    assert!(said.contains("another process"), "{said}");

    child.kill().unwrap();
    child.wait().unwrap();
    // The server notices that nobody waits for the build, while the older transaction is still there.
    until(&mut superuser, NOT_BUILDING).await;
    older.batch_execute("ROLLBACK").await.unwrap();
    let index = own_index(fixture.a);
    let steps = [
        IndexAction::DropLeftOver { index: index.clone() },
        IndexAction::Build { index: index.clone(), workspace: fixture.a, chunks: 120 },
    ];
    assert_eq!(due(&fixture, MANY).await, steps);
    let done = shell.json(&["index", "retrain"]);
    assert_eq!(done["done"].as_array().map(Vec::len), Some(2));
    let after = status(&fixture.database.url().unwrap(), MANY).await.unwrap();
    assert!(after.due.is_empty() && after.own.iter().all(|own| own.is_valid && own.name == index), "{after:?}");
}

#[tokio::test]
async fn a_retraining_that_is_killed_leaves_nothing_behind_in_the_end() {
    let mut fixture = Fixture::new().await;
    let a = fixture.a;
    filled(&mut fixture, a, 1_000).await;
    let shell = shell(&fixture).with("WORKSPACE_DB_OWN_INDEX_FROM", "5000");
    let mut older = older_transaction(&fixture).await;
    let mut superuser = db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    let mut child = shell.command(&["index", "retrain"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until(&mut superuser, BUILDING).await;
    child.kill().unwrap();
    child.wait().unwrap();
    until(&mut superuser, NOT_BUILDING).await;
    older.batch_execute("ROLLBACK").await.unwrap();
    let left = IndexAction::DropLeftOver { index: "document_chunks_vector_idx_new".to_owned() };
    let train = IndexAction::Train { index: "document_chunks_vector_idx".to_owned(), lists: 100, chunks: 1_000 };
    assert_eq!(due(&fixture, 5_000).await, [left, train]);
    retrained(&fixture, 5_000).await;
    assert_eq!(due(&fixture, 5_000).await, []);
    let one = "SELECT count(*) = 1 AS met FROM pg_class WHERE relname LIKE 'document_chunks_vector_idx%'";
    until(&mut superuser, one).await;
}

/// Within a process that lives on, whoever gives up waiting ends the build.
#[tokio::test]
async fn a_build_that_is_given_up_is_cancelled() {
    let fixture = fixture().await;
    let mut older = older_transaction(&fixture).await;
    let mut superuser = db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    let owner = fixture.database.url().unwrap();
    let building = retrain(&owner, MANY, &|_| ());
    tokio::select! {
        done = building => unreachable!("an older transaction was not waited for: {done:?}"),
        () = until(&mut superuser, BUILDING) => {}
    }
    until(&mut superuser, NOT_BUILDING).await;
    older.batch_execute("ROLLBACK").await.unwrap();
    let index = own_index(fixture.a);
    let steps = [
        IndexAction::DropLeftOver { index: index.clone() },
        IndexAction::Build { index, workspace: fixture.a, chunks: 120 },
    ];
    assert_eq!(retrained(&fixture, MANY).await, steps);
    assert_eq!(due(&fixture, MANY).await, []);
}

/// As managed services set it for every login.
#[tokio::test]
async fn a_time_out_for_statements_does_not_end_a_build() {
    let fixture = fixture().await;
    let mut superuser = db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    alter_database(&fixture, "SET statement_timeout = 250").await;
    let mut older = older_transaction(&fixture).await;
    let owner = fixture.database.url().unwrap();
    let build = retrain(&owner, MANY, &|_| ());
    let (done, ()) = tokio::join!(build, async {
        let long = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
            AND query LIKE 'CREATE INDEX%' AND clock_timestamp() - query_start > interval '400 ms') AS met";
        until(&mut superuser, long).await;
        older.batch_execute("ROLLBACK").await.unwrap();
    });
    assert_eq!(done.unwrap().len(), 1);
}

/// Whoever has set another value has a reason.
#[tokio::test]
async fn what_somebody_has_set_for_the_database_stays() {
    let fixture = fixture().await;
    for (name, value) in [("ivfflat.probes", "40"), ("hnsw.ef_search", "200"), ("hnsw.iterative_scan", "off")] {
        alter_database(&fixture, &format!("SET {name} = {value}")).await;
    }
    assert_eq!(due(&fixture, 5_000).await, []);
    alter_database(&fixture, "SET ivfflat.probes = 1").await;
    let set = IndexAction::Set { setting: "ivfflat.probes", value: "10".to_owned() };
    assert_eq!(retrained(&fixture, 5_000).await, [set]);
    assert_eq!(due(&fixture, 5_000).await, []);
}

#[tokio::test]
async fn progress_is_the_servers() {
    let fixture = fixture().await;
    let mut older = older_transaction(&fixture).await;
    let begun = tokio::sync::Notify::new();
    let on_progress = |progress: &IndexProgress| {
        if progress.phase.starts_with("waiting for") {
            begun.notify_one();
        }
    };
    let owner = fixture.database.url().unwrap();
    let (done, ()) = tokio::join!(retrain(&owner, MANY, &on_progress), async {
        begun.notified().await;
        older.batch_execute("ROLLBACK").await.unwrap();
    });
    assert_eq!(done.unwrap().len(), 1);
}

/// What a user writes who does not know of [`SearchChunks`]: the shared index, as the migrations leave it, gives all
/// ten rows of a small workspace in a large table. Without the database's defaults it does not.
#[rstest]
#[case::with_the_defaults(true)]
#[case::without_them(false)]
#[tokio::test]
async fn an_order_by_distance_gets_its_rows(#[case] defaults: bool) {
    let mut fixture = Fixture::new().await;
    let (a, b) = (fixture.a, fixture.b);
    filled(&mut fixture, b, 2_000).await;
    filled(&mut fixture, a, 20).await;
    if !defaults {
        for name in ["ivfflat.probes", "ivfflat.iterative_scan"] {
            alter_database(&fixture, &format!("RESET {name}")).await;
        }
        let missing = due(&fixture, 5_000).await;
        let set = |step: &IndexAction| matches!(step, IndexAction::Set { .. });
        assert_eq!(missing.iter().filter(|step| set(step)).count(), 2, "{missing:?}");
    }
    // A table as small as this one would be sorted.
    alter_database(&fixture, "SET enable_sort = off").await;
    let db = fixture.database.open(1).await.unwrap();
    let mut ws = db.workspace(&fixture.scope).await.unwrap();
    let query_vector = random(&mut fastrand::Rng::with_seed(5));
    let query = fixture.chunks().order(document_chunks::vector.cosine_distance(&query_vector)).limit(10);
    let found: Vec<String> = query.select(document_chunks::content).load(&mut ws).await.unwrap();
    if defaults {
        assert_eq!(found.len(), 10);
        return;
    }
    assert!(found.len() < 10, "the defaults are not what made the difference");
    retrained(&fixture, 5_000).await;
    let db = fixture.database.open(1).await.unwrap();
    let mut ws = db.workspace(&fixture.scope).await.unwrap();
    let query = fixture.chunks().order(document_chunks::vector.cosine_distance(&query_vector)).limit(10);
    assert_eq!(query.select(document_chunks::content).load::<String>(&mut ws).await.unwrap().len(), 10);
}

/// Every vector has the same signs but one, so that candidates by signs are as good as chosen by lot.
async fn with_bad_signs(fixture: &mut Fixture) {
    let vectors = same_signs(600).into_iter().enumerate();
    let passages = vectors.map(|(at, vector)| (format!("passage {at}"), vector)).collect();
    let document = fixture.document(fixture.a, &NewDocument::new("Notes")).await;
    let a = fixture.a;
    fixture.passages(a, document, passages).await;
}

#[tokio::test]
async fn recall_is_measured_against_exact_searches() {
    let mut fixture = Fixture::new().await;
    with_bad_signs(&mut fixture).await;
    let b = fixture.b;
    filled(&mut fixture, b, 5).await;
    let options = VerifyOptions { questions: 10, ..VerifyOptions::default() };
    let measured = verify(&fixture.db, &options, &|_| ()).await.unwrap();
    let shown: Vec<_> = measured.iter().map(|one| (one.slug.as_str(), one.chunks, one.questions)).collect();
    assert_eq!(shown, [("a", 600, 10), ("b", 5, 5)]);
    assert!(measured.iter().all(|one| one.mean > 0.999 && one.worst > 0.999 && one.bounded == 0), "{measured:?}");

    // Where more candidates may not be taken, it shows.
    let search = SearchLimits { exact_below: 0, max_candidates: 40, ..SearchLimits::default() };
    let bounded = Config { search, ..fixture.database.config().unwrap() };
    let db = workspace_db::tenancy::Database::open(&bounded).await.unwrap();
    let measured = verify(&db, &options, &|_| ()).await.unwrap();
    assert!(measured[0].mean < 0.9 && measured[0].worst <= measured[0].mean, "{measured:?}");
    assert!(measured[0].bounded == 10 && measured[1].mean > 0.999, "{measured:?}");
}

#[tokio::test]
async fn the_command_fails_below_the_gate() {
    let mut fixture = Fixture::new().await;
    with_bad_signs(&mut fixture).await;
    let shell = shell(&fixture).with("WORKSPACE_DB_OWN_INDEX_FROM", "5000");
    let measured: Value = shell.json(&["index", "verify", "--questions", "5"]);
    assert_eq!(measured["workspaces"][0]["mean"], 1.0);
    let status = shell.succeed(&["index", "status"]);
    assert!(status.contains("600 chunks") && status.contains("nothing is due"), "{status}");
    let bounded = shell.with("WORKSPACE_DB_SEARCH_MAX_CANDIDATES", "40").with("WORKSPACE_DB_SEARCH_EXACT_BELOW", "0");
    let said = bounded.fails(&["index", "verify", "--questions", "5"], 8);
    assert!(said.contains("the recall of a is below 0.99"), "{said}");
    bounded.fails(&["index", "verify", "-w", "nobody"], 3);
    bounded.fails(&["index", "verify", "-w", "b"], 3);
    bounded.fails(&["index", "verify", "--gate", "nan"], 2);
    bounded.fails(&["index", "verify", "--questions", "0"], 2);
    bounded.fails(&["index", "verify", "-k", "1000"], 2);
}

/// The index of one workspace holds the rows of nobody else, and is found by nobody else.
#[tokio::test]
async fn two_workspaces_with_indexes_of_their_own_find_their_own() {
    let mut fixture = fixture().await;
    let b = fixture.b;
    filled(&mut fixture, b, 100).await;
    assert_eq!(retrained(&fixture, MANY).await.len(), 2);
    let question = question(&random(&mut fastrand::Rng::with_seed(5)));
    for workspace in [fixture.a, fixture.b] {
        let scope = WorkspaceScope::unchecked(workspace, "a test");
        let mut ws = fixture.db.workspace(&scope).await.unwrap();
        let answer = document_chunks::table.in_workspace(&scope).nearest(&question, 5).run(&mut ws).await.unwrap();
        assert_eq!((answer.returned, answer.by_vector.unwrap().plan), (5, Plan::Approximate));
        for hit in answer.hits {
            let owner: WorkspaceId = document_chunks::table
                .filter(document_chunks::id.eq(hit.chunk_id))
                .select(document_chunks::workspace_id)
                .get_result(&mut fixture.conn)
                .await
                .unwrap();
            assert_eq!(owner, workspace);
        }
    }
    assert!(Workspace::find_by_slug(&mut fixture.conn, "a").await.is_ok());
}
