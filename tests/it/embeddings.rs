//! Embedders: hashing by itself, and an endpoint that behaves and misbehaves, a real server on loopback.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rstest::rstest;
use serde_json::{Value, json};
use workspace_db::embeddings::{Embedder, FeatureHashing, OpenAiEmbeddings, OpenAiSettings, REFUSED_INPUT};
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
    /// Vectors of as many dimensions, as base64.
    Base64(usize),
    /// The JSON of a vector's last component.
    Component(&'static str),
    Fewer,
    TooLong,
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
        Some(Reply::TooLong) => {
            let text = "input is too large to process. increase the physical batch size";
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
        Some(Reply::Garbage) => "<html>a proxy's page</html>".into_response(),
        Some(Reply::Hang) => std::future::pending().await,
        Some(Reply::Dimensions(dimensions)) => vectors(texts.len(), |_| vec![1.0; dimensions]),
        Some(Reply::Base64(dimensions)) => {
            let bytes: Vec<u8> = (1_u16..).take(dimensions).flat_map(|n| f32::from(n).to_le_bytes()).collect();
            respond(texts.len(), |_| json!(BASE64.encode(&bytes)))
        }
        Some(Reply::Component(component)) => {
            let vector = format!("[{}{component}]", "1.0,".repeat(383));
            format!(r#"{{"data": [{{"index": 0, "embedding": {vector}}}]}}"#).into_response()
        }
        Some(Reply::Fewer) => vectors(texts.len() - 1, |_| vec![1.0; DIMENSIONS]),
        // Not of length 1, and the last first: the protocol promises neither.
        None => vectors(texts.len(), |place| {
            FeatureHashing::vector(&texts[place]).unwrap().as_slice().iter().map(|x| x * 3.0).collect()
        }),
    }
}

fn vectors(count: usize, vector: impl Fn(usize) -> Vec<f32>) -> Response {
    respond(count, |place| json!(vector(place)))
}

fn respond(count: usize, vector: impl Fn(usize) -> Value) -> Response {
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
        model: "text-embedding-3-small".to_owned(),
        ..endpoint.settings()
    };
    let embedder = OpenAiEmbeddings::new(settings).unwrap();
    assert_eq!(embedder.model(), "text-embedding-3-small");
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
    assert_eq!((&body["model"], &body["dimensions"]), (&json!("text-embedding-3-small"), &json!(DIMENSIONS)));
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
#[case::other_dimensions(&[Reply::Dimensions(768)], 1, "768 dimensions instead of 1536")]
#[case::three_dimensions(&[Reply::Dimensions(3)], 1, "3 dimensions")]
#[case::no_dimensions(&[Reply::Dimensions(0)], 1, "0 dimensions")]
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

/// Returns the settings of a model that is none of OpenAI's, so that no dimensions are requested.
fn of_model(endpoint: &Endpoint, model: &str) -> OpenAiSettings {
    OpenAiSettings { model: model.to_owned(), ..endpoint.settings() }
}

#[rstest]
#[case::the_smallest(Reply::Dimensions(32), 32)]
#[case::minilm(Reply::Dimensions(384), 384)]
#[case::bge(Reply::Dimensions(1024), 1024)]
#[case::base64(Reply::Base64(768), 768)]
#[case::of_the_column(Reply::Dimensions(1536), 1536)]
#[tokio::test]
async fn vectors_of_any_model_fit(#[case] reply: Reply, #[case] dimensions: usize) {
    let endpoint = Endpoint::start(&[reply]).await;
    let vector = OpenAiEmbeddings::new(of_model(&endpoint, "a-model")).unwrap().embed_question("x").await.unwrap();
    assert_eq!((vector.dimensions(), vector.as_slice().len()), (Some(dimensions), DIMENSIONS));
    let body = &endpoint.requests()[0].1;
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["input", "model"], "some endpoints reject more");
}

#[rstest]
#[case::known("Qwen/Qwen3-Embedding-4B", None, false, Reply::Dimensions(2560), Ok(1536))]
#[case::known_and_requested("gemini-embedding-001", Some(768), false, Reply::Dimensions(3072), Ok(768))]
#[case::by_setting("a-model", None, true, Reply::Dimensions(4096), Ok(1536))]
#[case::unknown("a-model", None, false, Reply::Dimensions(4096), Err("4096 dimensions instead of 1536"))]
#[case::fewer_than_requested("a-model", Some(768), true, Reply::Dimensions(384), Err("384 dimensions instead of 768"))]
#[case::more_than_requested("a-model", Some(384), false, Reply::Dimensions(768), Err("768 dimensions instead of 384"))]
#[tokio::test]
async fn a_longer_vector_is_shortened_where_the_model_allows_it(
    #[case] model: &str,
    #[case] dimensions: Option<usize>,
    #[case] shorten: bool,
    #[case] reply: Reply,
    #[case] expected: Result<usize, &str>,
) {
    let endpoint = Endpoint::start(&[reply]).await;
    let settings = OpenAiSettings { dimensions, shorten, ..of_model(&endpoint, model) };
    let found = OpenAiEmbeddings::new(settings).unwrap().embed(&texts(1)).await;
    match (found, expected) {
        (Ok(found), Ok(expected)) => {
            assert_eq!(found[0].dimensions(), Some(expected));
            let square: f64 = found[0].as_slice().iter().map(|x| f64::from(x * x)).sum();
            assert!((square - 1.0).abs() < 1e-5, "{square}");
        }
        (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
        (found, expected) => panic!("{found:?} instead of {expected:?}"),
    }
    assert_eq!(endpoint.requests()[0].1.get("dimensions"), dimensions.map(|dimensions| json!(dimensions)).as_ref());
}

#[rstest]
#[case::not_a_number("NaN", "not a list of embeddings")]
#[case::null("null", "not a list of embeddings")]
#[case::infinite("1e39", "component 383 is inf")]
#[tokio::test]
async fn a_component_that_is_no_number_is_refused(#[case] component: &'static str, #[case] says: &str) {
    let endpoint = Endpoint::start(&[Reply::Component(component)]).await;
    let error = OpenAiEmbeddings::new(of_model(&endpoint, "a-model")).unwrap().embed(&texts(1)).await.unwrap_err();
    assert!(error.is_embeddings_failure() && error.to_string().contains(says), "{error}");
}

#[tokio::test]
async fn questions_and_passages_have_their_own_prefixes_and_fields() {
    let endpoint = Endpoint::start(&[]).await;
    let fields = |kind: &str| json!({ "input_type": kind }).as_object().unwrap().clone();
    let settings = OpenAiSettings {
        question_prefix: "search_query: ".to_owned(),
        passage_prefix: "search_document: ".to_owned(),
        question_fields: fields("query"),
        passage_fields: fields("document"),
        base64: true,
        ..of_model(&endpoint, "nomic-embed-text")
    };
    let embedder = OpenAiEmbeddings::new(settings).unwrap();
    embedder.embed_question("When?").await.unwrap();
    embedder.embed(&texts(1)).await.unwrap();
    let bodies: Vec<_> = endpoint.requests().into_iter().map(|(_, body)| body).collect();
    let body = |text: &str, kind: &str| json!({ "model": "nomic-embed-text", "input": [text], "encoding_format": "base64", "input_type": kind });
    assert_eq!(bodies, [body("search_query: When?", "query"), body("search_document: text number 0", "document")]);
}

/// A model that changes its dimensions is another model: none of its new vectors is stored beside the old ones, or searched.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_changes_its_dimensions_is_refused_by_name() {
    let shell = Shell::new();
    shell.up();
    for name in ["bicycles.txt", "cats.txt"] {
        std::fs::write(shell.path(name), format!("The {name} have a flat tyre.")).unwrap();
    }
    let small = [Reply::Dimensions(384); 2];
    let replies = [&small[..], &[Reply::Dimensions(512); 2], &[Reply::Dimensions(1536)]].concat();
    let endpoint = Endpoint::start(&replies).await;
    let to = ["--embeddings-url", endpoint.url.as_str(), "--embeddings-model", "a-model"];
    assert_eq!(shell.json(&[&["ingest", "bicycles.txt"], &to[..]].concat())["added"], 1);
    assert_eq!(shell.json(&[&["search", "flat tyre"], &to[..]].concat())["hits"][0]["title"], "bicycles.txt");
    for words in [&["ingest", "cats.txt"][..], &["search", "flat tyre"], &["search", "flat tyre", "--by", "vector"]] {
        let error = shell.fails(&[words, &to].concat(), 7);
        assert!(error.contains("a-model") && error.contains("384"), "{error}");
    }
    assert_eq!(shell.succeed(&["psql", "-Atc", "SELECT count(*) FROM document_chunks"]), "1\n");
    // Under another name, it is another model.
    let renamed = [&["reembed"], &to[..], &["--embeddings-name", "a-model-512"]].concat();
    assert_eq!(shell.json(&renamed)["report"]["switched"], 1);
    let said = shell.succeed(&["ingest", "cats.txt", "--hash-words"]);
    assert!(said.contains("models     a-model-512, feature-hashing-v2"), "{said}");
}

/// llama.cpp says so with a status that others use for a moment's trouble.
#[tokio::test]
async fn a_text_that_is_too_long_is_not_sent_again() {
    let endpoint = Endpoint::start(&[Reply::TooLong]).await;
    let error = OpenAiEmbeddings::new(of_model(&endpoint, "a-model")).unwrap().embed(&texts(1)).await.unwrap_err();
    assert_eq!((error.field(), endpoint.requests().len()), (Some(REFUSED_INPUT), 1), "{error}");
}

/// The words are hashed on this machine, whatever endpoint the environment names.
#[tokio::test(flavor = "multi_thread")]
async fn hashed_words_that_are_asked_for_leave_no_machine() {
    let endpoint = Endpoint::start(&[]).await;
    let shell = Shell::new().with("WORKSPACE_DB_EMBEDDINGS_URL", &endpoint.url);
    shell.up();
    std::fs::write(shell.path("secret.txt"), "The red bicycle has a flat tyre.").unwrap();
    shell.succeed(&["ingest", "secret.txt", "--hash-words"]);
    assert!(endpoint.requests().is_empty());
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
#[case::a_user_in_the_address(OpenAiSettings::new("http://token@localhost/v1"))]
#[case::too_few_dimensions(OpenAiSettings { dimensions: Some(3), ..OpenAiSettings::new("http://localhost/v1") })]
#[case::too_many_dimensions(OpenAiSettings { dimensions: Some(3072), ..OpenAiSettings::new("http://localhost/v1") })]
#[case::a_field_twice(OpenAiSettings {
    passage_fields: json!({ "input": "x" }).as_object().unwrap().clone(),
    ..OpenAiSettings::new("http://localhost/v1")
})]
#[case::no_batch(OpenAiSettings { batch: 0, ..OpenAiSettings::new("http://localhost/v1") })]
fn settings_that_can_not_work_are_refused(#[case] settings: OpenAiSettings) {
    for url in [format!("{}?key=SECRET", settings.url), "htp://me:SECRET@localhost/v1".to_owned()] {
        let shown = OpenAiSettings { url, ..settings.clone() };
        assert!(!format!("{shown:?} {:?}", OpenAiEmbeddings::new(shown.clone())).contains("SECRET"));
    }
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
