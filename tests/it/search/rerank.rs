//! Hits in the order of a model behind an endpoint of our own, in each form that is spoken.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rstest::rstest;
use serde_json::{Value, json};
use workspace_db::reranking::{RerankEndpoint, RerankSettings, Reranker};
use workspace_db::search::{SearchChunks as _, SearchResults};

use super::*;
use crate::cli::Shell;

/// Form of the protocol.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Tei,
    Cohere,
    Voyage,
}

/// The score of a passage is the number of its letters `z`.
fn score(form: Form, requests: &AtomicUsize, headers: &HeaderMap, body: &Value) -> Response {
    requests.fetch_add(1, Ordering::Relaxed);
    let field = if form == Form::Tei { "texts" } else { "documents" };
    let Some(passages) = body[field].as_array() else {
        let what = format!("Failed to deserialize the JSON body into the target type: missing field `{field}`");
        return (StatusCode::UNPROCESSABLE_ENTITY, what).into_response();
    };
    if headers.get("authorization").is_none_or(|key| key != "Bearer secret") || passages.len() > 32 {
        return StatusCode::BAD_REQUEST.into_response();
    }
    assert!(body["query"].as_str().is_some_and(|query| !query.is_empty()), "{body}");
    let name = if form == Form::Tei { "score" } else { "relevance_score" };
    let scored = passages.iter().enumerate().rev().map(|(at, passage)| {
        let letters = passage.as_str().unwrap().matches('z').count();
        json!({ "index": at, name: letters })
    });
    let scored: Vec<Value> = scored.collect();
    Json(match form {
        Form::Tei => json!(scored),
        Form::Cohere => json!({ "results": scored }),
        Form::Voyage => json!({ "object": "list", "data": scored }),
    })
    .into_response()
}

/// An endpoint, and the number of its requests.
async fn endpoint(form: Form) -> (String, Arc<AtomicUsize>) {
    let requests = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&requests);
    let answer = async move |headers: HeaderMap, Json(body): Json<Value>| score(form, &counted, &headers, &body);
    (serve(Router::new().route("/v1/rerank", post(answer))).await, requests)
}

async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

/// Diesel's own `load` would be meant by `requests.load`.
fn count(requests: &AtomicUsize) -> usize {
    AtomicUsize::load(requests, Ordering::Relaxed)
}

fn reranker(url: &str) -> RerankEndpoint {
    RerankEndpoint::new(RerankSettings { api_key: Some("secret".to_owned().into()), ..RerankSettings::new(url) })
        .unwrap()
}

/// Three hits. The last of them is the reranker's first.
async fn found(fixture: &mut Fixture) -> SearchResults {
    fixture.texts(fixture.a, &["word", "word z and more", "word zz and many more of them"]).await;
    let found = fixture.chunks().full_text("word", 40).run(&mut fixture.ws).await.unwrap();
    assert!(found.hits.len() == 3 && found.hits[0].content == "word", "{found:?}");
    found
}

#[rstest]
#[case(Form::Tei, 2)]
#[case(Form::Cohere, 1)]
#[case(Form::Voyage, 1)]
#[tokio::test]
async fn hits_come_in_the_order_of_the_reranker(#[case] form: Form, #[case] requests: usize) {
    let mut fixture = Fixture::new().await;
    let mut found = found(&mut fixture).await;
    let (url, counted) = endpoint(form).await;
    let reranker = reranker(&url);
    found.rerank(&reranker, "word", 2).await.unwrap();
    let hits: Vec<_> = found.hits.iter().map(|hit| (&*hit.content, hit.score, hit.by_reranker.unwrap().rank)).collect();
    assert_eq!(hits, [("word zz and many more of them", 2.0, 1), ("word z and more", 1.0, 2)]);
    assert_eq!((found.requested, found.returned), (2, 2));
    assert_eq!(count(&counted), requests, "the first request finds out the form");
    // Three requests of at most 32 passages; the form is known.
    let many: Vec<String> = (0..70).map(|n| "z".repeat(n)).collect();
    let scores = reranker.scores("word", &many).await.unwrap();
    assert_eq!(scores, (0..70).map(f64::from).collect::<Vec<_>>());
    assert_eq!(count(&counted), requests + 3);
}

#[rstest]
#[case::too_few(json!({ "results": [{ "index": 0, "relevance_score": 1 }] }), "1 score for 3 passages")]
#[case::one_twice(json!([{ "index": 0, "score": 1 }, { "index": 0, "score": 1 }, { "index": 2, "score": 1 }]), "not return exactly one score")]
#[case::no_scores(json!({ "error": "no model" }), "not a list of scores")]
#[case::no_number(json!([{ "index": 0, "score": null }]), "not a list of scores")]
#[tokio::test]
async fn an_answer_that_orders_nothing_leaves_the_hits_as_they_were(#[case] answer: Value, #[case] why: &str) {
    let mut fixture = Fixture::new().await;
    let mut found = found(&mut fixture).await;
    let before = found.clone();
    let url = serve(Router::new().route("/v1/rerank", post(async move || Json(answer.clone())))).await;
    let error = found.rerank(&reranker(&url), "word", 2).await.unwrap_err();
    assert!(error.is_reranking_failure() && error.to_string().contains(why), "{error}");
    assert_eq!(found, before);
}

/// A reranker of one's own. Its scores are those that it was given, whatever the passages.
struct Fixed(Vec<f64>, Mutex<Vec<String>>);

impl Reranker for Fixed {
    fn scores<'a>(&'a self, _: &'a str, passages: &'a [String]) -> BoxFuture<'a, workspace_db::Result<Vec<f64>>> {
        self.1.lock().unwrap().extend(passages.iter().cloned());
        async { Ok(self.0.clone()) }.boxed()
    }
}

#[rstest]
#[case::not_a_number(vec![1.0, f64::NAN, 2.0], "the score NaN")]
#[case::infinity(vec![1.0, f64::INFINITY, 2.0], "the score inf")]
#[case::too_few(vec![1.0], "1 score for 3 passages")]
#[case::too_many(vec![1.0; 4], "4 scores for 3 passages")]
#[tokio::test]
async fn scores_that_order_nothing_are_rejected(#[case] scores: Vec<f64>, #[case] why: &str) {
    let mut fixture = Fixture::new().await;
    let mut found = found(&mut fixture).await;
    let before = found.clone();
    let error = found.rerank(&Fixed(scores, Mutex::default()), "word", 2).await.unwrap_err();
    assert!(error.is_reranking_failure() && error.to_string().contains(why), "{error}");
    assert_eq!(found, before);
}

#[tokio::test]
async fn a_passage_is_scored_with_its_title_and_none_is_scored_without_hits() {
    let mut fixture = Fixture::new().await;
    let mut found = found(&mut fixture).await;
    let reranker = Fixed(vec![0.0, -0.0, 0.0], Mutex::default());
    assert!(found.rerank(&reranker, "word", 0).await.unwrap_err().is_invalid_input());
    found.rerank(&reranker, "word", 100).await.unwrap();
    assert_eq!((found.requested, found.returned), (40, 3), "no more than the search was asked for");
    assert_eq!(reranker.1.lock().unwrap()[0], "Notes\nword");
    let mut none = fixture.chunks().full_text("nowhere", 5).run(&mut fixture.ws).await.unwrap();
    none.rerank(&Fixed(vec![1.0], Mutex::default()), "nowhere", 5).await.unwrap();
    assert_eq!(none.returned, 0);
}

#[test]
fn a_key_is_never_shown() {
    let settings = RerankSettings {
        api_key: Some("secret".to_owned().into()),
        ..RerankSettings::new("http://localhost/v1?key=hidden")
    };
    let shown = format!("{settings:?} {:?}", RerankEndpoint::new(settings.clone()).unwrap());
    assert!(shown.contains("localhost") && !shown.contains("secret") && !shown.contains("hidden"), "{shown}");
    let twice = RerankSettings { fields: json!({ "query": "x" }).as_object().unwrap().clone(), ..settings };
    assert!(RerankEndpoint::new(twice).unwrap_err().is_invalid_input());
}

#[tokio::test]
async fn a_reranker_that_does_not_answer_fails_at_once() {
    let begun = Instant::now();
    let error = reranker("http://127.0.0.1:1").scores("word", &["word".to_owned()]).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(error.is_reranking_failure() && error.to_string().contains("127.0.0.1:1/rerank"), "{error}");
    for url in ["localhost:8080", "http://user:password@localhost"] {
        let error = RerankEndpoint::new(RerankSettings::new(url)).unwrap_err();
        assert!(error.is_invalid_input() && !error.to_string().contains("password@"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_asks_the_reranker_that_the_environment_names() {
    let mut fixture = Fixture::new().await;
    found(&mut fixture).await;
    let (url, counted) = endpoint(Form::Cohere).await;
    let shell = Shell::for_database(&fixture.database)
        .with("WORKSPACE_DB_RERANK_URL", url)
        .with("WORKSPACE_DB_RERANK_KEY", "secret");
    let search = ["search", "word", "-w", "a", "--by", "words", "-n", "1", "--per-document", "0", "--json"];
    let answer = shell.run(&search);
    assert_eq!(answer.code, 0, "{}", answer.err);
    let answer: Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(answer["hits"][0]["content"], "word zz and many more of them", "{answer}");
    assert_eq!((answer["returned"].as_u64(), count(&counted)), (Some(1), 1));
    let kept = shell.json(&[&search[..8], &["--no-rerank"]].concat());
    assert_eq!((kept["hits"][0]["content"].as_str(), count(&counted)), (Some("word"), 1));
    let dead = shell.with("WORKSPACE_DB_RERANK_URL", "http://127.0.0.1:1").run(&search);
    assert!(dead.code == 6 && dead.err.contains("needs no reranker (`--no-rerank`)"), "{}", dead.err);
}
