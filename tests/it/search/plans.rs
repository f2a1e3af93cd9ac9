//! Which plan runs, what it finds, and what the answer says of it.

use std::sync::LazyLock;

use dataset::Dataset;
use diesel_async::SimpleAsyncConnection as _;
use rstest::rstest;
use workspace_db::search::{Plan, SearchChunks as _};
use workspace_db::{Error, db};

use super::*;

/// Real embeddings of the dataset's two largest workspaces, and questions that belong there.
struct RealEmbeddings {
    workspaces: [Vec<Embedding>; 2],
    questions: Vec<Embedding>,
}

static REAL: LazyLock<RealEmbeddings> = LazyLock::new(|| {
    let dataset = Dataset::read();
    let embed = |vector: &Vec<f32>| Embedding::try_from(dataset.embed(vector)).unwrap();
    let embedded = |number: usize| dataset.workspaces[number].iter().take(400).map(embed);
    let questions = dataset.questions.iter().filter(|(number, _)| *number < 2).take(30);
    RealEmbeddings {
        workspaces: [embedded(0).collect(), embedded(1).collect()],
        questions: questions.map(|(_, vector)| embed(vector)).collect(),
    }
});

/// The first of them as `a`, the second as `b`.
async fn real(fixture: &mut Fixture) -> (&'static [Embedding], &'static [Embedding]) {
    for (workspace, vectors) in [fixture.a, fixture.b].into_iter().zip(&REAL.workspaces) {
        let document = fixture.document(workspace, &NewDocument::new("Notes")).await;
        let passages =
            vectors.iter().enumerate().map(|(at, vector)| (format!("passage {at}"), vector.clone())).collect();
        fixture.passages(workspace, document, passages).await;
    }
    (&REAL.workspaces[0], &REAL.questions)
}

/// Of each answer, the share of hits that are as near as the true k nearest.
fn recall(scores: &[f64], query_vector: &Embedding, vectors: &[Embedding], k: usize) -> f64 {
    let mut nearest: Vec<f64> = vectors.iter().map(|vector| cosine(query_vector, vector)).collect();
    nearest.sort_by(|x, y| y.total_cmp(x));
    let farthest = nearest[k - 1];
    let right = scores.iter().filter(|score| **score >= farthest - 1e-5).count();
    f64::from(u32::try_from(right).unwrap()) / f64::from(u32::try_from(k).unwrap())
}

#[tokio::test]
async fn bits_find_the_nearest_of_real_embeddings() {
    let mut fixture = Fixture::new().await;
    let (vectors, questions) = real(&mut fixture).await;
    let mut sum = 0.0;
    for query_vector in questions {
        let answer = fixture.chunks().nearest(&question(query_vector), 10).run(&mut fixture.ws).await.unwrap();
        let list = answer.by_vector.unwrap();
        assert_eq!((answer.requested, answer.returned, list.plan, list.bound_reached), (10, 10, Plan::Bits, false));
        assert!(list.candidates.unwrap() < 400, "all were candidates: nothing is shown");
        let scores: Vec<f64> = answer.hits.iter().map(|hit| hit.score).collect();
        assert!(scores.is_sorted_by(|x, y| x >= y), "{scores:?}");
        assert!(answer.hits.iter().zip(1..).all(|(hit, rank)| hit.by_vector.unwrap().rank == rank));
        sum += recall(&scores, query_vector, vectors, 10);
    }
    let mean = sum / f64::from(u32::try_from(questions.len()).unwrap());
    assert!(mean >= 0.99, "recall is {mean}");
}

#[tokio::test]
async fn exact_on_request_is_exact() {
    let mut fixture = Fixture::new().await;
    let (vectors, questions) = real(&mut fixture).await;
    for query_vector in questions.iter().take(5) {
        let answer = fixture.chunks().nearest(&question(query_vector), 20).exact().run(&mut fixture.ws).await.unwrap();
        let list = answer.by_vector.unwrap();
        assert_eq!((list.plan, list.candidates, answer.is_bounded()), (Plan::Exact, None, false));
        let mut expected: Vec<f64> = vectors.iter().map(|vector| cosine(query_vector, vector)).collect();
        expected.sort_by(|x, y| y.total_cmp(x));
        for (hit, expected) in answer.hits.iter().zip(expected) {
            assert!((hit.score - expected).abs() < 1e-5, "{} {expected}", hit.score);
        }
    }
}

/// Below the bound every vector is compared, which is faster there; at it, candidates are picked first.
#[rstest]
#[case::below_the_bound(401, Plan::Exact)]
#[case::at_the_bound(400, Plan::Bits)]
#[tokio::test]
async fn a_small_workspace_is_searched_exactly(#[case] exact_below: u32, #[case] plan: Plan) {
    let mut fixture = Fixture::new().await;
    let (_, questions) = real(&mut fixture).await;
    let limits = SearchLimits { exact_below, ..SearchLimits::default() };
    // The size is remembered for a minute, under whichever bound comes first.
    for bound in [limits, SearchLimits { exact_below: 1, ..limits }, limits] {
        let answer = fixture.chunks().nearest(&question(&questions[0]), 10).limits(bound).run(&mut fixture.ws).await;
        let expected = if bound.exact_below == 1 { Plan::Bits } else { plan };
        assert_eq!(answer.unwrap().by_vector.unwrap().plan, expected);
    }
}

/// Hashed words leave most components at zero, whose signs say nothing.
#[tokio::test]
async fn a_sparse_question_is_answered_exactly() {
    let mut fixture = Fixture::new().await;
    fixture.texts(fixture.a, &["one", "two"]).await;
    let mut sparse = [0.0; DIMENSIONS];
    sparse[3] = 1.0;
    let query_vector = question(&Embedding::try_from(sparse).unwrap());
    let answer = fixture.chunks().nearest(&query_vector, 1).run(&mut fixture.ws).await.unwrap();
    assert_eq!(answer.by_vector.unwrap().plan, Plan::Exact);
}

/// The signs of these vectors are equal, so they can't tell which are near; what they can't tell, the answer says.
#[rstest]
#[case::widened_until_all_are_candidates(SearchLimits { exact_below: 0, ..SearchLimits::default() }, false)]
#[case::or_else_told(SearchLimits { exact_below: 0, max_candidates: 60, ..SearchLimits::default() }, true)]
#[tokio::test]
async fn where_bits_can_not_tell_more_candidates_are_taken(#[case] limits: SearchLimits, #[case] bounded: bool) {
    let mut fixture = Fixture::new().await;
    let same_signs = same_signs(900);
    let document = fixture.document(fixture.a, &NewDocument::new("Notes")).await;
    let passages = same_signs.iter().map(|vector| ("passage".to_owned(), vector.clone())).collect();
    fixture.passages(fixture.a, document, passages).await;
    let query_vector = question(&same_signs[0]);
    let answer = fixture.chunks().nearest(&query_vector, 5).limits(limits).run(&mut fixture.ws).await.unwrap();
    let list = answer.by_vector.unwrap();
    assert_eq!(answer.returned, 5);
    assert_eq!((answer.is_bounded(), list.bound_reached), (bounded, bounded));
    if !bounded {
        assert!(list.widened >= 1, "{list:?}");
        let scores: Vec<f64> = answer.hits.iter().map(|hit| hit.score).collect();
        assert!(recall(&scores, &same_signs[0], &same_signs, 5) > 0.99);
    }
}

#[tokio::test]
async fn an_index_of_the_workspaces_own_is_used_and_one_that_is_invalid_is_not() {
    let mut fixture = Fixture::new().await;
    let (vectors, questions) = real(&mut fixture).await;
    let index = format!("document_chunks_near_{}", fixture.a.as_uuid().simple());
    let mut owner = db::connect(&fixture.database.url().unwrap()).await.unwrap();
    owner
        .batch_execute(&format!(
            "CREATE INDEX {index} ON document_chunks USING hnsw (vector_bits bit_hamming_ops)
             WHERE workspace_id = '{}'",
            fixture.a
        ))
        .await
        .unwrap();
    let mut sum = 0.0;
    for query_vector in questions {
        let answer = fixture.chunks().nearest(&question(query_vector), 10).run(&mut fixture.ws).await.unwrap();
        assert_eq!((answer.returned, answer.by_vector.unwrap().plan), (10, Plan::Approximate));
        let scores: Vec<f64> = answer.hits.iter().map(|hit| hit.score).collect();
        sum += recall(&scores, query_vector, vectors, 10);
    }
    let mean = sum / f64::from(u32::try_from(questions.len()).unwrap());
    assert!(mean >= 0.99, "recall is {mean}");

    // The neighbour has none, and its rows are in nobody else's.
    let b = WorkspaceScope::unchecked(fixture.b, "a test");
    let mut other = fixture.db.workspace(&b).await.unwrap();
    let theirs = document_chunks::table.in_workspace(&b);
    let answer = theirs.nearest(&question(&questions[0]), 10).run(&mut other).await.unwrap();
    assert_eq!(answer.by_vector.unwrap().plan, Plan::Bits);

    let mut superuser = db::connect(&fixture.database.superuser_url().unwrap()).await.unwrap();
    superuser
        .batch_execute(&format!("UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index}'::regclass"))
        .await
        .unwrap();
    // A database that is opened anew has not asked yet.
    let db = by_candidates(&fixture.database).await;
    let mut ws = db.workspace(&fixture.scope).await.unwrap();
    let answer = fixture.chunks().nearest(&question(&questions[0]), 10).run(&mut ws).await.unwrap();
    assert_eq!(answer.by_vector.unwrap().plan, Plan::Bits);
}

/// An index gives up after so many rows that pass no filter; what it could not find, a scan does.
#[tokio::test]
async fn an_index_that_runs_out_of_candidates_is_made_up_for() {
    let mut fixture = Fixture::new().await;
    let (vectors, questions) = real(&mut fixture).await;
    let index = format!("document_chunks_near_{}", fixture.a.as_uuid().simple());
    let mut owner = db::connect(&fixture.database.url().unwrap()).await.unwrap();
    let make = format!(
        "CREATE INDEX {index} ON document_chunks USING hnsw (vector_bits bit_hamming_ops) WHERE workspace_id = '{}'",
        fixture.a
    );
    owner.batch_execute(&make).await.unwrap();
    let archived = NewDocument { status: Some(DocumentStatus::Archived), ..NewDocument::new("Old") };
    let archived = fixture.document(fixture.a, &archived).await;
    let far = vectors[5].clone();
    fixture.passages(fixture.a, archived, vec![("the only one".to_owned(), far)]).await;
    let search = fixture.chunks().nearest(&question(&questions[0]), 10).status(DocumentStatus::Archived);
    let answer = search.run(&mut fixture.ws).await.unwrap();
    assert_eq!(answer.hits.iter().map(|hit| hit.content.as_str()).collect::<Vec<_>>(), ["the only one"]);
    assert_eq!(answer.by_vector.unwrap().plan, Plan::Bits);
    assert!(!answer.is_bounded());
}

#[tokio::test]
async fn what_a_search_sets_is_put_back_within_a_transaction() {
    #[derive(QueryableByName)]
    struct SearchSettings {
        #[diesel(sql_type = diesel::sql_types::Text)]
        mode: String,
        #[diesel(sql_type = diesel::sql_types::Text)]
        jit: String,
        #[diesel(sql_type = diesel::sql_types::Text)]
        workspace: String,
    }
    let mut fixture = Fixture::new().await;
    fixture.texts(fixture.a, &["one"]).await;
    let query_vector = question(&random(&mut fastrand::Rng::with_seed(1)));
    let chunks = fixture.chunks();
    let set: SearchSettings = fixture
        .ws
        .transaction(async |tx| {
            chunks.nearest(&query_vector, 1).run(tx).await?;
            tx.under_row_security("to look at the settings", async |conn| {
                let query = "SELECT current_setting('plan_cache_mode') AS mode, current_setting('jit') AS jit,
                    current_setting('app.workspace_id') AS workspace";
                Ok::<_, Error>(diesel::sql_query(query).get_result(conn).await?)
            })
            .await
        })
        .await
        .unwrap();
    assert_eq!((set.mode.as_str(), set.jit.as_str()), ("auto", "on"));
    assert_eq!(set.workspace, fixture.a.to_string());
}
