//! From one embedding model to another, with searches going on.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::{BoxFuture, FutureExt as _};
use serde_json::json;
use workspace_db::embeddings::{Embedder, FeatureHashing};
use workspace_db::id::{DocumentId, WorkspaceId};
use workspace_db::load::{JsonLines, OnRejectedLine};
use workspace_db::models::{NewDocument, NewDocumentChunk};
use workspace_db::reembed::{ReembedMode, ReembedReport, discard, reembed, status};
use workspace_db::schema::*;
use workspace_db::search::{Question, SearchChunks as _};
use workspace_db::sql_types::{DIMENSIONS, Embedding};
use workspace_db::{Error, Result};
use workspace_db_ingest::{IngestOptions, ingest};

use crate::cli::Shell;
use crate::folder::Folder;
use crate::search::Fixture;

/// A model whose vectors have nothing to do with those of another.
struct Toy {
    model: &'static str,
    embedded: AtomicUsize,
    /// After so many texts the endpoint is gone.
    fails_after: Option<usize>,
    /// What goes on while the first texts are embedded.
    meanwhile: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl Toy {
    fn new(model: &'static str) -> Self {
        Self { model, embedded: AtomicUsize::new(0), fails_after: None, meanwhile: Mutex::new(None) }
    }

    fn vector(&self, text: &str) -> Embedding {
        let seed =
            text.bytes().chain(self.model.bytes()).fold(7_u64, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte));
        let mut rng = fastrand::Rng::with_seed(seed);
        Embedding::try_from((0..DIMENSIONS).map(|_| rng.f32() - 0.5).collect::<Vec<_>>()).unwrap()
    }

    fn count(&self) -> usize {
        AtomicUsize::load(&self.embedded, Ordering::SeqCst)
    }
}

impl Embedder for Toy {
    fn model(&self) -> &str {
        self.model
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Embedding>>> {
        async move {
            let meanwhile = self.meanwhile.lock().unwrap().take();
            if let Some(meanwhile) = meanwhile {
                meanwhile.await;
            }
            let before = self.embedded.fetch_add(texts.len(), Ordering::SeqCst);
            if self.fails_after.is_some_and(|most| before + texts.len() > most) {
                self.embedded.fetch_sub(texts.len(), Ordering::SeqCst);
                // What an endpoint's failure is does not matter here, only that it is one.
                return Err(JsonLines::open(Path::new("gone"), "", OnRejectedLine::Refuse).err().unwrap());
            }
            Ok(texts.iter().map(|text| self.vector(text)).collect())
        }
        .boxed()
    }
}

fn text(number: usize) -> String {
    format!("passage {number}")
}

async fn insert(
    conn: &mut AsyncPgConnection,
    workspace: WorkspaceId,
    document: DocumentId,
    numbers: std::ops::Range<usize>,
) {
    let old = Toy::new("old");
    for number in numbers {
        let place = i32::try_from(number).unwrap();
        let row = NewDocumentChunk::new(document, place, text(number), old.vector(&text(number)), "old");
        diesel::insert_into(document_chunks::table)
            .values((document_chunks::workspace_id.eq(workspace), row))
            .execute(conn)
            .await
            .unwrap();
    }
}

/// So many passages of model `old` in `a`, a few in `b`; the document in `a`.
async fn fixture(passages: usize) -> (Fixture, DocumentId) {
    let mut fixture = Fixture::new().await;
    let document = fixture.document(fixture.a, &NewDocument::new("Notes")).await;
    insert(&mut fixture.conn, fixture.a, document, 0..passages).await;
    let theirs = fixture.document(fixture.b, &NewDocument::new("Notes")).await;
    insert(&mut fixture.conn, fixture.b, theirs, 0..5).await;
    (fixture, document)
}

async fn models(fixture: &mut Fixture, workspace: WorkspaceId) -> Vec<String> {
    document_chunks::table
        .filter(document_chunks::workspace_id.eq(workspace))
        .select(document_chunks::embedding_model)
        .distinct()
        .order(document_chunks::embedding_model)
        .load(&mut fixture.conn)
        .await
        .unwrap()
}

async fn waiting(fixture: &mut Fixture) -> i64 {
    chunk_reembeddings::table.count().get_result(&mut fixture.conn).await.unwrap()
}

async fn run(fixture: &Fixture, embedder: &Toy, switch: ReembedMode) -> Result<ReembedReport> {
    reembed(&fixture.db, &fixture.scope, embedder, switch, &|_| ()).await
}

#[tokio::test]
async fn a_workspace_is_switched_whole_and_no_other() {
    let (mut fixture, _) = fixture(300).await;
    let new = Toy::new("new");
    let report = run(&fixture, &new, ReembedMode::Complete).await.unwrap();
    assert_eq!(report, ReembedReport { embedded: 300, switched: 300 });
    let (a, b) = (fixture.a, fixture.b);
    assert_eq!(
        (models(&mut fixture, a).await, models(&mut fixture, b).await),
        (vec!["new".into()], vec!["old".into()])
    );
    assert_eq!(waiting(&mut fixture).await, 0);
    let rows: Vec<(String, Embedding)> = document_chunks::table
        .filter(document_chunks::workspace_id.eq(a))
        .select((document_chunks::content, document_chunks::vector))
        .load(&mut fixture.conn)
        .await
        .unwrap();
    assert!(rows.iter().all(|(text, vector)| *vector == new.vector(text)), "a passage has another's vector");

    let report = run(&fixture, &new, ReembedMode::Complete).await.unwrap();
    assert_eq!(report, ReembedReport::default());
    let question = Question::embed(&Toy::new("old"), "passage 7").await.unwrap();
    let error = fixture.chunks().nearest(&question, 1).run(&mut fixture.ws).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("vectors of new"), "{error}");
}

#[tokio::test]
async fn what_was_embedded_before_a_failure_is_not_embedded_again() {
    let (mut fixture, _) = fixture(600).await;
    let new = Toy { fails_after: Some(300), ..Toy::new("new") };
    run(&fixture, &new, ReembedMode::Complete).await.unwrap_err();
    let kept = waiting(&mut fixture).await;
    assert!(kept > 0 && kept < 600 && usize::try_from(kept).unwrap() == new.count(), "{kept}");
    let a = fixture.a;
    assert_eq!(models(&mut fixture, a).await, ["old"], "half a workspace was switched");
    let before = status(&fixture.db, &fixture.scope, "new").await.unwrap();
    let kept = kept.unsigned_abs();
    assert_eq!(
        (before.live, before.waiting, before.missing),
        (vec![("old".to_owned(), 600)], vec![("new".to_owned(), kept)], 600 - kept)
    );

    let again = Toy::new("new");
    let report = run(&fixture, &again, ReembedMode::Complete).await.unwrap();
    assert_eq!(report, ReembedReport { embedded: 600 - kept, switched: 600 });
    let after = status(&fixture.db, &fixture.scope, "new").await.unwrap();
    assert_eq!((after.live, after.waiting, after.missing), (vec![("new".to_owned(), 600)], vec![], 0));
}

/// They would go one by one, with what they have cost.
#[tokio::test]
async fn a_second_switch_is_refused_until_the_first_is_given_up() {
    let (mut fixture, _) = fixture(20).await;
    run(&fixture, &Toy::new("second"), ReembedMode::Prepare).await.unwrap();
    let third = Toy::new("third");
    let error = run(&fixture, &third, ReembedMode::Complete).await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("switched to second"), "{error}");
    assert_eq!((waiting(&mut fixture).await, third.count()), (20, 0));
    let now = status(&fixture.db, &fixture.scope, "third").await.unwrap();
    assert_eq!((now.waiting, now.missing), (vec![("second".to_owned(), 20)], 20));
    assert_eq!(discard(&fixture.db, &fixture.scope).await.unwrap(), 20);
    let report = run(&fixture, &third, ReembedMode::Complete).await.unwrap();
    assert_eq!(report, ReembedReport { embedded: 20, switched: 20 });
    let a = fixture.a;
    assert_eq!((models(&mut fixture, a).await, waiting(&mut fixture).await), (vec!["third".into()], 0));
}

/// Both make some of the vectors, and neither stands in the other's way.
#[tokio::test]
async fn two_runs_of_the_same_switch_end_well() {
    let (mut fixture, _) = fixture(600).await;
    let (one, other) = (Toy::new("new"), Toy::new("new"));
    let both = tokio::join!(run(&fixture, &one, ReembedMode::Complete), run(&fixture, &other, ReembedMode::Complete));
    assert_eq!(both.0.unwrap().switched + both.1.unwrap().switched, 600);
    let a = fixture.a;
    assert_eq!((models(&mut fixture, a).await, waiting(&mut fixture).await), (vec!["new".into()], 0));
}

#[tokio::test]
async fn a_passage_that_the_embedder_refuses_is_named() {
    let (mut fixture, document) = fixture(3).await;
    let row = NewDocumentChunk::new(document, 3, "---", Toy::new("old").vector("---"), "old");
    diesel::insert_into(document_chunks::table)
        .values((document_chunks::workspace_id.eq(fixture.a), &row))
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    let error =
        reembed(&fixture.db, &fixture.scope, &FeatureHashing, ReembedMode::Complete, &|_| ()).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains(&row.id.to_string()), "{error}");
}

#[tokio::test]
async fn passages_that_come_meanwhile_are_brought_over() {
    let (mut fixture, document) = fixture(10).await;
    let mut conn = fixture.database.connect().await.unwrap();
    let a = fixture.a;
    let comes = async move { insert(&mut conn, a, document, 10..13).await };
    let new = Toy { meanwhile: Mutex::new(Some(comes.boxed())), ..Toy::new("new") };
    let report = run(&fixture, &new, ReembedMode::Complete).await.unwrap();
    assert_eq!(
        (report, models(&mut fixture, a).await),
        (ReembedReport { embedded: 13, switched: 13 }, vec!["new".into()])
    );
}

#[tokio::test]
async fn a_passage_that_is_deleted_meanwhile_holds_up_nothing() {
    let (mut fixture, document) = fixture(10).await;
    let mut conn = fixture.database.connect().await.unwrap();
    let a = fixture.a;
    let goes = async move {
        let some = document_chunks::table.filter(document_chunks::document_id.eq(document));
        diesel::delete(some.filter(document_chunks::chunk_index.lt(4))).execute(&mut conn).await.unwrap();
    };
    let new = Toy { meanwhile: Mutex::new(Some(goes.boxed())), ..Toy::new("new") };
    let report = run(&fixture, &new, ReembedMode::Complete).await.unwrap();
    // The others of its batch are not embedded again.
    assert_eq!((report, new.count()), (ReembedReport { embedded: 10, switched: 6 }, 10));
    assert_eq!((models(&mut fixture, a).await, waiting(&mut fixture).await), (vec!["new".into()], 0));
}

/// Its vector would be of a text that nobody finds any more.
#[tokio::test]
async fn a_passage_that_has_changed_is_embedded_again() {
    let (mut fixture, _) = fixture(10).await;
    let new = Toy::new("new");
    run(&fixture, &new, ReembedMode::Prepare).await.unwrap();
    diesel::update(document_chunks::table)
        .filter(document_chunks::workspace_id.eq(fixture.a).and(document_chunks::chunk_index.eq(4)))
        .set(document_chunks::content.eq("another text"))
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    let before = status(&fixture.db, &fixture.scope, "new").await.unwrap();
    assert_eq!((before.waiting, before.missing), (vec![("new".to_owned(), 9)], 1));
    let report = run(&fixture, &new, ReembedMode::Complete).await.unwrap();
    assert_eq!(report, ReembedReport { embedded: 1, switched: 10 });
    let vector: Embedding = document_chunks::table
        .filter(document_chunks::content.eq("another text"))
        .select(document_chunks::vector)
        .get_result(&mut fixture.conn)
        .await
        .unwrap();
    assert_eq!(vector, new.vector("another text"));
}

/// One task switches, another asks all the while: every question gets its ten passages, by one model or the other.
#[tokio::test]
async fn searches_go_on_throughout() {
    let (mut fixture, _) = fixture(600).await;
    let (old, new) = (Toy::new("old"), Toy::new("new"));
    let done = AtomicUsize::new(0);
    let switching = async {
        let report = run(&fixture, &new, ReembedMode::Complete).await.unwrap();
        done.store(1, Ordering::SeqCst);
        report
    };
    // Two of the three connections that the workspace needs at once are its share of the fixture's pool.
    let searching = fixture.database.open(2).await.unwrap();
    let mut ws = searching.workspace(&fixture.scope).await.unwrap();
    let asking = async {
        let mut by = Vec::new();
        let mut after = 0;
        while after < 3 {
            after += AtomicUsize::load(&done, Ordering::SeqCst);
            let ask = async |ws: &mut _| {
                let question = Question::embed_for_workspace(ws, &[&old, &new], "passage 77").await?;
                let answer = fixture.chunks().nearest(&question, 10).run(ws).await?;
                Ok::<_, Error>((question.model().to_owned(), answer))
            };
            let (model, answer) = match ask(&mut ws).await {
                // Embedded just before the switch, asked just behind it.
                Err(error) if error.is_invalid_input() => ask(&mut ws).await.unwrap(),
                answered => answered.unwrap(),
            };
            assert_eq!((answer.returned, answer.hits[0].content.as_str()), (10, "passage 77"), "by {model}");
            by.push(model);
        }
        by
    };
    let (report, by) = tokio::join!(switching, asking);
    assert_eq!(report.switched, 600);
    let seen: HashSet<&String> = by.iter().collect();
    assert_eq!(seen.len(), 2, "{by:?}");
    assert!(by.is_sorted_by(|one, next| one >= next), "old and new by turns: {by:?}");
    let a = fixture.a;
    assert_eq!(models(&mut fixture, a).await, ["new"]);
}

/// What was ingested and then switched is not embedded a third time by the next run.
#[tokio::test]
async fn files_that_were_switched_are_known_by_the_next_ingest() {
    let fixture = Fixture::new().await;
    let folder = Folder::new();
    for number in 0..5 {
        std::fs::write(folder.path().join(format!("{number}.txt")), format!("The text of file {number}.")).unwrap();
    }
    let options = IngestOptions::new(vec![folder.path().to_owned()]);
    let (old, new) = (Toy::new("old"), Toy::new("new"));
    let options = IngestOptions { language: Some("en".parse().unwrap()), ..options };
    let report = ingest(&fixture.db, &fixture.scope, &options, &old, &|_| ()).await.unwrap();
    assert_eq!(report.added, 5);
    assert_eq!(run(&fixture, &new, ReembedMode::Complete).await.unwrap().switched, 5);
    let report = ingest(&fixture.db, &fixture.scope, &options, &new, &|_| ()).await.unwrap();
    assert_eq!((report.unchanged, report.replaced, new.count()), (5, 0, 5));
}

#[tokio::test]
async fn none_of_the_embedders_being_the_right_one_is_told() {
    let (mut fixture, _) = fixture(3).await;
    let (one, other) = (Toy::new("one"), Toy::new("other"));
    let error = Question::embed_for_workspace(&mut fixture.ws, &[&one, &other], "x").await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("vectors of old"), "{error}");
}

#[tokio::test]
async fn the_command_prepares_and_switches() {
    let (mut fixture, _) = fixture(40).await;
    let shell = Shell::for_database(&fixture.database).with("WORKSPACE_DB_WORKSPACE", "a");
    let said = shell.json(&["reembed", "--status"]);
    assert_eq!((&said["live"], &said["missing"]), (&json!([["old", 40]]), &json!(40)));
    // A shell that does not know the endpoint would replace the vectors by those of the small model.
    let error = shell.fails(&["reembed"], 2);
    assert!(error.contains("--built-in or --hash-words"), "{error}");
    for _ in 0..2 {
        let said = shell.json(&["reembed", "--prepare", "--hash-words"]);
        assert_eq!((&said["report"]["embedded"], &said["report"]["switched"]), (&json!(40), &json!(0)));
        assert_eq!(said["status"]["waiting"], json!([["feature-hashing-v2", 40]]));
        assert_eq!(shell.json(&["reembed", "--discard"])["discarded"], 40);
    }
    shell.succeed(&["reembed", "--prepare", "--hash-words"]);
    let said = shell.succeed(&["reembed", "--hash-words"]);
    assert!(said.contains("embedded  0 passages") && said.contains("switched  40 passages"), "{said}");
    let found = shell.succeed(&["search", "passage 7", "-k", "1"]);
    assert!(found.contains("*passage* *7*"), "{found}");
    let a = fixture.a;
    assert_eq!(models(&mut fixture, a).await, ["feature-hashing-v2"]);
}
