//! Out and in again, and nothing is another.

use diesel::sql_types::{Array, BigInt, Double, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection as _};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use workspace_db::id::WorkspaceId;
use workspace_db::models::NewDocument;
use workspace_db::schema::documents;
use workspace_db::tenancy::{InWorkspace as _, WorkspaceScope};
use workspace_db::transfer::{ArchivedTable, ImportOptions, Manifest, export, import, inspect};
use workspace_db_testing::TestDatabase;

use super::kill::large;
use super::{Fixture, administer, imported, platform, rows};

/// The tables of an archive; entries of the audit log are added by what is tested, and tokens are never imported.
pub(super) fn tables(manifest: &Manifest) -> Vec<(String, u64, String)> {
    let summary = |table: &ArchivedTable| (table.name.clone(), table.rows, table.digest.to_string());
    let is_same = |table: &&ArchivedTable| table.name != "audit_log" && table.name != "service_tokens";
    manifest.tables.iter().filter(is_same).map(summary).collect()
}

#[tokio::test]
async fn what_is_exported_erased_and_imported_is_the_same_to_the_bit() {
    let fixture = Fixture::that_hurts().await;
    let (of_a, of_b) = (fixture.rows(fixture.a.workspace).await, fixture.rows(fixture.b.workspace).await);
    let exported = fixture.export("a.tar").await.unwrap();
    let named: Vec<_> = exported.tables.iter().map(|table| (table.name.as_str(), table.rows)).collect();
    for (table, rows) in &of_a {
        assert!(named.contains(&(table, rows.count.unsigned_abs())), "{table}: {named:?}");
    }
    let receipt = fixture.erase().await.unwrap();
    assert_eq!(receipt.tables["document_chunks"].before, 201);
    assert!(fixture.rows(fixture.a.workspace).await.values().all(|rows| rows.count == 0));
    let report = fixture.import("a.tar").await.unwrap();
    assert_eq!((report.rows, report.found, report.workspace), (exported.rows(), 0, fixture.a.workspace));
    assert_eq!(fixture.rows(fixture.a.workspace).await, imported(of_a));
    assert_eq!(fixture.rows(fixture.b.workspace).await, of_b);
    let again = fixture.export("again.tar").await.unwrap();
    assert_eq!(tables(&again), tables(&exported));
    assert_eq!(inspect(&fixture.path("again.tar")).await.unwrap(), again);
}

#[tokio::test]
async fn it_is_the_same_in_another_database_whose_people_are_found_by_email_or_made() {
    let (fixture, other) = (Fixture::that_hurts().await, TestDatabase::new().await.unwrap());
    let mut conn = other.connect().await.unwrap();
    conn.batch_execute(
        "INSERT INTO admin_users (email, password_hash) VALUES ('ADMIN@a.example', '$argon2id$v=19$m=19456,t=2,p=1$4Czq4RduvEcmM6eW0NTdSg$EKQPknRrAvPMUY9dK1Qop43hEpLxfpPAhIr9hOuVfbU')",
    )
    .await
    .unwrap();
    let exported = fixture.export("a.tar").await.unwrap();
    let there = other.open(4).await.unwrap();
    let options = || ImportOptions { with_jobs: true, restores: true, ..ImportOptions::default() };
    let bring = || async { import(&there, &platform(), &fixture.path("a.tar"), options(), &|_| ()).await };
    let report = bring().await.unwrap();
    assert_eq!(report.people_added, Vec::<String>::new());
    // Nobody has joined here.
    assert_eq!(report.to_invite, ["admin@a.example"]);
    let moved = rows(&mut conn, fixture.a.workspace).await;
    for (table, rows) in imported(fixture.rows(fixture.a.workspace).await) {
        // Who it was is the one that is known here, by another id.
        if table != "workspace_admins" && table != "feedback" {
            assert_eq!(moved[&table], rows, "{table}");
        }
        assert_eq!(moved[&table].count, rows.count, "{table}");
    }
    let again = bring().await.unwrap_err();
    assert!(again.is_conflict() && again.to_string().contains("already exists"), "{again}");
    conn.batch_execute("DELETE FROM workspaces; DELETE FROM admin_users").await.unwrap();
    let report = bring().await.unwrap();
    assert_eq!(report.people_added, ["admin@a.example"]);
    let (mut here, mut there) =
        (imported(fixture.rows(fixture.a.workspace).await), rows(&mut conn, fixture.a.workspace).await);
    assert_eq!(there.remove("workspace_admins").unwrap().count, here.remove("workspace_admins").unwrap().count);
    assert_eq!(there, here);
    let hash: Vec<Hash> =
        diesel::sql_query("SELECT password_hash AS hash, is_invited FROM admin_users").load(&mut conn).await.unwrap();
    assert!(hash[0].is_invited && hash[0].hash.starts_with("$argon2id$"), "an account that nobody can enter");
    assert_eq!(exported.rows(), report.rows);
}

#[derive(diesel::QueryableByName)]
struct Hash {
    #[diesel(sql_type = Text)]
    hash: String,
    #[diesel(sql_type = diesel::sql_types::Bool)]
    is_invited: bool,
}

/// Eight connections write documents into a workspace until they are told to stop, and count them.
struct Writers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<usize>>,
}

impl Writers {
    async fn start(fixture: &Fixture, workspace: WorkspaceId) -> Self {
        let stop = watch::Sender::new(false);
        let db = fixture.database.open(8).await.unwrap();
        let tasks = (0..8).map(|_| {
            let (db, stop) = (db.clone(), stop.subscribe());
            tokio::spawn(async move {
                let scope = WorkspaceScope::unchecked(workspace, "a writer beside");
                let mut written = 0;
                while !*stop.borrow() {
                    let mut ws = db.workspace(&scope).await.unwrap();
                    let new = NewDocument::new("written beside");
                    documents::table.in_workspace(&scope).insert(&new).execute(&mut ws).await.unwrap();
                    written += 1;
                }
                written
            })
        });
        Self { tasks: tasks.collect(), stop }
    }

    async fn stop(self) -> usize {
        self.stop.send_replace(true);
        let mut written = 0;
        for task in self.tasks {
            written += task.await.unwrap();
        }
        written
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_write_meanwhile_and_nothing_of_theirs_is_touched() {
    let fixture = Fixture::that_hurts().await;
    let before = fixture.rows(fixture.b.workspace).await;
    let writers = Writers::start(&fixture, fixture.b.workspace).await;
    let exported = fixture.export("a.tar").await.unwrap();
    fixture.erase().await.unwrap();
    fixture.import("a.tar").await.unwrap();
    let written = writers.stop().await;
    assert!(written > 0);
    let mut after = fixture.rows(fixture.b.workspace).await;
    assert_eq!(after["documents"].count, before["documents"].count + i64::try_from(written).unwrap());
    let mut conn = fixture.database.connect().await.unwrap();
    conn.batch_execute("DELETE FROM documents WHERE title = 'written beside'").await.unwrap();
    after.insert("documents".to_owned(), rows(&mut conn, fixture.b.workspace).await["documents"].clone());
    assert_eq!(after, before);
    assert_eq!(tables(&fixture.export("again.tar").await.unwrap()), tables(&exported));
}

/// Whoever writes into the workspace itself: the archive has its rows as of one moment, so that each has what it refers to.
#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_of_one_moment() {
    let (fixture, other) = (Fixture::that_hurts().await, TestDatabase::new().await.unwrap());
    let writers = Writers::start(&fixture, fixture.a.workspace).await;
    let mut conn = fixture.database.connect().await.unwrap();
    for round in 0..crate::size("WORKSPACE_DB_ARCHIVE_ROUNDS", 2, 5) {
        let name = format!("{round}.tar");
        let (exported, ()) = tokio::join!(fixture.export(&name), async {
            // What a conversation has, and what it is, in one transaction.
            conn.batch_execute(&format!(
                "WITH c AS (INSERT INTO conversations (workspace_id, title) VALUES ('{0}', 'beside') RETURNING id)
                 INSERT INTO messages (workspace_id, conversation_id, role, content) SELECT '{0}', id, 'user', 'beside' FROM c",
                fixture.a.workspace
            ))
            .await
            .unwrap();
        });
        exported.unwrap();
        let there = other.open(4).await.unwrap();
        import(&there, &platform(), &fixture.path(&name), ImportOptions::default(), &|_| ()).await.unwrap();
        other.connect().await.unwrap().batch_execute("DELETE FROM workspaces").await.unwrap();
    }
    assert!(writers.stop().await > 0);
}

/// Time-outs are made for requests, and a workspace takes longer to read.
#[tokio::test]
async fn an_export_takes_the_time_that_it_needs() {
    let fixture = large().await;
    let mut owner = workspace_db::db::connect(&fixture.database.url().unwrap()).await.unwrap();
    owner
        .batch_execute(
            "DO $$ BEGIN
                EXECUTE format('ALTER DATABASE %I SET statement_timeout = 100', current_database());
                EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = 100', current_database());
            END $$",
        )
        .await
        .unwrap();
    // The pool's connections are older than that.
    let db = fixture.database.open(2).await.unwrap();
    let exported = export(&db, &administer(fixture.a.workspace), &fixture.path("a.tar"), &|_| ()).await.unwrap();
    assert_eq!(exported.tables.iter().find(|table| table.name == "document_chunks").unwrap().rows, 4_501);
}

#[derive(Clone, Debug)]
struct Random {
    texts: Vec<String>,
    numbers: Vec<f64>,
    times: Vec<i64>,
}

fn random() -> impl Strategy<Value = Random> {
    let text = prop_oneof![
        any::<String>().prop_map(|text| text.replace('\0', "")),
        prop::collection::vec(prop::char::range('\u{1}', '\u{10ffff}'), 0..40).prop_map(String::from_iter),
        "[\\\\\"/u0-9{}\\[\\],\n]{0,30}",
    ];
    let time = prop_oneof![any::<i64>(), -63_082_281_600_000_000_i64..252_455_616_000_000_000];
    (
        prop::collection::vec(text, 0..12),
        prop::collection::vec(prop_oneof![0.0..=1.0, Just(5e-324), Just(-0.0), Just(1.0)], 1..12),
        // Of what PostgreSQL takes for a time.
        prop::collection::vec(
            time.prop_filter("no time", |t| (-63_082_281_600_000_000..252_455_616_000_000_000).contains(t)),
            1..12,
        ),
    )
        .prop_map(|(texts, numbers, times)| Random { texts, numbers, times })
}

#[tokio::test]
async fn random_workspaces_come_back_as_they_were() {
    let mut runner = crate::generator(20_261_127, 1);
    let fixture = Fixture::new().await;
    let mut conn = fixture.database.connect().await.unwrap();
    for case in 0..crate::size("WORKSPACE_DB_RANDOM_WORKSPACES", 8, 24) {
        let Random { texts, numbers, times } = random().new_tree(&mut runner).unwrap().current();
        let insert = format!(
            "WITH c AS (INSERT INTO conversations (workspace_id, title, metadata, first_message_at)
                SELECT '{0}', t, jsonb_build_object(t, t), timestamptz '2000-01-01 00:00+00' + $3[1 + n % cardinality($3)] * interval '1 microsecond'
                FROM unnest($1) WITH ORDINALITY AS one (t, n) RETURNING id, title)
             INSERT INTO messages (workspace_id, conversation_id, role, content, confidence)
                SELECT '{0}', c.id, 'tool', title, $2[1 + length(title) % cardinality($2)] FROM c",
            fixture.a.workspace
        );
        diesel::sql_query(insert)
            .bind::<Array<Text>, _>(&texts)
            .bind::<Array<Double>, _>(&numbers)
            .bind::<Array<BigInt>, _>(&times)
            .execute(&mut conn)
            .await
            .unwrap_or_else(|error| panic!("case {case}: {error}: {texts:?} {numbers:?} {times:?}"));
        let before = fixture.rows(fixture.a.workspace).await;
        let name = format!("{case}.tar");
        let exported = fixture.export(&name).await.unwrap();
        fixture.erase().await.unwrap();
        fixture.import(&name).await.unwrap();
        assert_eq!(
            fixture.rows(fixture.a.workspace).await,
            imported(before),
            "case {case}: {texts:?} {numbers:?} {times:?}"
        );
        let again = fixture.export(&format!("{case}.again.tar")).await.unwrap();
        assert_eq!(tables(&again), tables(&exported), "case {case}");
    }
}
