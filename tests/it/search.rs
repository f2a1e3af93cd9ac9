//! The nearest passages, of one workspace alone.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use workspace_db::embeddings::{Embedder, FeatureHashing};
use workspace_db::id::WorkspaceId;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::search::{Hit, search};
use workspace_db::sql_types::*;
use workspace_db::tenancy::WorkspaceScope;
use workspace_db::testing::TestDatabase;

async fn scene() -> (TestDatabase, AsyncPgConnection) {
    let database = TestDatabase::new().await.unwrap();
    let conn = database.connect().await.unwrap();
    (database, conn)
}

async fn workspace_with(conn: &mut AsyncPgConnection, slug: &str, passages: &[String]) -> WorkspaceId {
    let workspace = Workspace::find_or_insert(conn, slug).await.unwrap().id;
    let document = NewDocument::new(format!("Notes of {slug}"));
    diesel::insert_into(documents::table)
        .values((documents::workspace_id.eq(workspace), &document))
        .execute(conn)
        .await
        .unwrap();
    let vectors = FeatureHashing.embed(passages).await.unwrap();
    let rows: Vec<_> = passages
        .iter()
        .zip(vectors)
        .enumerate()
        .map(|(place, (passage, vector))| {
            let place = i32::try_from(place).unwrap();
            let row = NewDocumentChunk::new(document.id, place, passage, vector, FeatureHashing.model());
            (document_chunks::workspace_id.eq(workspace), row)
        })
        .collect();
    diesel::insert_into(document_chunks::table).values(rows).execute(conn).await.unwrap();
    workspace
}

/// What the workspace answers, on the application's login.
async fn asked(
    database: &TestDatabase,
    workspace: WorkspaceId,
    question: &str,
    k: u32,
) -> workspace_db::Result<Vec<Hit>> {
    let scope = WorkspaceScope::vouched_for(workspace, "a test");
    let mut ws = database.open(1).await?.workspace(&scope).await?;
    search(&mut ws, &scope, &FeatureHashing, question, k).await
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("passage {n} about topic{} and thing{}", n % 7, n % 11)).collect()
}

#[tokio::test]
async fn the_hits_are_the_exact_nearest_in_order() {
    let (database, mut conn) = scene().await;
    let passages = numbered(300);
    let a = workspace_with(&mut conn, "a", &passages).await;
    // Analysed, and with everything else forbidden, the planner would take the IVFFlat index if it could.
    conn.batch_execute("ANALYZE document_chunks; SET enable_seqscan = off; SET enable_bitmapscan = off").await.unwrap();
    let question = "topic3 and thing5";
    let hits = asked(&database, a, question, 10).await.unwrap();

    let asked = FeatureHashing::vector(question).unwrap();
    let mut expected: Vec<f32> = passages
        .iter()
        .map(|passage| {
            let vector = FeatureHashing::vector(passage).unwrap();
            asked.as_slice().iter().zip(vector.as_slice()).map(|(x, y)| x * y).sum()
        })
        .collect();
    expected.sort_by(|x, y| y.total_cmp(x));
    assert_eq!(hits.len(), 10);
    for (hit, expected) in hits.iter().zip(expected) {
        assert!((hit.score - f64::from(expected)).abs() < 1e-5, "{} {expected}", hit.score);
    }
    assert!(hits[0].content.contains("topic3") && hits[0].content.contains("thing5"));
    assert_eq!(hits[0].title, "Notes of a");
}

#[tokio::test]
async fn another_workspaces_nearer_passages_are_not_seen() {
    let (database, mut conn) = scene().await;
    let a = workspace_with(&mut conn, "a", &["bicycles and wheels".to_owned()]).await;
    workspace_with(&mut conn, "b", &vec!["the exact words of the question".to_owned(); 50]).await;
    let hits = asked(&database, a, "the exact words of the question", 10).await.unwrap();
    assert_eq!(hits.iter().map(|hit| hit.content.as_str()).collect::<Vec<_>>(), ["bicycles and wheels"]);
}

#[tokio::test]
async fn documents_that_are_not_ready_are_not_searched() {
    let (database, mut conn) = scene().await;
    let a = workspace_with(&mut conn, "a", &["bicycles and wheels".to_owned()]).await;
    for status in DocumentStatus::ALL {
        let changes = DocumentChanges { status: Some(*status), ..Default::default() };
        diesel::update(documents::table.filter(documents::workspace_id.eq(a)))
            .set(&changes)
            .execute(&mut conn)
            .await
            .unwrap();
        let hits = asked(&database, a, "bicycles", 10).await.unwrap();
        assert_eq!(hits.len(), usize::from(*status == DocumentStatus::Ready), "{status}");
    }
}

#[tokio::test]
async fn vectors_of_another_model_are_refused_and_not_compared() {
    let (database, mut conn) = scene().await;
    let a = workspace_with(&mut conn, "a", &["bicycles and wheels".to_owned()]).await;
    diesel::update(document_chunks::table)
        .set(document_chunks::embedding_model.eq("text-embedding-3-large"))
        .execute(&mut conn)
        .await
        .unwrap();
    let error = asked(&database, a, "bicycles", 10).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("text-embedding-3-large"), "{error}");
}

#[tokio::test]
async fn an_empty_workspace_has_no_hits_and_a_question_without_words_is_refused() {
    let (database, mut conn) = scene().await;
    let empty = Workspace::find_or_insert(&mut conn, "empty").await.unwrap().id;
    assert_eq!(asked(&database, empty, "bicycles", 10).await.unwrap(), []);
    assert_eq!(asked(&database, empty, "bicycles", 0).await.unwrap(), []);
    let error = asked(&database, empty, "?!", 10).await.unwrap_err();
    assert!(error.is_invalid_input(), "{error}");
}
