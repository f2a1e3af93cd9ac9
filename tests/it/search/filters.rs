//! Filters leave the right passages, and never break k.

use chrono::{Duration, Utc};
use rstest::rstest;
use serde_json::json;
use workspace_db::search::{Plan, Search, SearchChunks as _};

use super::*;

/// `a` has 300 passages near the question in one document, and 6 farther ones in another, which differs from it in all
/// that can be asked for; `b` has the same passages.
async fn fixture() -> (Fixture, Embedding, DocumentId) {
    let mut fixture = Fixture::new().await;
    let mut rng = fastrand::Rng::with_seed(11);
    let query_vector = random(&mut rng);
    let mut other = None;
    for workspace in [fixture.b, fixture.a] {
        let source = NewDatasource::new("Other", DatasourceType::Manual);
        diesel::insert_into(datasources::table)
            .values((datasources::workspace_id.eq(workspace), &source))
            .execute(&mut fixture.conn)
            .await
            .unwrap();
        let crowd = fixture.document(workspace, &NewDocument::new("Crowd")).await;
        let near = (0..300).map(|_| ("near".to_owned(), between(&query_vector, &random(&mut rng), 0.3))).collect();
        fixture.passages(workspace, crowd, near).await;
        let new = NewDocument {
            datasource_id: Some(source.id),
            status: Some(DocumentStatus::Draft),
            is_published: Some(false),
            metadata: Some(json!({ "team": "support", "tags": ["x", "y"] })),
            ..NewDocument::new("Other")
        };
        let document = fixture.document(workspace, &new).await;
        let far = (0..6).map(|at| (format!("far {at}"), between(&query_vector, &random(&mut rng), 0.8))).collect();
        fixture.passages(workspace, document, far).await;
        diesel::update(document_chunks::table.filter(document_chunks::document_id.eq(document)))
            .set(document_chunks::language.eq("nl-BE"))
            .execute(&mut fixture.conn)
            .await
            .unwrap();
        diesel::update(documents::table.filter(documents::id.eq(document)))
            .set(documents::updated_at.eq(Utc::now() + Duration::days(2)))
            .execute(&mut fixture.conn)
            .await
            .unwrap();
        other = Some(document);
    }
    (fixture, query_vector, other.unwrap())
}

#[rstest]
#[case::document(|search: Search, document: &Document| search.any_status().document(document.id))]
#[case::datasource(|search: Search, document: &Document| search.any_status().datasource(document.datasource_id.unwrap()))]
#[case::status(|search: Search, _: &Document| search.status(DocumentStatus::Draft))]
#[case::published(|search: Search, _: &Document| search.any_status().published(false))]
#[case::metadata(|search: Search, _: &Document| search.any_status().metadata(json!({ "tags": ["y"] })))]
#[case::language(|search: Search, _: &Document| search.any_status().language("nl".parse().unwrap()))]
#[case::age(|search: Search, _: &Document| search.any_status().changed_since(Utc::now() + Duration::days(1)))]
#[tokio::test]
async fn a_selective_filter_still_gives_k(#[case] narrow: fn(Search, &Document) -> Search) {
    let (mut fixture, query_vector, document) = fixture().await;
    let document: Document =
        documents::table.in_workspace(&fixture.scope).find(document).first(&mut fixture.ws).await.unwrap();
    for (k, expected) in [(4, 4), (10, 6)] {
        // So few candidates that the crowd fills them.
        let search = narrow(fixture.chunks().nearest(&question(&query_vector), k), &document);
        let exact = search.clone().exact().run(&mut fixture.ws).await.unwrap();
        let answer = search.run(&mut fixture.ws).await.unwrap();
        assert_eq!((answer.requested, answer.returned, answer.is_bounded()), (k, expected, false));
        assert_eq!(answer.by_vector.unwrap().plan, Plan::Bits);
        assert!(answer.hits.iter().all(|hit| hit.document_id == document.id));
        let ids = |answer: &workspace_db::search::SearchResults| {
            answer.hits.iter().map(|hit| hit.chunk_id).collect::<Vec<_>>()
        };
        assert_eq!(ids(&answer), ids(&exact));
    }
}

#[tokio::test]
async fn a_filter_that_nothing_passes_gives_nothing() {
    let (mut fixture, query_vector, _) = fixture().await;
    let search = fixture.chunks().nearest(&question(&query_vector), 10).metadata(json!({ "team": "nobody" }));
    let answer = search.run(&mut fixture.ws).await.unwrap();
    assert_eq!((answer.returned, answer.is_bounded()), (0, false));
    let answer =
        fixture.chunks().nearest(&question(&query_vector), 10).status(DocumentStatus::Error).run(&mut fixture.ws).await;
    assert_eq!(answer.unwrap().returned, 0);
}

#[tokio::test]
async fn documents_that_are_not_ready_are_not_found_unless_asked_for() {
    let (mut fixture, query_vector, document) = fixture().await;
    let answer = fixture.chunks().nearest(&question(&query_vector), 306).run(&mut fixture.ws).await.unwrap();
    assert_eq!(answer.returned, 300);
    assert!(answer.hits.iter().all(|hit| hit.document_id != document));
    let answer =
        fixture.chunks().nearest(&question(&query_vector), 400).any_status().run(&mut fixture.ws).await.unwrap();
    assert_eq!((answer.returned, answer.is_bounded()), (306, false));
}

#[tokio::test]
async fn a_least_score_leaves_out_what_is_below() {
    let (mut fixture, query_vector, _) = fixture().await;
    let all = fixture.chunks().nearest(&question(&query_vector), 20).run(&mut fixture.ws).await.unwrap();
    let least = all.hits[7].score;
    let some =
        fixture.chunks().nearest(&question(&query_vector), 20).min_score(least).run(&mut fixture.ws).await.unwrap();
    assert_eq!((some.returned, some.is_bounded()), (8, false));
    assert_eq!(some.hits[..], all.hits[..8]);
}

#[tokio::test]
async fn diversity_takes_one_of_each_kind() {
    let mut fixture = Fixture::new().await;
    let mut rng = fastrand::Rng::with_seed(5);
    let query_vector = random(&mut rng);
    let kinds: Vec<Embedding> = (0..3).map(|_| between(&query_vector, &random(&mut rng), 0.5)).collect();
    let document = fixture.document(fixture.a, &NewDocument::new("Notes")).await;
    let mut passages = Vec::new();
    for (kind, vector) in kinds.iter().enumerate() {
        for _ in 0..4 {
            passages.push((format!("kind {kind}"), between(vector, &random(&mut rng), 0.02)));
        }
    }
    fixture.passages(fixture.a, document, passages).await;
    let diverse =
        fixture.chunks().nearest(&question(&query_vector), 3).diversify(0.5).run(&mut fixture.ws).await.unwrap();
    let mut found: Vec<&str> = diverse.hits.iter().map(|hit| hit.content.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, ["kind 0", "kind 1", "kind 2"]);
    let plain =
        fixture.chunks().nearest(&question(&query_vector), 3).diversify(1.0).run(&mut fixture.ws).await.unwrap();
    let nearest = fixture.chunks().nearest(&question(&query_vector), 3).run(&mut fixture.ws).await.unwrap();
    assert_eq!(plain.hits, nearest.hits);
}

#[tokio::test]
async fn neighbours_are_those_of_the_same_document_in_their_order() {
    let mut fixture = Fixture::new().await;
    let mut rng = fastrand::Rng::with_seed(9);
    let query_vector = random(&mut rng);
    for (workspace, name) in [(fixture.b, "theirs"), (fixture.a, "other"), (fixture.a, "mine")] {
        let document = fixture.document(workspace, &NewDocument::new(name)).await;
        let passages = (0..6).map(|at| (format!("{name} {at}"), random(&mut rng))).collect();
        fixture.passages(workspace, document, passages).await;
    }
    let target: Embedding = document_chunks::table
        .in_workspace(&fixture.scope)
        .filter(document_chunks::content.eq("mine 1"))
        .select(document_chunks::vector)
        .first(&mut fixture.ws)
        .await
        .unwrap();
    let search = fixture.chunks().nearest(&question(&between(&target, &query_vector, 0.1)), 1).neighbours(2);
    let answer = search.run(&mut fixture.ws).await.unwrap();
    let texts =
        |of: &[workspace_db::search::Neighbour]| of.iter().map(|beside| beside.content.clone()).collect::<Vec<_>>();
    let hit = &answer.hits[0];
    assert_eq!(hit.content, "mine 1");
    assert_eq!(
        (texts(&hit.before), texts(&hit.after)),
        (vec!["mine 0".into()], vec!["mine 2".into(), "mine 3".into()])
    );
}
