//! Who is answered.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use workspace_db::embeddings::FeatureHashing;
use workspace_db_studio::{Studio, StudioOptions};
use workspace_db_testing::TestDatabase;

use super::{Fixture, ask, row};

#[tokio::test]
async fn a_link_lets_one_browser_in() {
    let fixture = Fixture::new(false).await;
    let link = fixture.links.next();
    assert_eq!(ask("GET", &link, &[], None).await.status, 303);
    let again = ask("GET", &link, &[], None).await;
    assert_eq!((again.status, again.header("set-cookie")), (401, ""), "it was used");
    assert_eq!(ask("GET", &format!("{}/enter?token=", fixture.address), &[], None).await.status, 401);
    let cookie = ask("GET", &fixture.links.next(), &[], None).await;
    let cookie = cookie.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
}

#[tokio::test]
async fn nobody_else_is_answered() {
    let fixture = Fixture::new(true).await;
    let a = fixture.a.workspace;
    let paths = [
        "/".to_owned(),
        format!("/{a}/tables"),
        row(a, "documents", a, fixture.a.document),
        "/platform/audit".to_owned(),
        "/no".to_owned(),
    ];
    for path in paths {
        let url = format!("{}{path}", fixture.address);
        let without = ask("GET", &url, &[], None).await;
        assert_eq!(without.status, 401, "{path}");
        assert!(!without.body.contains("Opening hours"), "{path}");
        let wrong = fixture.cookie.replace(['a', '1'], "0");
        assert_eq!(ask("GET", &url, &[("cookie", &wrong)], None).await.status, 401, "{path}");
        // A page of another site whose name was made to resolve to loopback.
        for host in ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", ""] {
            let said = ask("GET", &url, &[("cookie", &fixture.cookie), ("host", host)], None).await;
            assert!([400, 403].contains(&said.status), "{path} as {host:?}: {}", said.status);
        }
        let from = [("cookie", fixture.cookie.as_str()), ("origin", "https://evil.example")];
        assert_eq!(ask("GET", &url, &from, None).await.status, 403, "{path}");
    }
    let port = fixture.address.rsplit(':').next().unwrap();
    let by_name = ask(
        "GET",
        &format!("http://127.0.0.1:{port}/"),
        &[("cookie", &fixture.cookie), ("host", &format!("localhost:{port}"))],
        None,
    )
    .await;
    assert_eq!(by_name.status, 200);
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let fixture = Fixture::new(true).await;
    let (a, job) = (fixture.a.workspace, fixture.a.job);
    let form = fixture.get(&format!("/{a}/jobs/{job}")).await;
    let token = form.form_token().to_owned();
    let posts = [
        format!("/{a}/jobs/{job}/cancel"),
        format!("/{a}/jobs/{job}/retry"),
        format!("/{a}/tables/documents/new"),
        row(a, "documents", a, fixture.a.document).replace("/row?", "/edit?"),
        row(a, "documents", a, fixture.a.document).replace("/row?", "/delete?"),
        format!("/{a}/undo"),
    ];
    for path in posts {
        let url = format!("{}{path}", fixture.address);
        let send = async |origin: Option<&str>, kind: &str, body: String| {
            let mut headers = vec![("cookie", fixture.cookie.as_str()), ("content-type", kind)];
            headers.extend(origin.map(|origin| ("origin", origin)));
            ask("POST", &url, &headers, Some(body)).await.status
        };
        let (form, own) = ("application/x-www-form-urlencoded", Some(fixture.address.as_str()));
        assert_eq!(send(None, form, format!("form_token={token}")).await, 403, "{path} without an origin");
        assert_eq!(send(Some("null"), form, format!("form_token={token}")).await, 403, "{path} of a sandbox");
        assert_eq!(send(Some("https://evil.example"), form, format!("form_token={token}")).await, 403, "{path}");
        assert_eq!(send(own, form, String::new()).await, 403, "{path} without the token");
        assert_eq!(send(own, form, "form_token=0".to_owned()).await, 403, "{path} with a wrong token");
        assert_eq!(send(own, "text/plain", format!("form_token={token}")).await, 403, "{path} as another kind");
    }
    assert!(fixture.get(&format!("/{a}/jobs/{job}")).await.body.contains("status queued"));
}

#[tokio::test]
async fn a_page_may_load_nothing_from_elsewhere_and_stand_in_no_frame() {
    let fixture = Fixture::new(false).await;
    let asset = fixture.get("/").await.between("<script src=\"", "\"").to_owned();
    for path in ["/", "/platform/tables", "/nothing", asset.as_str()] {
        let said = fixture.get(path).await;
        let policy = said.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(said.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(said.header("x-frame-options"), "DENY", "{path}");
    }
    assert_eq!(fixture.get("/platform/tables").await.header("cache-control"), "no-store");
    let page = fixture.get("/platform/tables").await.body;
    assert!(!page.contains(" style=") && !page.contains(" onclick") && !page.contains("//cdn"), "{page}");
}

#[tokio::test]
async fn it_listens_on_loopback_alone() {
    let database = TestDatabase::new().await.unwrap();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let options = StudioOptions {
            listen: listen.parse().unwrap(),
            may_write: false,
            embedders: vec![Box::new(FeatureHashing)],
        };
        let error = Studio::bind(&database.config().unwrap(), options).await.unwrap_err();
        assert!(error.is_invalid_input() && error.to_string().contains("ssh -L"), "{listen}: {error}");
    }
    let options = |listen: String| StudioOptions {
        listen: listen.parse().unwrap(),
        may_write: false,
        embedders: vec![Box::new(FeatureHashing)],
    };
    let first = Studio::bind(&database.config().unwrap(), options("127.0.0.1:0".to_owned())).await.unwrap();
    let taken = first.link()["http://".len()..].split('/').next().unwrap().to_owned();
    let error = Studio::bind(&database.config().unwrap(), options(taken)).await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("--port"), "{error}");
}

#[tokio::test]
async fn half_requests_are_cut_and_keep_nobody_waiting() {
    let fixture = Fixture::new(false).await;
    let address = fixture.address.strip_prefix("http://").unwrap();
    let mut halves = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let half: &[u8] = if number % 2 == 0 { b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow:" } else { b"" };
        // One that was cut meanwhile takes no more.
        let _ = stream.write_all(half).await;
        halves.push(stream);
    }
    let answered = tokio::time::timeout(Duration::from_secs(5), fixture.get("/")).await.expect("nobody was answered");
    assert_eq!(answered.status, 200);
    let all_are_cut = async {
        for mut half in halves {
            let _ = half.read_to_end(&mut Vec::new()).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_are_cut).await.expect("a half request is still open");
}
