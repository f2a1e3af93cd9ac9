//! Connections and pools: TLS that verifies, and a pool that stays healthy.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use diesel_async::SimpleAsyncConnection as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rstest::rstest;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use workspace_db::config::{Config, DatabaseUrl};
use workspace_db::db;
use workspace_db::tenancy::Database;
use workspace_db_testing::TestDatabase;

use crate::folder::Folder;

/// What stands before a managed database: it ends TLS for `name` and hands the rest to the server behind it.
struct TlsFront {
    port: u16,
    folder: Folder,
}

impl TlsFront {
    async fn before(database: &DatabaseUrl, name: &str) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let folder = Folder::new();
        folder.write("ca.pem", authority.pem());
        folder.write("not.pem", "no certificate");

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = database.libpq_environment().into_iter().find(|(name, _)| *name == "PGPORT").unwrap().1;
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (acceptor, server) = (acceptor.clone(), server.clone());
                tokio::spawn(async move {
                    // The 8 bytes of SSLRequest; a client that is content without TLS sends something longer.
                    let mut request = [0; 8];
                    client.read_exact(&mut request).await.unwrap();
                    assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47], "the client did not ask for TLS");
                    client.write_all(b"S").await.unwrap();
                    // A client that does not like the certificate hangs up.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let mut server = TcpStream::connect(format!("127.0.0.1:{server}")).await.unwrap();
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { port, folder }
    }

    fn url(&self, database: &DatabaseUrl, parameters: &str) -> DatabaseUrl {
        let url = database.expose().split_once('@').unwrap();
        let name = url.1.split_once('/').unwrap().1;
        let parameters = parameters.replace("{folder}", &self.folder.path().display().to_string());
        format!("{}@localhost:{}/{name}?{parameters}", url.0, self.port).parse().unwrap()
    }
}

#[rstest]
#[case::require("sslmode=require&sslrootcert={folder}/ca.pem")]
#[case::verify_full("sslmode=verify-full&sslrootcert={folder}/ca.pem&application_name=a%20b")]
#[tokio::test]
async fn tls_with_the_right_authority_and_name_connects(#[case] parameters: &str) {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let front = TlsFront::before(&url, "localhost").await;
    let mut conn = db::connect(&front.url(&url, parameters)).await.unwrap();
    conn.batch_execute("SELECT count(*) FROM workspaces").await.unwrap();
}

#[rstest]
#[case::an_authority_that_is_not_public("localhost", "sslmode=require", "UnknownIssuer")]
#[case::another_name("db.example.com", "sslmode=require&sslrootcert={folder}/ca.pem", "not valid for name")]
#[tokio::test]
async fn tls_that_can_not_be_verified_is_refused(#[case] name: &str, #[case] parameters: &str, #[case] says: &str) {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let front = TlsFront::before(&url, name).await;
    let error = db::connect(&front.url(&url, parameters)).await.err().unwrap();
    assert!(error.is_unreachable() && error.to_string().contains(says), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_required() {
    let database = TestDatabase::new().await.unwrap();
    let url: DatabaseUrl = format!("{}?sslmode=require", database.url().unwrap().expose()).parse().unwrap();
    let error = db::connect(&url).await.err().unwrap();
    assert!(error.is_unreachable() && error.to_string().contains("TLS"), "{error}");
}

/// An address goes before the name beside it, so a name of this machine does not make the way safe.
#[tokio::test]
async fn an_address_elsewhere_is_not_plain_because_the_name_is_here() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let front = TlsFront::before(&url, "localhost").await;
    // 0.0.0.0 leads to this machine and is none of its loopback addresses.
    let elsewhere = front.url(&url, "hostaddr=0.0.0.0");
    let error = db::connect(&elsewhere).await.err().unwrap();
    assert!(error.to_string().contains("UnknownIssuer"), "it was tried without TLS: {error}");
}

#[tokio::test]
async fn a_root_file_without_certificates_is_bad_input() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let front = TlsFront::before(&url, "localhost").await;
    for file in ["not.pem", "gone.pem"] {
        let parameters = format!("sslmode=require&sslrootcert={{folder}}/{file}");
        let error = db::connect(&front.url(&url, &parameters)).await.err().unwrap();
        assert!(error.is_invalid_input() && error.to_string().contains(file), "{error}");
    }
    assert!(fs::exists(front.folder.path().join("not.pem")).unwrap());
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_database_are_unreachable() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let wrong: DatabaseUrl = url.expose().replacen('@', "x@", 1).parse().unwrap();
    let error = db::connect(&wrong).await.err().unwrap();
    assert!(error.is_unreachable() && error.to_string().contains("password authentication failed"), "{error}");
    let error = db::connect(&url.with_database("nowhere")).await.err().unwrap();
    assert!(error.is_unreachable() && error.to_string().contains("\"nowhere\" does not exist"), "{error}");
}

#[tokio::test]
async fn a_pool_of_none_is_refused_and_one_without_a_server_is_unreachable() {
    let database = TestDatabase::new().await.unwrap();
    assert!(database.open(0).await.unwrap_err().is_invalid_input());
    let url = "postgres://me@127.0.0.1:1/x".parse().unwrap();
    let error = Database::open(&Config { database_url: Some(url), ..Config::default() }).await.unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    let error = Database::open(&Config::default()).await.unwrap_err();
    assert!(error.is_missing_prerequisite(), "{error}");
}

/// A server that asks for the password in the way of `question`, and then tells what the client said to that.
async fn fake_server(question: &'static [u8]) -> (u16, oneshot::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (tell, received) = oneshot::channel();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let length = client.read_u32().await.unwrap();
        let mut startup = vec![0; length as usize - 4];
        client.read_exact(&mut startup).await.unwrap();
        // A byte at a time, since a stream has no messages.
        for byte in question {
            // A client that has read enough hangs up before the last.
            let _ = client.write_all(&[*byte]).await;
            tokio::task::yield_now().await;
        }
        let mut answer = Vec::new();
        // The password's message ends here in the test with TLS; without TLS the client hangs up.
        let _ = client.read_buf(&mut answer).await;
        tell.send(answer).unwrap();
    });
    (port, received)
}

const CLEARTEXT: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
const MD5: &[u8] = b"R\0\0\0\x0c\0\0\0\x05salt";

#[rstest]
#[case::in_clear_text(CLEARTEXT, "in cleartext")]
#[case::by_md5(MD5, "as an MD5 hash")]
#[tokio::test]
async fn a_password_is_not_given_to_who_asks_for_it_without_tls(#[case] question: &'static [u8], #[case] says: &str) {
    let places = [
        ("127.0.0.1", ""),
        ("localhost", "?sslmode=prefer"),
        ("db.example.com", "?hostaddr=127.0.0.1&sslmode=disable"),
        ("", "?hostaddr=127.0.0.1"),
    ];
    for (host, parameters) in places {
        let (port, received) = fake_server(question).await;
        let url = match host {
            "" => format!("postgres:///x{parameters}&port={port}&user=me&password=S3CRETPW"),
            _ => format!("postgres://me:S3CRETPW@{host}:{port}/x{parameters}"),
        };
        let url: DatabaseUrl = url.parse().unwrap();
        let error = db::connect(&url).await.err().unwrap();
        assert!(error.is_unreachable() && error.to_string().contains(says), "{error}");
        assert_eq!(received.await.unwrap(), b"", "{url}: something was said to the server");
    }
}

#[tokio::test]
async fn a_password_is_given_over_verified_tls() {
    let (port, received) = fake_server(CLEARTEXT).await;
    let url: DatabaseUrl = format!("postgres://me:S3CRETPW@127.0.0.1:{port}/x").parse().unwrap();
    let front = TlsFront::before(&url, "localhost").await;
    let _ = db::connect(&front.url(&url, "sslmode=require&sslrootcert={folder}/ca.pem")).await;
    let answer = received.await.unwrap();
    assert!(answer.starts_with(b"p") && String::from_utf8_lossy(&answer).contains("S3CRETPW"), "{answer:?}");
}

#[tokio::test]
async fn a_password_is_not_given_where_any_account_may_listen() {
    let folder = Folder::new();
    let path = folder.path().display().to_string();
    let url =
        |user: &str| -> DatabaseUrl { format!("postgres://{user}@{}/x", path.replace('/', "%2F")).parse().unwrap() };
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let error = db::connect(&url("me:S3CRETPW")).await.err().unwrap();
    assert!(error.is_invalid_input() && error.to_string().contains(&path), "{error}");
    assert!(!error.to_string().contains("S3CRETPW"), "{error}");
    // Without a password, and in a folder that its owner alone may write, it is tried; nobody listens there.
    assert!(db::connect(&url("me")).await.err().unwrap().is_unreachable());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(db::connect(&url("me:S3CRETPW")).await.err().unwrap().is_unreachable());
}
