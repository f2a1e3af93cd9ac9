//! What can be told from the time, and what it costs others: measured alone on the machine, so in a binary of its own,
//! which `cargo test` runs after the other.
//!
//! **The rule of repetition.** A comparison holds where the medians are within its bound of each other. The sides are
//! interleaved in a random order, so that what else the machine does meets all of them. Where they are not within the
//! bound, as many attempts are added, nine times at most: chance goes with their number, and a real difference stays.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends by panicking"
)]

use std::net::Ipv4Addr;
use std::num::NonZero;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use secrecy::SecretString;
use tokio::sync::Mutex;
use workspace_db::auth::{self, ClientInfo, Token};
use workspace_db::models::{AdminUser, NewAdminUser};
use workspace_db::schema::{admin_users, documents};
use workspace_db::sql_types::{AdminRole, PasswordHash};
use workspace_db::tenancy::{Database, InWorkspace, PlatformScope, WorkspaceScope};
use workspace_db_testing::{TestDatabase, seed, workspace};

mod neighbour;

/// One at a time: these measure.
static ALONE: Mutex<()> = Mutex::const_new(());

const PASSWORD: &str = "correct horse battery staple";
const RUNS: usize = 10;

/// A client from an address of its own: those without one share what they may.
fn somewhere() -> ClientInfo {
    static NEXT: AtomicU32 = AtomicU32::new(0x0a00_0001);
    let address = Ipv4Addr::from_bits(NEXT.fetch_add(1, Ordering::Relaxed));
    ClientInfo { address: Some(address.into()), ..ClientInfo::default() }
}

/// Attempts of each kind; `WORKSPACE_DB_TIMING=2000` is the long run.
fn attempts() -> usize {
    std::env::var("WORKSPACE_DB_TIMING").ok().map_or(200, |text| text.parse().expect("WORKSPACE_DB_TIMING is a number"))
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The times of several sides, which must not tell them apart.
struct Comparison<const SIDES: usize> {
    names: [&'static str; SIDES],
    times: [Vec<Duration>; SIDES],
    rng: fastrand::Rng,
}

impl<const SIDES: usize> Comparison<SIDES> {
    fn new(names: [&'static str; SIDES]) -> Self {
        let seed = std::env::var("WORKSPACE_DB_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_126);
        println!("WORKSPACE_DB_SEED={seed}");
        Self { names, times: [const { Vec::new() }; SIDES], rng: fastrand::Rng::with_seed(seed) }
    }

    /// Adds so many attempts of each side, each of which must be refused; in a fresh order each time, so that none
    /// follows another more often than the rest do.
    async fn add<R>(&mut self, count: usize, mut attempt: impl AsyncFnMut(usize, usize) -> workspace_db::Result<R>) {
        for n in 0..count {
            let mut order: [usize; SIDES] = std::array::from_fn(|side| side);
            self.rng.shuffle(&mut order);
            for side in order {
                let began = Instant::now();
                let answer = attempt(side, n).await;
                self.times[side].push(began.elapsed());
                assert!(answer.err().unwrap().is_unauthenticated());
            }
        }
    }

    /// Whether the medians are within 2 % of each other; prints them.
    fn holds(&mut self) -> bool {
        let medians: Vec<_> = self.times.iter_mut().map(|times| median(times)).collect();
        for (name, median) in self.names.iter().zip(&medians) {
            println!("{name:<16} {median:?}");
        }
        let (least, peak) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
        let spread = peak.as_secs_f64() / least.as_secs_f64() - 1.0;
        println!("the medians of {} each are within {:.2} %", self.times[0].len(), spread * 100.0);
        spread <= 0.02
    }

    fn fail(&self) -> ! {
        panic!("the medians differ by more than 2 %, after {} attempts of each kind", self.times[0].len())
    }
}

async fn insert(conn: &mut AsyncPgConnection, emails: &[String], hash: &PasswordHash) {
    let rows: Vec<_> = emails.iter().map(|email| NewAdminUser::new(email.parse().unwrap(), hash.clone())).collect();
    diesel::insert_into(admin_users::table).values(&rows).execute(conn).await.unwrap();
}

#[tokio::test]
async fn the_time_of_a_refusal_does_not_tell_why() {
    let _alone = ALONE.lock().await;
    let kinds = ["unknown", "wrong", "locked", "disabled", "invited only"];
    let database = TestDatabase::new().await.unwrap();
    let mut conn = database.connect().await.unwrap();
    let db = database.open(2).await.unwrap();
    let hash = PasswordHash::from_password(&SecretString::from(PASSWORD)).unwrap();
    let space = workspace(&mut conn, "a").await.unwrap();
    let owner = WorkspaceScope::unchecked_administer(space.id, "a test");
    let operator = PlatformScope::unchecked("a test");
    let mut comparison = Comparison::new(kinds);
    for run in 1..=RUNS {
        let count = attempts();
        let emails = |kind: &str| -> Vec<String> {
            (0..count).map(|n| format!("{}{n}-{run}@example.com", kind.replace(' ', "-"))).collect()
        };
        let of_kind: Vec<Vec<String>> = kinds.iter().map(|kind| emails(kind)).collect();
        for stored in ["wrong", "locked", "disabled"] {
            insert(&mut conn, &emails(stored), &hash).await;
        }
        for email in &of_kind[3] {
            let admin: AdminUser =
                AdminUser::query().filter(admin_users::email.eq(email)).first(&mut conn).await.unwrap();
            auth::disable(&db, &operator, admin.id).await.unwrap();
        }
        for email in &of_kind[4] {
            auth::invite(&db, &owner, &email.parse().unwrap(), AdminRole::Admin).await.unwrap();
        }
        // Ten wrong ones fill an account's bucket.
        for email in &of_kind[2] {
            let key = workspace_db::sql_types::TokenHash::from_token(format!("account {email}").as_bytes());
            diesel::sql_query("INSERT INTO login_throttles (key, free_at) VALUES ($1, now() + interval '1 hour')")
                .bind::<diesel::sql_types::Bytea, _>(key)
                .execute(&mut conn)
                .await
                .unwrap();
        }
        comparison
            .add(count, async |kind, n| {
                // Of the locked and the disabled ones even the right password says nothing.
                let tried = if matches!(kind, 2 | 3) { PASSWORD } else { "a wrong password" };
                auth::log_in(&db, &of_kind[kind][n], &SecretString::from(tried), &somewhere()).await
            })
            .await;
        if comparison.holds() {
            return;
        }
    }
    comparison.fail();
}

#[tokio::test]
async fn the_time_of_a_lookup_does_not_tell_how_much_of_a_token_was_right() {
    let _alone = ALONE.lock().await;
    let database = TestDatabase::new().await.unwrap();
    let mut conn = database.connect().await.unwrap();
    let db = database.open(2).await.unwrap();
    let hash = PasswordHash::from_password(&SecretString::from(PASSWORD)).unwrap();
    insert(&mut conn, &["jane@example.com".to_owned()], &hash).await;
    let (_, token) = auth::log_in(&db, "jane@example.com", &PASSWORD.into(), &ClientInfo::default()).await.unwrap();
    let text = token.expose();
    // All of it but the last character, and none of it.
    let last = if text.ends_with('A') { "E" } else { "A" };
    let close: Token = format!("{}{last}", &text[..text.len() - 1]).parse().unwrap();
    let flipped: String = text[12..].chars().map(|c| if c == 'A' { 'Q' } else { 'A' }).collect();
    let far: Token = format!("wdb_session_{flipped}").parse().unwrap();
    let tokens = [close, far];
    let mut comparison = Comparison::new(["all but the end", "nothing"]);
    for _ in 1..=RUNS {
        comparison.add(attempts() * 10, async |kind, _| auth::session(&db, &tokens[kind], None).await).await;
        if comparison.holds() {
            return;
        }
    }
    comparison.fail();
}

/// The median time of a small query, asked until `done` or 300 times.
async fn median_query_time(db: &Database, scope: &WorkspaceScope, done: impl Fn() -> bool) -> Duration {
    let mut times = Vec::new();
    while !done() && times.len() < 300 {
        let began = Instant::now();
        let mut ws = db.workspace(scope).await.unwrap();
        let count: i64 = documents::table.in_workspace(scope).count().get_result(&mut ws).await.unwrap();
        assert_eq!(count, 1);
        times.push(began.elapsed());
    }
    assert!(times.len() >= 50, "only {} queries were asked meanwhile", times.len());
    median(&mut times)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_logins_at_once_take_turns_and_leave_others_their_time() {
    let _alone = ALONE.lock().await;
    let database = TestDatabase::new().await.unwrap();
    let mut conn = database.connect().await.unwrap();
    let seeded = seed(&mut conn, "a").await.unwrap();
    let db = database.open(4).await.unwrap();
    let scope = WorkspaceScope::unchecked(seeded.workspace, "a test");
    // The hash that unknown emails are compared with is made once a process.
    auth::log_in(&db, "nobody@example.com", &PASSWORD.into(), &ClientInfo::default()).await.unwrap_err();
    let limit = (std::thread::available_parallelism().map_or(1, NonZero::get) / 2).max(1);
    for run in 1..=RUNS {
        let alone = median_query_time(&db, &scope, || false).await;
        let before = resident_kib();
        let crowd: Vec<_> = (0..200)
            .map(|n| {
                // The logins of a service are not on the connections of its queries' pool.
                let db = db.clone();
                tokio::spawn(async move {
                    auth::log_in(&db, &format!("nobody{n}-{run}@example.com"), &PASSWORD.into(), &somewhere()).await
                })
            })
            .collect();
        let over = || crowd.iter().all(tokio::task::JoinHandle::is_finished);
        let meanwhile = median_query_time(&db, &scope, over).await;
        let mut peak = resident_kib();
        while !over() {
            peak = peak.max(resident_kib());
            tokio::task::yield_now().await;
        }
        for login in crowd {
            assert!(login.await.unwrap().unwrap_err().is_unauthenticated());
        }
        let (grown, bound) = (peak.saturating_sub(before) / 1024, 19 * limit as u64 + 24);
        let ratio = meanwhile.as_secs_f64() / alone.as_secs_f64();
        println!("run {run}: a query {alone:?} alone, {meanwhile:?} among 200 logins ({ratio:.2}); {grown} MiB more");
        // 200 hashes at once would be 3,800 MiB; 24 are for the tasks, their connections and the allocator.
        assert!(grown <= bound, "{grown} MiB for a limit of {limit} at once");
        if ratio <= 1.5 {
            return;
        }
    }
    panic!("in each of {RUNS} runs a query took more than half as long again");
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
}
