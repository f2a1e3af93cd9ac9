//! Embedders: hashing by itself, and an endpoint that behaves and misbehaves, a real server on loopback.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use rstest::rstest;
use serde_json::{Value, json};
use workspace_db::embeddings::{Embedder, FeatureHashing, OpenAiEmbeddings, OpenAiSettings};
use workspace_db::sql_types::DIMENSIONS;

use crate::cli::Shell;

/// What the endpoint does with one request; once the list is used up it behaves.
#[derive(Clone, Copy, Debug)]
enum Reply {
    Redirect(u16),
    Status(u16),
    RetryAfter(u16, &'static str),
    Garbage,
    Dimensions(usize),
    Fewer,
    Hang,
}

#[derive(Default)]
struct EndpointLog {
    replies: VecDeque<Reply>,
    requests: Vec<(Option<String>, Value)>,
}

struct Endpoint {
    url: String,
    seen: Arc<Mutex<EndpointLog>>,
}

impl Endpoint {
    async fn start(replies: &[Reply]) -> Self {
        let seen =
            Arc::new(Mutex::new(EndpointLog { replies: replies.iter().copied().collect(), ..EndpointLog::default() }));
        let app = Router::new().route("/v1/embeddings", post(answer)).with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen }
    }

    fn settings(&self) -> OpenAiSettings {
        OpenAiSettings {
            first_wait: Duration::from_millis(1),
            retries: 2,
            timeout: Duration::from_secs(10),
            ..OpenAiSettings::new(&self.url)
        }
    }

    fn requests(&self) -> Vec<(Option<String>, Value)> {
        self.seen.lock().unwrap().requests.clone()
    }
}

async fn answer(State(seen): State<Arc<Mutex<EndpointLog>>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let texts: Vec<String> = serde_json::from_value(body["input"].clone()).unwrap();
    let reply = {
        let mut seen = seen.lock().unwrap();
        let key = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        seen.requests.push((key, body));
        seen.replies.pop_front()
    };
    match reply {
        Some(Reply::Status(status)) => (StatusCode::from_u16(status).unwrap(), "the reason").into_response(),
        Some(Reply::RetryAfter(status, seconds)) => {
            (StatusCode::from_u16(status).unwrap(), [("retry-after", seconds)], "slow down").into_response()
        }
        Some(Reply::Redirect(status)) => {
            (StatusCode::from_u16(status).unwrap(), [("location", "/elsewhere")], "INTERNAL").into_response()
        }
        Some(Reply::Garbage) => "<html>a proxy's page</html>".into_response(),
        Some(Reply::Hang) => std::future::pending().await,
        Some(Reply::Dimensions(dimensions)) => vectors(texts.len(), |_| vec![1.0; dimensions]),
        Some(Reply::Fewer) => vectors(texts.len() - 1, |_| vec![1.0; DIMENSIONS]),
        // Not of length 1, and the last first: the protocol promises neither.
        None => vectors(texts.len(), |place| {
            FeatureHashing::vector(&texts[place]).unwrap().as_slice().iter().map(|x| x * 3.0).collect()
        }),
    }
}

fn vectors(count: usize, vector: impl Fn(usize) -> Vec<f32>) -> Response {
    let data: Vec<_> = (0..count).rev().map(|place| json!({ "index": place, "embedding": vector(place) })).collect();
    Json(json!({ "object": "list", "data": data })).into_response()
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("text number {n}")).collect()
}

#[tokio::test]
async fn vectors_come_in_batches_in_order_and_of_length_one() {
    let endpoint = Endpoint::start(&[]).await;
    let settings = OpenAiSettings {
        batch: 3,
        api_key: Some("the-key".to_owned().into()),
        model: "a-model".to_owned(),
        ..endpoint.settings()
    };
    let embedder = OpenAiEmbeddings::new(settings).unwrap();
    assert_eq!(embedder.model(), "a-model");
    let texts = texts(7);
    let vectors = embedder.embed(&texts).await.unwrap();
    let expected = FeatureHashing.embed(&texts).await.unwrap();
    for (vector, expected) in vectors.iter().zip(&expected) {
        let differ = vector.as_slice().iter().zip(expected.as_slice()).any(|(x, y)| (x - y).abs() > 1e-6);
        assert!(!differ, "a vector is another text's, or not of length 1");
    }
    let requests = endpoint.requests();
    let sizes: Vec<_> = requests.iter().map(|(_, body)| body["input"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [3, 3, 1]);
    let (key, body) = &requests[0];
    assert_eq!(key.as_deref(), Some("Bearer the-key"));
    assert_eq!((&body["model"], &body["dimensions"]), (&json!("a-model"), &json!(DIMENSIONS)));
}

#[rstest]
#[case::too_many_requests(&[Reply::Status(429)], 2)]
#[case::server_errors(&[Reply::Status(500), Reply::Status(503)], 3)]
#[case::a_named_wait(&[Reply::RetryAfter(429, "0")], 2)]
#[tokio::test]
async fn what_passes_is_asked_again(#[case] replies: &[Reply], #[case] requests: usize) {
    let endpoint = Endpoint::start(replies).await;
    let embedder = OpenAiEmbeddings::new(endpoint.settings()).unwrap();
    assert_eq!(embedder.embed(&texts(1)).await.unwrap().len(), 1);
    assert_eq!(endpoint.requests().len(), requests);
}

#[rstest]
#[case::always_too_many(&[Reply::Status(429); 3], 3, "429")]
#[case::always_broken(&[Reply::Status(500); 3], 3, "the reason")]
#[case::refused(&[Reply::Status(401)], 1, "401")]
#[case::garbage(&[Reply::Garbage], 1, "not a list of embeddings")]
#[case::other_dimensions(&[Reply::Dimensions(768)], 1, "1536 dimensions, got 768")]
#[case::fewer_vectors(&[Reply::Fewer], 1, "1 vector for 2 texts")]
#[tokio::test]
async fn what_does_not_pass_is_an_error_that_says_so(
    #[case] replies: &[Reply],
    #[case] requests: usize,
    #[case] says: &str,
) {
    let endpoint = Endpoint::start(replies).await;
    let embedder = OpenAiEmbeddings::new(endpoint.settings()).unwrap();
    let error = embedder.embed(&texts(2)).await.unwrap_err();
    assert!(error.is_embeddings_failure(), "{error:?}");
    assert!(error.to_string().contains(says) && error.to_string().contains(&endpoint.url), "{error}");
    assert_eq!(endpoint.requests().len(), requests);
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_given_up_after_the_time_out_and_asked_again() {
    let endpoint = Endpoint::start(&[Reply::Hang]).await;
    let settings = OpenAiSettings { timeout: Duration::from_secs(1), ..endpoint.settings() };
    let begun = Instant::now();
    let vectors = OpenAiEmbeddings::new(settings.clone()).unwrap().embed(&texts(1)).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!((vectors.len(), endpoint.requests().len()), (1, 2));

    let endpoint = Endpoint::start(&[Reply::Hang; 3]).await;
    let settings = OpenAiSettings { url: endpoint.url.clone(), ..settings };
    let error = OpenAiEmbeddings::new(settings).unwrap().embed(&texts(1)).await.unwrap_err();
    assert!(error.is_embeddings_failure() && error.to_string().contains("no answer within 1 s"), "{error}");
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_an_error_that_names_it() {
    let settings = OpenAiSettings {
        retries: 1,
        first_wait: Duration::from_millis(1),
        ..OpenAiSettings::new("http://127.0.0.1:1/v1")
    };
    let error = OpenAiEmbeddings::new(settings).unwrap().embed(&texts(1)).await.unwrap_err();
    assert!(error.is_embeddings_failure() && error.to_string().contains("127.0.0.1:1"), "{error}");
}

/// A person waits for a search, so nobody who does not answer is asked again.
#[tokio::test]
async fn a_question_fails_at_once_where_nobody_answers() {
    let embedder = OpenAiEmbeddings::new(OpenAiSettings::new("http://127.0.0.1:1/v1")).unwrap();
    let begun = Instant::now();
    let error = embedder.embed_question("When do you open?").await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(error.is_embeddings_failure() && error.to_string().contains("127.0.0.1:1"), "{error}");
    assert!(!error.to_string().contains("stored"), "{error}");
}

#[rstest]
#[case::busy_once(&[Reply::RetryAfter(429, "0")], 2, true)]
#[case::busy_for_a_minute(&[Reply::RetryAfter(429, "60"), Reply::RetryAfter(429, "60")], 2, false)]
#[case::broken(&[Reply::Status(500); 3], 2, false)]
#[tokio::test]
async fn a_question_is_asked_again_once_if_the_endpoint_has_answered(
    #[case] replies: &[Reply],
    #[case] requests: usize,
    #[case] is_answered: bool,
) {
    let endpoint = Endpoint::start(replies).await;
    let begun = Instant::now();
    let answer = OpenAiEmbeddings::new(endpoint.settings()).unwrap().embed_question("When do you open?").await;
    assert_eq!((answer.is_ok(), endpoint.requests().len()), (is_answered, requests), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(30), "Retry-After of a minute was obeyed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_use_the_endpoint_and_keep_nothing_of_a_failed_run() {
    let shell = Shell::new();
    shell.up();
    std::fs::write(shell.path("bicycles.txt"), "The red bicycle has a flat tyre.").unwrap();
    let endpoint = Endpoint::start(&[Reply::Dimensions(768), Reply::Garbage]).await;
    let url = endpoint.url.as_str();
    let ingest = ["ingest", "bicycles.txt", "--embeddings-url", url];
    for says in ["768", "not a list of embeddings"] {
        let error = shell.fails(&ingest, 6);
        assert!(error.contains(says), "{error}");
        assert_eq!(shell.succeed(&["psql", "-Atc", "SELECT count(*) FROM documents"]), "0\n");
    }
    assert_eq!(shell.json(&ingest)["added"], 1);
    assert_eq!(shell.json(&["search", "flat tyre", "--embeddings-url", url])["hits"][0]["title"], "bicycles.txt");
    let error = shell.fails(&["search", "flat tyre"], 2);
    assert!(error.contains("text-embedding-3-large"), "{error}");
}

#[rstest]
#[case::no_address(OpenAiSettings::new("localhost"))]
#[case::another_scheme(OpenAiSettings::new("ftp://localhost/v1"))]
#[case::a_password_in_the_address(OpenAiSettings::new("http://me:hunter2@localhost/v1"))]
#[case::no_batch(OpenAiSettings { batch: 0, ..OpenAiSettings::new("http://localhost/v1") })]
fn settings_that_can_not_work_are_refused(#[case] settings: OpenAiSettings) {
    assert!(OpenAiEmbeddings::new(settings).unwrap_err().is_invalid_input());
}

#[tokio::test]
async fn hashing_gives_the_same_vector_on_every_machine() {
    let vector = FeatureHashing::vector("The red bicycle has a flat tyre").unwrap();
    let parts: Vec<_> = vector.as_slice().iter().enumerate().filter(|(_, x)| **x != 0.0).collect();
    let parts: Vec<_> = parts.into_iter().map(|(place, x)| (place, *x > 0.0)).collect();
    // Four words without the function words, and three pairs: where each is, and its sign.
    let expected = [(279, true), (341, true), (680, true), (1006, true), (1242, false), (1333, false), (1531, true)];
    assert_eq!(parts, expected, "the stored vectors of every database would no longer fit");
    // Hundreds of features share dimensions here, and the sums must not depend on the order of adding.
    let long = (0..2000).map(|n| format!("word{}", n * n % 1009)).collect::<Vec<_>>().join(" ");
    let again = FeatureHashing::vector(&long).unwrap();
    assert!((0..20).all(|_| FeatureHashing::vector(&long).unwrap() == again));
    let length: f32 = vector.as_slice().iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-6);
}

#[tokio::test]
async fn words_of_no_meaning_count_where_there_are_no_others() {
    assert!(FeatureHashing::vector("to be or not to be").is_ok());
    assert!(FeatureHashing::vector("--- !!! ---").unwrap_err().is_invalid_input());
}

#[rstest]
#[case(301)]
#[case(302)]
#[case(303)]
#[case(307)]
#[case(308)]
#[tokio::test]
async fn a_redirect_is_not_followed(#[case] status: u16) {
    let endpoint = Endpoint::start(&[Reply::Redirect(status)]).await;
    let error = OpenAiEmbeddings::new(endpoint.settings()).unwrap().embed(&texts(1)).await.unwrap_err();
    assert!(error.is_embeddings_failure() && error.to_string().contains("redirects are not followed"), "{error}");
    assert!(!format!("{error:?}").contains("INTERNAL"), "{error:?}");
    assert_eq!(endpoint.requests().len(), 1);
}
