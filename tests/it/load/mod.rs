//! Documents with their vectors, by COPY: all of them, once, in one workspace, whatever happens meanwhile.

mod full_disk;
mod jsonl;

use std::sync::atomic::{AtomicUsize, Ordering};

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use futures_util::StreamExt as _;
use futures_util::stream;
use rstest::rstest;
use serde_json::json;
use workspace_db::id::{DatasourceId, WorkspaceId};
use workspace_db::load::*;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::sql_types::*;
use workspace_db::tenancy::{Database, WorkspaceScope};
use workspace_db::{Error, Result};
use workspace_db_testing::TestDatabase;

use crate::until;

/// Workspaces `a` and `b`, each with a datasource of the same id.
struct Fixture {
    conn: AsyncPgConnection,
    db: Database,
    a: WorkspaceId,
    b: WorkspaceId,
    datasource: DatasourceId,
    database: TestDatabase,
}

impl Fixture {
    async fn new() -> Self {
        let database = TestDatabase::new().await.unwrap();
        let mut conn = database.connect().await.unwrap();
        let a = workspace_db_testing::workspace(&mut conn, "a").await.unwrap().id;
        let b = workspace_db_testing::workspace(&mut conn, "b").await.unwrap().id;
        let source = NewDatasource::new("crm", DatasourceType::Api);
        for workspace in [a, b] {
            diesel::insert_into(datasources::table)
                .values((datasources::workspace_id.eq(workspace), &source))
                .execute(&mut conn)
                .await
                .unwrap();
        }
        Self { conn, db: database.open(2).await.unwrap(), a, b, datasource: source.id, database }
    }

    fn options(&self) -> LoadOptions {
        LoadOptions::new(self.datasource)
    }

    async fn bring_into(&self, workspace: WorkspaceId, documents: Vec<SourceDocument>) -> Result<LoadReport> {
        let scope = WorkspaceScope::unchecked(workspace, "a test");
        load(&self.db, &scope, &self.options(), stream::iter(documents.into_iter().map(Ok)), &|_| ()).await
    }

    async fn bring(&self, documents: Vec<SourceDocument>) -> Result<LoadReport> {
        self.bring_into(self.a, documents).await
    }

    async fn documents(&mut self, workspace: WorkspaceId) -> Vec<Document> {
        let rows = Document::query().filter(documents::workspace_id.eq(workspace)).order(documents::external_id);
        rows.load(&mut self.conn).await.unwrap()
    }

    async fn chunks(&mut self, workspace: WorkspaceId) -> Vec<DocumentChunk> {
        let rows = DocumentChunk::query().filter(document_chunks::workspace_id.eq(workspace));
        rows.order((document_chunks::document_id, document_chunks::chunk_index)).load(&mut self.conn).await.unwrap()
    }

    /// The texts of each document's passages, by external id.
    async fn texts(&mut self, workspace: WorkspaceId) -> Vec<(String, String)> {
        document_chunks::table
            .inner_join(documents::table.on(documents::id.eq(document_chunks::document_id)))
            .filter(document_chunks::workspace_id.eq(workspace).and(documents::workspace_id.eq(workspace)))
            .order((documents::external_id, document_chunks::chunk_index))
            .select((documents::external_id.assume_not_null(), document_chunks::content))
            .load(&mut self.conn)
            .await
            .unwrap()
    }
}

/// Diesel's `load` is on everything, an atomic too.
fn count_of(number: &AtomicUsize) -> usize {
    AtomicUsize::load(number, Ordering::Relaxed)
}

/// A direction that depends on the number.
fn vector(number: u16) -> Embedding {
    let mut rng = fastrand::Rng::with_seed(number.into());
    let components: Vec<f32> = (0..DIMENSIONS).map(|_| rng.f32() - 0.5).collect();
    Embedding::try_from(components).unwrap()
}

fn document(external_id: &str, texts: &[&str]) -> SourceDocument {
    let passages = texts.iter().zip(0..).map(|(text, number)| Passage::new(*text, vector(number))).collect();
    let document = NewDocument { external_id: Some(external_id.to_owned()), ..NewDocument::new(external_id) };
    SourceDocument { document, model: "test-model".to_owned(), passages }
}

/// As many documents of ten passages each.
fn documents_of_ten(count: usize) -> impl Iterator<Item = SourceDocument> {
    let ten: Vec<Embedding> = (0..10).map(vector).collect();
    (0..count).map(move |number| {
        let passages = ten.iter().map(|vector| Passage::new(format!("passage of {number}"), vector.clone())).collect();
        let external_id = format!("document-{number:06}");
        let document = NewDocument { external_id: Some(external_id.clone()), ..NewDocument::new(external_id) };
        SourceDocument { document, model: "test-model".to_owned(), passages }
    })
}

#[tokio::test]
async fn what_is_loaded_is_what_was_given() {
    let mut fixture = Fixture::new().await;
    let mut given = document("faq/1", &["first", "second with 'quotes', \\ and \t 🚲", "🚲"]);
    given.passages[0].language = Some("nl".parse().unwrap());
    given.passages[1].token_count = Some(7);
    given.document.summary = Some("short".to_owned());
    given.document.metadata = Some(json!({ "team": "support" }));
    given.document.status = Some(DocumentStatus::Draft);
    given.document.is_published = Some(false);
    let mut reports = Vec::new();
    let scope = WorkspaceScope::unchecked(fixture.a, "a test");
    let documents = stream::iter([Ok(given.clone())]);
    let collected = std::sync::Mutex::new(&mut reports);
    let tell = |so_far: &LoadReport| collected.lock().unwrap().push(*so_far);
    let report = load(&fixture.db, &scope, &fixture.options(), documents, &tell).await.unwrap();
    assert_eq!(report, LoadReport { added: 1, chunks: 3, ..LoadReport::default() });
    assert_eq!(reports, [report]);

    let document = fixture.documents(fixture.a).await.remove(0);
    assert_eq!((document.id, document.datasource_id), (given.document.id, Some(fixture.datasource)));
    assert_eq!((document.title.as_str(), document.external_id.as_deref()), ("faq/1", Some("faq/1")));
    assert_eq!((document.summary, document.slug), (given.document.summary, None));
    assert_eq!(document.metadata, json!({ "team": "support" }));
    assert_eq!((document.status, document.is_published), (DocumentStatus::Draft, false));
    let chunks = fixture.chunks(fixture.a).await;
    assert_eq!(chunks.len(), 3);
    for ((chunk, passage), place) in chunks.iter().zip(&given.passages).zip(0..) {
        assert_eq!((chunk.document_id, chunk.chunk_index), (document.id, place));
        assert_eq!((&chunk.content, &chunk.vector), (&passage.content, &passage.vector));
        // The workspace's default applies to a passage without a language.
        let language = passage.language.clone().unwrap_or_else(|| "en".parse().unwrap());
        assert_eq!((chunk.token_count, &chunk.language), (passage.token_count, &Some(language)));
        assert_eq!(chunk.embedding_model, "test-model");
    }
    assert!(fixture.chunks(fixture.b).await.is_empty());
}

#[tokio::test]
async fn what_is_the_same_stays_and_what_has_changed_is_replaced_whole() {
    let mut fixture = Fixture::new().await;
    fixture.bring(vec![document("one", &["a", "b", "c"]), document("two", &["x"])]).await.unwrap();
    let before = fixture.documents(fixture.a).await;
    let mut renamed = document("two", &["x"]);
    renamed.document.title = "Two".to_owned();
    renamed.document.metadata = Some(json!({ "added": true }));
    let report = fixture.bring(vec![document("one", &["a", "B"]), renamed]).await.unwrap();
    assert_eq!(report, LoadReport { replaced: 1, unchanged: 1, chunks: 2, ..LoadReport::default() });
    let texts: Vec<String> = fixture.texts(fixture.a).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["a", "B", "x"]);
    let after = fixture.documents(fixture.a).await;
    assert_eq!((after[0].id, after[1].id), (before[0].id, before[1].id), "a document keeps its id");
    assert!(after[0].updated_at > before[0].updated_at && after[1].updated_at > before[1].updated_at);
    assert_eq!((after[1].title.as_str(), &after[1].metadata), ("Two", &json!({ "added": true })));

    let report = fixture.bring(vec![document("one", &["a", "B"])]).await.unwrap();
    assert_eq!((report.unchanged, report.chunks), (1, 0));
    assert_eq!(fixture.documents(fixture.a).await[0].updated_at, after[0].updated_at);
    // What people decided of a document stays, unless the source says otherwise.
    diesel::update(documents::table)
        .set(documents::status.eq(DocumentStatus::Archived))
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    fixture.bring(vec![document("one", &["new"])]).await.unwrap();
    assert_eq!(fixture.documents(fixture.a).await[0].status, DocumentStatus::Archived);
}

#[tokio::test]
async fn a_document_with_the_passages_of_another_is_left_out_within_its_workspace() {
    let mut fixture = Fixture::new().await;
    fixture.bring_into(fixture.b, vec![document("theirs", &["the same"])]).await.unwrap();
    let report = fixture.bring(vec![document("one", &["the same"]), document("two", &["the same"])]).await.unwrap();
    assert_eq!((report.added, report.duplicates), (1, 1), "another workspace's passages are nobody's business");
    let report = fixture.bring(vec![document("three", &["the same"]), document("one", &["the same"])]).await.unwrap();
    assert_eq!((report.duplicates, report.unchanged), (1, 1));
    let keep = LoadOptions { keep_duplicates: true, ..fixture.options() };
    let scope = WorkspaceScope::unchecked(fixture.a, "a test");
    let documents = stream::iter([Ok(document("three", &["the same"]))]);
    let report = load(&fixture.db, &scope, &keep, documents, &|_| ()).await.unwrap();
    assert_eq!((report.added, report.duplicates), (1, 0));
    let names: Vec<String> = fixture.texts(fixture.a).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["one", "three"]);
}

/// The same datasource, external ids and passages in both: what is loaded as `a` leaves `b` as it was, to the byte.
#[tokio::test]
async fn another_workspaces_documents_are_not_touched() {
    let mut fixture = Fixture::new().await;
    fixture.bring_into(fixture.b, vec![document("one", &["theirs"]), document("two", &["theirs too"])]).await.unwrap();
    let before = (fixture.documents(fixture.b).await, fixture.chunks(fixture.b).await);
    fixture.bring(vec![document("one", &["mine"]), document("two", &["theirs too"])]).await.unwrap();
    fixture.bring(vec![document("one", &["mine again"])]).await.unwrap();
    assert_eq!((fixture.documents(fixture.b).await, fixture.chunks(fixture.b).await), before);
    assert_eq!(fixture.documents(fixture.a).await.len(), 2);
}

/// What the loader does, by hand, with another workspace's id: the policy refuses it. A COPY into the table itself is
/// tried by the conformance suite.
#[tokio::test]
async fn a_staged_row_can_not_get_into_another_workspace() {
    let fixture = Fixture::new().await;
    fixture.bring_into(fixture.b, vec![document("theirs", &["theirs"])]).await.unwrap();
    fixture.bring(vec![document("mine", &["mine"])]).await.unwrap();
    let scope = WorkspaceScope::unchecked(fixture.a, "a test");
    let mut ws = fixture.db.workspace(&scope).await.unwrap();
    let smuggled = format!(
        "CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT document_id, content, vector FROM document_chunks;
         INSERT INTO document_chunks (workspace_id, document_id, chunk_index, content, vector)
         SELECT '{}', document_id, 9, content, vector FROM staged",
        fixture.b
    );
    let error = ws
        .under_row_security("to try what a mistake would do", async |conn| {
            Ok::<_, Error>(conn.batch_execute(&smuggled).await?)
        })
        .await
        .unwrap_err();
    assert!(error.to_string().contains("row-level security"), "{error}");
}

#[tokio::test]
async fn a_load_that_fails_keeps_its_batches_or_nothing_as_asked() {
    let mut fixture = Fixture::new().await;
    let scope = WorkspaceScope::unchecked(fixture.a, "a test");
    let failing = || {
        let whole = documents_of_ten(250).map(Ok);
        stream::iter(whole.chain([Err(Error::from(Embedding::<DIMENSIONS>::try_from(vec![0.0]).unwrap_err()))]))
    };
    let whole = LoadOptions { all_or_nothing: true, ..fixture.options() };
    let error = load(&fixture.db, &scope, &whole, failing(), &|_| ()).await.unwrap_err();
    assert!(error.is_invalid_input(), "{error}");
    assert_eq!((fixture.documents(fixture.a).await.len(), fixture.chunks(fixture.a).await.len()), (0, 0));

    let done = AtomicUsize::new(0);
    let tell = |report: &LoadReport| done.store(report.added, Ordering::Relaxed);
    load(&fixture.db, &scope, &fixture.options(), failing(), &tell).await.unwrap_err();
    let kept = fixture.documents(fixture.a).await.len();
    assert_eq!((kept, fixture.chunks(fixture.a).await.len()), (count_of(&done), kept * 10));
    assert!((100..=250).contains(&kept), "{kept} documents of the first batches stay");

    let rest = load(&fixture.db, &scope, &whole, stream::iter(documents_of_ten(250).map(Ok)), &|_| ()).await.unwrap();
    assert_eq!((rest.unchanged, rest.added), (kept, 250 - kept));
    assert_eq!(fixture.chunks(fixture.a).await.len(), 2500);
}

#[rstest]
#[case::without_a_name(NewDocument::new("Nameless"), 1, "Nameless")]
#[case::without_passages(document("empty", &[]).document, 0, "\"empty\" has no passages")]
#[case::too_long(document("long", &[]).document, MAX_PASSAGES + 1, "split it")]
#[case::with_an_empty_name(document("", &[]).document, 1, "has an empty external id")]
#[tokio::test]
async fn a_document_that_can_not_be_loaded_is_named(
    #[case] document: NewDocument,
    #[case] passages: usize,
    #[case] says: &str,
) {
    let mut fixture = Fixture::new().await;
    let passages = vec![Passage::new("text", vector(1)); passages];
    let source = SourceDocument { document, model: "test-model".to_owned(), passages };
    let error = fixture.bring(vec![self::document("before", &["x"]), source]).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains(says), "{error}");
    assert!(fixture.documents(fixture.a).await.is_empty(), "the batch was not begun");
}

#[tokio::test]
async fn a_passage_without_text_is_refused_with_its_document() {
    let fixture = Fixture::new().await;
    for text in ["", " \n"] {
        let error = fixture.bring(vec![document("blank", &["x", text])]).await.unwrap_err();
        assert!(
            error.is_invalid_input() && error.to_string().contains("\"blank\" has a passage without text"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_document_that_comes_twice_would_replace_itself_and_is_refused() {
    let fixture = Fixture::new().await;
    let error =
        fixture.bring(vec![document("x", &["1"]), document("y", &["1"]), document("x", &["2"])]).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("\"x\" occurs twice"), "{error}");
}

#[tokio::test]
async fn a_value_that_the_database_refuses_is_told_and_nothing_of_its_batch_stays() {
    let mut fixture = Fixture::new().await;
    let mut negative = document("negative", &["x"]);
    negative.passages[0].token_count = Some(-1);
    let error = fixture.bring(vec![document("fine", &["y"]), negative]).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("document_chunks_token_count_check"), "{error}");
    let mut nul = document("nul", &["x"]);
    nul.passages[0].content = "a\0b".to_owned();
    let error = fixture.bring(vec![document("fine", &["y"]), nul]).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("U+0000"), "{error}");
    assert!(fixture.documents(fixture.a).await.is_empty());
}

/// While the database can't take rows, no more is asked of the stream than what waits in memory already.
#[tokio::test]
async fn a_stream_is_asked_for_no_more_than_there_is_room_for() {
    let mut fixture = Fixture::new().await;
    let scope = WorkspaceScope::unchecked(fixture.a, "a test");
    let mut owner = workspace_db::db::connect(&fixture.database.url().unwrap()).await.unwrap();
    owner.batch_execute("BEGIN; LOCK TABLE document_chunks IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let taken = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = taken.clone();
    let documents = stream::iter(documents_of_ten(1000)).map(move |document| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(document)
    });
    let (db, options) = (fixture.db.clone(), fixture.options());
    let loading = tokio::spawn(async move { load(&db, &scope, &options, documents, &|_| ()).await });
    until(&mut fixture.conn, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted) AS met").await;
    // The next batch is gathered while this one waits; then nothing moves any more.
    while count_of(&taken) < 200 {
        tokio::task::yield_now().await;
    }
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(count_of(&taken), 200, "two batches of a thousand passages");
    owner.batch_execute("COMMIT").await.unwrap();
    assert_eq!(loading.await.unwrap().unwrap().chunks, 10_000);
}

#[tokio::test]
async fn two_loads_of_the_same_documents_end_as_one() {
    let mut fixture = Fixture::new().await;
    let documents: Vec<SourceDocument> = documents_of_ten(30).collect();
    fixture.bring(documents.clone()).await.unwrap();
    let other: Vec<SourceDocument> = documents
        .iter()
        .rev()
        .cloned()
        .map(|mut document| {
            document.passages.truncate(4);
            document
        })
        .collect();
    let (one, two) = tokio::join!(fixture.bring(other.clone()), fixture.bring(other));
    assert_eq!(one.unwrap().replaced + two.unwrap().replaced, 30, "the second waited, and found nothing to do");
    assert_eq!(fixture.chunks(fixture.a).await.len(), 120);
}

/// A plan that was made over a small table reads every document of the workspace for every passage: some five million.
/// One that is made anew for each batch does so until it pays not to, at some hundred documents.
#[tokio::test]
async fn foreign_keys_are_not_checked_by_the_plan_of_a_small_table() {
    let mut fixture = Fixture::new().await;
    let scope = WorkspaceScope::unchecked(fixture.a, "a test");
    let options = LoadOptions { all_or_nothing: true, ..fixture.options() };
    let documents = stream::iter(documents_of_ten(1_000).map(Ok));
    assert_eq!(load(&fixture.db, &scope, &options, documents, &|_| ()).await.unwrap().chunks, 10_000);
    // The server counts what a session has read once it ends.
    let read = "(SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'documents')
        + (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'documents')";
    until(&mut fixture.conn, &format!("SELECT {read} >= 1000 AS met")).await;
    until(&mut fixture.conn, &format!("SELECT {read} < 2500000 AS met")).await;
}
