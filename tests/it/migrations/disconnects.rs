//! A deployer whose connection is cut at every statement of every migration.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diesel::dsl::sql;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::AsyncPgConnection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use workspace_db::db::catalog::Catalog;

use super::*;

/// Stands between a deployer and the server, and hangs up on both right after it has handed on so many requests: the server
/// is at work on the last one, and nobody is there for its answer.
struct ConnectionCutter {
    port: u16,
    after: Arc<AtomicUsize>,
    seen: Arc<AtomicUsize>,
}

impl ConnectionCutter {
    async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scissors =
            Self { port: listener.local_addr().unwrap().port(), after: Arc::default(), seen: Arc::default() };
        let (after, seen) = (Arc::clone(&scissors.after), Arc::clone(&scissors.seen));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let (from_client, mut to_client) = client.into_split();
                let (mut from_server, to_server) = server.into_split();
                let answers = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
                hand_on(from_client, to_server, &after, &seen).await;
                answers.abort();
            }
        });
        scissors
    }
}

/// Hands on whole messages; a request is a simple query, or the end of an extended one.
async fn hand_on(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, after: &AtomicUsize, seen: &AtomicUsize) {
    let mut has_begun = false;
    loop {
        // The first message has no type.
        let mut head = vec![0; if has_begun { 5 } else { 4 }];
        if client.read_exact(&mut head).await.is_err() {
            return;
        }
        let length = u32::from_be_bytes(*head.last_chunk().unwrap());
        let mut body = vec![0; length as usize - 4];
        if client.read_exact(&mut body).await.is_err() {
            return;
        }
        let is_request = has_begun && [b'Q', b'S'].contains(&head[0]);
        has_begun = true;
        if server.write_all(&[head, body].concat()).await.is_err() {
            return;
        }
        if is_request && seen.fetch_add(1, Ordering::SeqCst) + 1 == after.load(Ordering::SeqCst) {
            return;
        }
    }
}

async fn applied(conn: &mut AsyncPgConnection) -> usize {
    let exists = diesel::select(sql::<Bool>("to_regclass('__diesel_schema_migrations') IS NOT NULL"));
    if !diesel_async::RunQueryDsl::get_result::<bool>(exists, conn).await.unwrap() {
        return 0;
    }
    let count = diesel::select(sql::<BigInt>(
        "(SELECT count(*) FROM __diesel_schema_migrations AS m WHERE to_jsonb(m) ->> 'checksum' IS NOT NULL)",
    ));
    diesel_async::RunQueryDsl::get_result::<i64>(count, conn).await.unwrap().try_into().unwrap()
}

#[tokio::test]
async fn a_deployer_that_is_cut_off_at_any_statement_is_gone_on_with() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let url = database.url().unwrap();
    let scissors = ConnectionCutter::before(database.port()).await;
    let through = url.expose().replace(&format!(":{}/", database.port()), &format!(":{}/", scissors.port));
    let through: DatabaseUrl = through.parse().unwrap();
    let mut watcher = connect(&database.superuser_url().unwrap()).await.unwrap();
    let alone = format!(
        "SELECT count(*) = 0 AS met FROM pg_stat_activity WHERE datname = current_database() AND usename = '{}'",
        url.expose().split(['/', ':', '@']).nth(3).unwrap()
    );
    let all = migrator(&url).migrations().count();
    let (mut done, mut after, mut cuts) = (0, 1, 0);
    while done < all {
        scissors.after.store(after, Ordering::SeqCst);
        scissors.seen.store(0, Ordering::SeqCst);
        // Of one migration at a time, so that each is cut by itself.
        let result = only(&through, done + 1).run(|_| ()).await;
        until(&mut watcher, &alone).await;
        let now = applied(&mut watcher).await;
        assert!(now == done || now == done + 1, "{now} of {done} migrations after a cut");
        match result {
            Ok(_) => assert_eq!(now, done + 1),
            Err(error) => {
                cuts += 1;
                assert!(error.is_unreachable(), "{error:?}");
            }
        }
        // What was cut while its COMMIT was on the way may be there; then the next one is cut from its beginning.
        after = match (now > done, is_long()) {
            (true, _) => 1,
            (false, true) => after + 1,
            (false, false) => after * 2,
        };
        done = now;
    }
    let statements: usize = migrator(&url).migrations().map(|one| one.statements().len()).sum();
    let least = if is_long() { statements } else { 3 * all };
    assert!(cuts > least, "only {cuts} cuts, in {all} migrations of {statements} statements");
    assert_eq!(Catalog::expected().drift(&Catalog::read(&url).await.unwrap()), []);
    assert_eq!(run(&url).await, [""; 0]);
}
