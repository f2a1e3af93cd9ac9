//! Texts that are no files.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use workspace_db::Result;
use workspace_db::embeddings::{Embedder, FeatureHashing};
use workspace_db::models::NewDatasource;
use workspace_db::sql_types::{DatasourceType, Embedding};
use workspace_db::tenancy::WorkspaceScope;
use workspace_db_ingest::{MAX_TOKENS, OVERLAP_TOKENS, SourceText, SplitOptions, ingest_texts, split};
use workspace_db_testing::TestDatabase;

/// Counts the texts that it embeds.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Embedder for Counting {
    fn model(&self) -> &str {
        FeatureHashing.model()
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Embedding>>> {
        self.0.fetch_add(texts.len(), Ordering::SeqCst);
        FeatureHashing.embed(texts)
    }
}

#[tokio::test]
async fn texts_that_are_no_files_become_documents_and_unchanged_ones_are_not_embedded_again() {
    let database = TestDatabase::new().await.unwrap();
    let workspace = workspace_db_testing::workspace(&mut database.connect().await.unwrap(), "a").await.unwrap().id;
    let (db, scope) = (database.open(4).await.unwrap(), WorkspaceScope::unchecked(workspace, "a test"));
    let wiki = {
        let mut ws = db.workspace(&scope).await.unwrap();
        NewDatasource::named(workspace, "a wiki", DatasourceType::Api).find_or_insert(&mut ws).await.unwrap()
    };
    let page = |text: &str| SourceText {
        path: "page.md".into(),
        metadata: Some(serde_json::json!({ "space": "home" })),
        ..SourceText::new("page/1", "Opening hours", text)
    };
    let counting = Counting::default();
    let ingest = async |texts: Vec<SourceText>| ingest_texts(&db, &scope, wiki, texts, &counting).await;
    let first = ingest(vec![page("# Hours\n\nWe open at nine."), SourceText::new("page/2", "T", "Another text.")])
        .await
        .unwrap();
    assert_eq!((first.added, first.chunks, counting.0.load(Ordering::SeqCst)), (2, 2, 2));
    let again = ingest(vec![page("# Hours\n\nWe open at nine.")]).await.unwrap();
    assert_eq!((again.unchanged, again.chunks, counting.0.load(Ordering::SeqCst)), (1, 0, 2));
    let changed = ingest(vec![page("# Hours\n\nWe open at ten.")]).await.unwrap();
    assert_eq!((changed.replaced, counting.0.load(Ordering::SeqCst)), (1, 3));
    let error = ingest(vec![SourceText::new("page/3", "T", " --- ")]).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("page/3"), "{error}");
}

#[test]
fn a_passage_repeats_as_much_of_the_last_one_as_it_is_told_to() {
    let text =
        (0..2_000).map(|n| ["Sentence number ", &n.to_string(), " is about nothing.\n"].concat()).collect::<String>();
    let repeated = |overlap: usize| {
        let chunks =
            split("a.txt".as_ref(), &text, SplitOptions { overlap_tokens: overlap, ..SplitOptions::default() });
        assert!(chunks.len() > 10 && chunks.iter().all(|chunk| chunk.tokens <= MAX_TOKENS));
        chunks.iter().map(|chunk| chunk.text.len()).sum::<usize>().saturating_sub(text.len())
    };
    assert_eq!(repeated(0), 0);
    assert!(repeated(OVERLAP_TOKENS) > 0 && repeated(70) > repeated(OVERLAP_TOKENS) * 3 / 2);
}
