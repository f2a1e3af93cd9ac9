//! Tests of the backend over HTTP, with a real server and a real database.

use std::net::SocketAddr;
use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use metrics_exporter_prometheus::PrometheusBuilder;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use workspace_db::auth;
use workspace_db::jobs::Worker;
use workspace_db::schema::{admin_tokens, admin_users, messages};
use workspace_db::sql_types::PasswordHash;
use workspace_db::tenancy::{Database, PlatformScope};
use workspace_db_testing::{SeededWorkspace, TestDatabase, seed};

use crate::App;
use crate::model::Model;

const PASSWORD: &str = "correct horse battery staple";

/// A server on its own port, with its own database and two workspaces.
struct Backend {
    address: SocketAddr,
    a: SeededWorkspace,
    b: SeededWorkspace,
    db: Database,
    database: TestDatabase,
}

struct HttpResponse {
    status: u16,
    cookie: Option<String>,
    text: String,
    body: Value,
}

impl Backend {
    async fn start() -> Self {
        Self::with_model(super::model::echo()).await
    }

    async fn with_model(model: Model) -> Self {
        let database = TestDatabase::new().await.unwrap();
        let mut conn = database.connect().await.unwrap();
        let (a, b) = (seed(&mut conn, "a").await.unwrap(), seed(&mut conn, "b").await.unwrap());
        let hash = PasswordHash::from_password(&SecretString::from(PASSWORD)).unwrap();
        let set = diesel::update(admin_users::table).set(admin_users::password_hash.eq(hash));
        set.execute(&mut conn).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let db = database.open(4).await.unwrap();
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let routes = super::routes(App { db: db.clone(), model, metrics });
        tokio::spawn(
            async move { axum::serve(listener, routes.into_make_service_with_connect_info::<SocketAddr>()).await },
        );
        Self { address, a, b, db, database }
    }

    async fn send(&self, method: &'static str, path: String, cookie: Option<String>, body: Value) -> HttpResponse {
        let url = format!("http://{}{path}", self.address);
        let sending = move || {
            let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
            let mut request = ureq::http::Request::builder().method(method).uri(url);
            request = request.header("content-type", "application/json");
            if let Some(cookie) = cookie {
                request = request.header("cookie", format!("theme=dark; session={cookie}"));
            }
            let mut response = agent.run(request.body(body.to_string()).unwrap()).unwrap();
            let set = response.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
            let text = response.body_mut().read_to_string().unwrap();
            HttpResponse {
                status: response.status().as_u16(),
                cookie: set.map(|set| set["session=".len()..set.find(';').unwrap()].to_owned()),
                body: serde_json::from_str(&text).unwrap_or_default(),
                text,
            }
        };
        tokio::task::spawn_blocking(sending).await.unwrap()
    }

    async fn log_in(&self, email: &str, password: &str) -> HttpResponse {
        self.send("POST", "/login".to_owned(), None, json!({ "email": email, "password": password })).await
    }

    fn documents(of: &SeededWorkspace) -> String {
        format!("/workspaces/{}/documents", of.workspace)
    }
}

#[tokio::test]
async fn an_administrator_works_in_their_workspace_and_is_out_after_logging_out() {
    let backend = Backend::start().await;
    let said = backend.log_in("admin@a.example", PASSWORD).await;
    assert_eq!(said.status, 204, "{}", said.body);
    let cookie = said.cookie;
    let path = Backend::documents(&backend.a);
    let made = backend.send("POST", path.clone(), cookie.clone(), json!({ "title": "Holidays" })).await;
    assert_eq!((made.status, made.body["title"].as_str()), (201, Some("Holidays")));
    let listed = backend.send("GET", path.clone(), cookie.clone(), Value::Null).await;
    assert_eq!((listed.status, listed.body["documents"].as_array().unwrap().len()), (200, 2));
    let one = format!("{path}/{}", made.body["id"].as_str().unwrap());
    assert_eq!(backend.send("DELETE", one.clone(), cookie.clone(), Value::Null).await.status, 204);
    assert_eq!(backend.send("DELETE", one, cookie.clone(), Value::Null).await.status, 404);
    assert_eq!(backend.send("POST", "/logout".to_owned(), cookie.clone(), Value::Null).await.status, 204);
    assert_eq!(backend.send("GET", path, cookie, Value::Null).await.status, 401);
}

#[tokio::test]
async fn another_workspace_is_not_found_and_so_is_what_is_in_it() {
    let backend = Backend::start().await;
    let cookie = backend.log_in("admin@a.example", PASSWORD).await.cookie;
    let (theirs, mine) = (Backend::documents(&backend.b), Backend::documents(&backend.a));
    assert_eq!(backend.send("GET", theirs, cookie.clone(), Value::Null).await.status, 404);
    let no_id = mine.replace(&backend.a.workspace.to_string(), "acme");
    assert_eq!(backend.send("GET", no_id, cookie.clone(), Value::Null).await.status, 400);
    let in_mine = format!("{mine}/{}", backend.b.document);
    assert_eq!(backend.send("DELETE", in_mine, cookie, Value::Null).await.status, 404);
    let of_b = backend.log_in("admin@b.example", PASSWORD).await.cookie;
    let left = backend.send("GET", Backend::documents(&backend.b), of_b, Value::Null).await;
    assert_eq!(left.body["documents"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn without_a_good_password_or_cookie_nobody_gets_in() {
    let backend = Backend::start().await;
    let wrong = backend.log_in("admin@a.example", "wrong").await;
    let unknown = backend.log_in("nobody@a.example", PASSWORD).await;
    assert_eq!((wrong.status, unknown.status), (401, 401));
    assert_eq!(wrong.body, unknown.body);
    assert!(wrong.cookie.is_none() && unknown.cookie.is_none());
    let path = Backend::documents(&backend.a);
    for cookie in [None, Some(String::new()), Some("wdb_session_x".to_owned()), Some("x; y".to_owned())] {
        assert_eq!(backend.send("GET", path.clone(), cookie, Value::Null).await.status, 401);
    }
    let bad = backend.log_in("admin@a.example", PASSWORD).await.cookie;
    let refused = backend.send("POST", path, bad, json!({ "title": "two\nlines" })).await;
    assert_eq!(refused.status, 422);
    let mut conn = backend.database.connect().await.unwrap();
    let sessions: i64 = admin_tokens::table.count().get_result(&mut conn).await.unwrap();
    assert_eq!(sessions, 1);
}

#[tokio::test]
async fn pages_follow_each_other_and_an_export_has_every_row() {
    let backend = Backend::start().await;
    let cookie = backend.log_in("admin@a.example", PASSWORD).await.cookie;
    let path = Backend::documents(&backend.a);
    for number in 0..60 {
        let made = backend.send("POST", path.clone(), cookie.clone(), json!({ "title": format!("{number}") })).await;
        assert_eq!(made.status, 201, "{}", made.text);
    }
    let first = backend.send("GET", path.clone(), cookie.clone(), Value::Null).await.body;
    let next = first["next"].as_str().unwrap();
    let second = backend.send("GET", format!("{path}?after={next}"), cookie.clone(), Value::Null).await.body;
    let lengths = [&first, &second].map(|page| page["documents"].as_array().unwrap().len());
    assert_eq!((lengths, &second["next"]), ([50, 11], &Value::Null));
    assert_eq!(first["documents"][0]["title"], "59");
    let wrong = backend.send("GET", format!("{path}?after=x"), cookie.clone(), Value::Null).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    let all = backend.send("GET", format!("{path}.ndjson"), cookie, Value::Null).await;
    let lines: Vec<Value> = all.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((all.status, lines.len()), (200, 61));
}

#[tokio::test]
async fn a_patch_leaves_sets_or_removes_a_field() {
    let backend = Backend::start().await;
    let cookie = backend.log_in("admin@a.example", PASSWORD).await.cookie;
    let path = format!("{}/{}", Backend::documents(&backend.a), backend.a.document);
    let change = async |body: Value| backend.send("PATCH", path.clone(), cookie.clone(), body).await;
    assert_eq!(change(json!({ "summary": "Short." })).await.body["summary"], "Short.");
    let renamed = change(json!({ "title": "Closing hours" })).await.body;
    assert_eq!((&renamed["title"], &renamed["summary"]), (&json!("Closing hours"), &json!("Short.")));
    let removed = change(json!({ "summary": null })).await.body;
    assert_eq!((&removed["title"], &removed["summary"]), (&json!("Closing hours"), &Value::Null));
    let theirs = format!("{}/{}", Backend::documents(&backend.a), backend.b.document);
    let refused = backend.send("PATCH", theirs, cookie.clone(), json!({ "title": "mine" })).await;
    assert_eq!(refused.status, 404);
}

/// More requests wait for the model at the same time than the pool has connections.
#[tokio::test]
async fn a_request_that_waits_for_the_model_holds_no_connection() {
    const REQUESTS: usize = 12;
    let barrier = Arc::new(Barrier::new(REQUESTS));
    let model: Model = Arc::new(move |prompt| {
        let barrier = barrier.clone();
        async move {
            barrier.wait().await;
            prompt
        }
        .boxed()
    });
    let backend = Backend::with_model(model).await;
    let cookie = backend.log_in("admin@a.example", PASSWORD).await.cookie;
    let path = format!("/workspaces/{}/answers", backend.a.workspace);
    let ask = |_| backend.send("POST", path.clone(), cookie.clone(), json!({ "text": "When?" }));
    for answer in join_all((0..REQUESTS).map(ask)).await {
        assert_eq!((answer.status, answer.body["text"].as_str()), (200, Some("When? (from Opening hours)")));
    }
    let mut conn = backend.database.connect().await.unwrap();
    let stored: i64 = messages::table.count().get_result(&mut conn).await.unwrap();
    let seeded = 2;
    assert_eq!(usize::try_from(stored).unwrap() - seeded, 2 * REQUESTS);
}

#[tokio::test]
async fn a_job_of_the_workspace_is_done_by_the_worker_in_the_process() {
    let backend = Backend::start().await;
    let cookie = backend.log_in("admin@a.example", PASSWORD).await.cookie;
    let path = format!("{}/{}", Backend::documents(&backend.a), backend.a.document);
    for _ in 0..2 {
        assert_eq!(backend.send("POST", format!("{path}/summary"), cookie.clone(), Value::Null).await.status, 202);
    }
    let theirs = format!("{}/{}/summary", Backend::documents(&backend.a), backend.b.document);
    assert_eq!(backend.send("POST", theirs, cookie.clone(), Value::Null).await.status, 404);
    Worker::new(&backend.db).handle(super::jobs::summarize).drain().await.unwrap();
    let summarized = backend.send("GET", path, cookie, Value::Null).await;
    assert_eq!(summarized.body["summary"], "A document about opening hours.");
}

#[tokio::test]
async fn a_secret_sets_a_password_once() {
    let backend = Backend::start().await;
    let page = backend.send("GET", "/password".to_owned(), None, Value::Null).await;
    assert!(page.status == 200 && page.text.contains("location.hash"), "{}", page.text);
    let platform = PlatformScope::unchecked("a test");
    let secret = auth::reset_password(&backend.db, &platform, backend.a.admin_user).await.unwrap();
    let body = json!({ "secret": secret.expose(), "password": "a better one than that" });
    let set = backend.send("POST", "/password".to_owned(), None, body.clone()).await;
    assert_eq!(set.status, 204, "{}", set.text);
    let listed = backend.send("GET", Backend::documents(&backend.a), set.cookie, Value::Null).await;
    assert_eq!(listed.status, 200);
    assert_eq!(backend.send("POST", "/password".to_owned(), None, body).await.status, 401);
}

#[tokio::test]
async fn health_metrics_and_the_description_need_no_session() {
    let backend = Backend::start().await;
    let get = async |path: &str| backend.send("GET", path.to_owned(), None, Value::Null).await;
    assert_eq!(
        (get("/health").await.status, get("/ready").await.status, get("/metrics").await.status),
        (204, 204, 200)
    );
    let api = get("/openapi.json").await.body;
    let paths: Vec<&String> = api["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths.len(), 5, "{paths:?}");
    let change = &api["paths"]["/workspaces/{workspace}/documents/{document}"]["patch"];
    assert_eq!(change["parameters"].as_array().unwrap().len(), 2, "{change:#}");
}
