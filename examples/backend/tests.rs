//! Tests of the backend over HTTP, with a real server and a real database.

use std::net::SocketAddr;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use secrecy::SecretString;
use serde_json::{Value, json};
use workspace_db::schema::{admin_tokens, admin_users};
use workspace_db::sql_types::PasswordHash;
use workspace_db_testing::{SeededWorkspace, TestDatabase, seed};

const PASSWORD: &str = "correct horse battery staple";

/// A server on its own port, with its own database and two workspaces.
struct Backend {
    address: SocketAddr,
    a: SeededWorkspace,
    b: SeededWorkspace,
    database: TestDatabase,
}

struct HttpResponse {
    status: u16,
    cookie: Option<String>,
    body: Value,
}

impl Backend {
    async fn start() -> Self {
        let database = TestDatabase::new().await.unwrap();
        let mut conn = database.connect().await.unwrap();
        let (a, b) = (seed(&mut conn, "a").await.unwrap(), seed(&mut conn, "b").await.unwrap());
        let hash = PasswordHash::from_password(&SecretString::from(PASSWORD)).unwrap();
        let set = diesel::update(admin_users::table).set(admin_users::password_hash.eq(hash));
        set.execute(&mut conn).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = super::routes(database.open(4).await.unwrap());
        tokio::spawn(
            async move { axum::serve(listener, routes.into_make_service_with_connect_info::<SocketAddr>()).await },
        );
        Self { address, a, b, database }
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
            HttpResponse {
                status: response.status().as_u16(),
                cookie: set.map(|set| set["session=".len()..set.find(';').unwrap()].to_owned()),
                body: serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap_or_default(),
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
    assert_eq!((listed.status, listed.body.as_array().unwrap().len()), (200, 2));
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
    assert_eq!(left.body.as_array().unwrap().len(), 1);
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
