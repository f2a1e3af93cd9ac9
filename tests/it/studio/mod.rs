//! The studio over HTTP and in a browser: as one workspace, as the platform, and as somebody who should not be there.

mod browse;
mod browser;
mod conversations;
mod gate;
mod pages;
mod shell;
mod write;

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use workspace_db::config::Config;
use workspace_db::embeddings::FeatureHashing;
use workspace_db_studio::{Studio, StudioLinks, StudioOptions};
use workspace_db_testing::{SeededWorkspace, TestDatabase, seed};

/// A studio over a database of its own with two workspaces, and a browser that was let in.
struct Fixture {
    address: String,
    cookie: String,
    links: StudioLinks,
    a: SeededWorkspace,
    b: SeededWorkspace,
    conn: AsyncPgConnection,
    database: TestDatabase,
}

#[derive(Debug)]
struct HttpResponse {
    status: u16,
    body: String,
    headers: ureq::http::HeaderMap,
}

impl HttpResponse {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What stands between the first two of these.
    fn between(&self, before: &str, after: &str) -> &str {
        let found = self.body.find(before);
        assert!(found.is_some(), "{before:?} is not in {}", self.body);
        let from = found.unwrap() + before.len();
        let length = self.body[from..].find(after).unwrap();
        &self.body[from..from + length]
    }

    fn form_token(&self) -> &str {
        self.between("name=\"form_token\" value=\"", "\"")
    }
}

impl Fixture {
    async fn new(may_write: bool) -> Self {
        let database = TestDatabase::new().await.unwrap();
        let owner = database.url().unwrap();
        let mut conn = workspace_db::db::connect(&database.superuser_url().unwrap()).await.unwrap();
        let (a, b) = (seed(&mut conn, "a").await.unwrap(), seed(&mut conn, "b").await.unwrap());
        let listen = "127.0.0.1:0".parse().unwrap();
        let options = StudioOptions { listen, may_write, embedders: vec![Box::new(FeatureHashing)] };
        let config = Config { database_url: Some(owner), ..database.config().unwrap() };
        let studio = Studio::bind(&config, options).await.unwrap();
        let links = studio.links();
        tokio::spawn(studio.serve(std::future::pending()));
        let link = links.next();
        let address = link[..link.find("/enter").unwrap()].to_owned();
        let let_in = ask("GET", &link, &[], None).await;
        assert_eq!((let_in.status, let_in.header("location")), (303, "/"));
        let cookie = let_in.header("set-cookie").split(';').next().unwrap().to_owned();
        Self { address, cookie, links, a, b, conn, database }
    }

    async fn run(&mut self, sql: &str) {
        self.conn.batch_execute(sql).await.unwrap();
    }

    async fn get(&self, path: &str) -> HttpResponse {
        ask("GET", &format!("{}{path}", self.address), &[("cookie", &self.cookie)], None).await
    }

    /// As a form of the studio's own page would be sent.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> HttpResponse {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [
            ("cookie", self.cookie.as_str()),
            ("origin", self.address.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        ask("POST", &format!("{}{path}", self.address), &headers, Some(body)).await
    }
}

/// The address of a row of a tenant's table.
fn row(
    view: impl std::fmt::Display,
    table: &str,
    workspace: impl std::fmt::Display,
    id: impl std::fmt::Display,
) -> String {
    format!("/{view}/tables/{table}/row?k.workspace_id={workspace}&k.id={id}")
}

async fn ask(method: &'static str, url: &str, headers: &[(&str, &str)], body: Option<String>) -> HttpResponse {
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.unwrap_or_default()).unwrap();
    let asking = move || {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
        let mut response = agent.run(request).unwrap();
        let body = response.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        HttpResponse { status: response.status().as_u16(), headers: response.headers().clone(), body }
    };
    tokio::task::spawn_blocking(asking).await.unwrap()
}
