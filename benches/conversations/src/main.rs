//! `cargo run --release -p bench-conversations`, or with three numbers: messages of the long conversation, messages to search, and
//! pairs to export; 1,000,000, 1,000,000 and 20,000 by default.
//!
//! Sides alternate, and each figure is the median of five. The server of the tests doesn't wait for the disk (`fsync` is off),
//! so the figures are ratios and not rates of your server.

#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints and ends by panicking"
)]

mod export;
mod search;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio_postgres::Client;
use workspace_db::conversations::{
    AnswerFacts, AnswerStart, AnswerTimes, MessageInput, PageStart, append, begin_answer, conversation_page, history,
};
use workspace_db::db;
use workspace_db::id::ConversationId;
use workspace_db::models::{NewConversation, NewMessage};
use workspace_db::schema::{conversations, messages};
use workspace_db::sql_types::MessageRole;
use workspace_db::tenancy::{Database, InWorkspace as _, WorkspaceScope};
use workspace_db_testing::{TestDatabase, workspace};

const ROUNDS: usize = 5;
const APPENDERS: usize = 64;

struct Bench {
    db: Database,
    scope: WorkspaceScope,
    superuser: Client,
}

#[tokio::main]
async fn main() {
    let number =
        |at: usize, default: i64| std::env::args().nth(at).map_or(default, |text| text.parse().expect("a number"));
    let (long, searched, exported) = (number(1, 1_000_000), number(2, 1_000_000), number(3, 20_000));
    let database = TestDatabase::alone().await.expect("a server");
    let of = workspace(&mut database.connect().await.expect("connected"), "bench").await.expect("a workspace").id;
    let bench = Bench {
        db: database.open(16).await.expect("a database"),
        scope: WorkspaceScope::unchecked(of, "a benchmark"),
        superuser: db::client(&database.superuser_url().expect("a URL")).await.expect("a superuser"),
    };
    println!("| | |\n|---|---|");
    bench.appends_to_one().await;
    bench.appends_to_many().await;
    bench.wal_of_an_answer().await;
    bench.chain().await;
    export::run(&bench.db, &bench.scope, &bench.superuser, exported).await;
    bench.pages(long).await;
    search::run(&bench.db, &bench.superuser, searched).await;
}

impl Bench {
    async fn conversation(&self) -> ConversationId {
        let new = NewConversation::default();
        let mut ws = self.db.workspace(&self.scope).await.expect("lent");
        conversations::table.in_workspace(&ws).insert(&new).execute(&mut ws).await.expect("inserted");
        new.id
    }

    /// 64 appenders, one conversation, a fifth of the messages sent twice.
    async fn appends_to_one(&self) {
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            let talk = self.conversation().await;
            let began = Instant::now();
            join_all((0..APPENDERS).map(async |appender| {
                for number in 0..100 {
                    let number = if number % 5 == 4 { number - 1 } else { number };
                    let id = format!("{appender}/{number}");
                    let message = MessageInput::user(format!("message {id}")).client_id(id);
                    let mut ws = self.db.workspace(&self.scope).await.expect("lent");
                    append(&mut ws, talk, &message).await.expect("appended");
                }
            }))
            .await;
            rates.push((APPENDERS * 100) as f64 / began.elapsed().as_secs_f64());
        }
        println!("| appends to one conversation, 64 appenders, 20 % repeated | {:.0} per second |", median(rates));
    }

    /// One connection for each of eight writers, 125 conversations each, in turns with plain inserts into the same table.
    async fn appends_to_many(&self) {
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(self.write_to_many(true).await);
            plain.push(self.write_to_many(false).await);
        }
        let (ours, plain) = (median(ours), median(plain));
        println!("| appends to 1,000 conversations, 8 connections | {ours:.0} per second |");
        println!("| plain inserts into the same table | {plain:.0} per second, ratio {:.2} |", ours / plain);
    }

    async fn write_to_many(&self, appends: bool) -> f64 {
        let talks = join_all((0..1_000).map(|_| self.conversation())).await;
        let began = Instant::now();
        join_all(talks.chunks(125).map(async |talks| {
            let mut ws = self.db.workspace(&self.scope).await.expect("lent");
            for number in 0..5 {
                for talk in talks {
                    let text = format!("message {number}");
                    if appends {
                        append(&mut ws, *talk, &MessageInput::user(text)).await.expect("appended");
                    } else {
                        let new = NewMessage::new(*talk, MessageRole::User, text);
                        messages::table.in_workspace(&ws).insert(&new).execute(&mut ws).await.expect("inserted");
                    }
                }
            }
        }))
        .await;
        5_000.0 / began.elapsed().as_secs_f64()
    }

    /// 4,000 tokens at 50 a second, so 80 flushes, against an update of the row for each flush.
    async fn wal_of_an_answer(&self) {
        let token = |number: usize| format!("word{} ", number * 7_919 % 1_000);
        let text: String = (0..4_000).map(token).collect();
        let (mut ours, mut by_update) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let talk = self.conversation().await;
            let before = self.lsn().await;
            let answer = MessageInput::answer();
            let start = begin_answer(&self.db, &self.scope, talk, &answer, AnswerTimes::default()).await;
            let AnswerStart::New(mut writer) = start.expect("begun") else { unreachable!("a new conversation") };
            for number in 0..4_000 {
                writer.push(&token(number)).await.expect("pushed");
                if number % 50 == 49 {
                    writer.flush().await.expect("flushed");
                }
            }
            writer.complete(&AnswerFacts::default()).await.expect("complete");
            let between = self.lsn().await;
            let new = NewMessage::new(talk, MessageRole::Assistant, "");
            let mut ws = self.db.workspace(&self.scope).await.expect("lent");
            messages::table.in_workspace(&ws).insert(&new).execute(&mut ws).await.expect("inserted");
            let mut sofar = String::new();
            for number in 0..4_000 {
                sofar.push_str(&token(number));
                if number % 50 == 49 {
                    let update = "UPDATE messages SET content = $1 WHERE workspace_id = $2 AND id = $3";
                    let (of, id) = (self.scope.workspace(), new.id);
                    self.superuser.execute(update, &[&sofar, of.as_uuid(), id.as_uuid()]).await.expect("updated");
                }
            }
            by_update.push((self.lsn().await - between) as f64 / text.len() as f64);
            ours.push((between - before) as f64 / text.len() as f64);
        }
        println!(
            "| WAL of an answer of 4,000 tokens ({} bytes), 80 flushes | {:.1} times its text |",
            text.len(),
            median(ours)
        );
        println!("| the same by an update for each flush | {:.1} times its text |", median(by_update));
    }

    async fn lsn(&self) -> i64 {
        let query = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";
        self.superuser.query_one(query, &[]).await.expect("a position").get(0)
    }

    async fn chain(&self) {
        let talk = self.conversation().await;
        let mut ws = self.db.workspace(&self.scope).await.expect("lent");
        for number in 0..1_000 {
            append(&mut ws, talk, &MessageInput::user(format!("message {number}"))).await.expect("appended");
        }
        let mut millis = Vec::new();
        for _ in 0..50 {
            let began = Instant::now();
            assert_eq!(history(&mut ws, talk, 1_000).await.expect("a history").len(), 1_000);
            millis.push(ms(began.elapsed()));
        }
        println!("| history of 1,000 parents | {:.1} ms |", median(millis));
    }

    async fn pages(&self, long: i64) {
        let talk = self.conversation().await;
        self.fill(talk, long).await;
        let mut ws = self.db.workspace(&self.scope).await.expect("lent");
        let newest = conversation_page(&mut ws, talk, PageStart::Newest, 50).await.expect("a page");
        let middle = newest.messages.first().expect("a message").message.id;
        for (name, start) in
            [("first", PageStart::Oldest), ("last", PageStart::Newest), ("last but one", PageStart::Before(middle))]
        {
            let mut millis = Vec::new();
            for _ in 0..50 {
                let began = Instant::now();
                conversation_page(&mut ws, talk, start, 50).await.expect("a page");
                millis.push(ms(began.elapsed()));
            }
            let buffers = self.buffers(talk, start).await;
            println!("| {name} page of 50 of {long} messages | {:.1} ms, {buffers} buffers |", median(millis));
        }
    }

    async fn fill(&self, talk: ConversationId, count: i64) {
        let insert = format!(
            "INSERT INTO messages (workspace_id, conversation_id, id, role, content, seq, parent_id, created_at)
             SELECT '{workspace}', '{talk}', md5('{talk}' || n)::uuid, 'user', 'message ' || n, n,
                 CASE WHEN n > 1 THEN md5('{talk}' || (n - 1))::uuid END, '2026-01-01'::timestamptz + n * interval '1 s'
             FROM generate_series(1, {count}) AS n;
             UPDATE conversations SET last_seq = {count} WHERE id = '{talk}'; ANALYZE messages",
            workspace = self.scope.workspace()
        );
        self.superuser.batch_execute(&insert).await.expect("filled");
    }

    async fn buffers(&self, talk: ConversationId, start: PageStart) -> i64 {
        let (is_forward, cursor) = match start {
            PageStart::Oldest => (true, "NULL".to_owned()),
            PageStart::Before(id) => (false, format!("'{id}'")),
            _ => (false, "NULL".to_owned()),
        };
        let explain = format!(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM
             workspace_db_conversation_page('{}', '{talk}', {is_forward}, {cursor}, 50)",
            self.scope.workspace()
        );
        // Once before, because the first call of a session also reads the catalog.
        self.superuser.simple_query(&explain).await.expect("explained");
        let rows = self.superuser.simple_query(&explain).await.expect("explained");
        let text = rows.iter().find_map(|row| match row {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        let plan = text.expect("a plan");
        let buffers = |key: &str| {
            let rest = plan.split(&format!("\"{key}\": ")).nth(1).expect("buffers");
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<i64>().expect("a number")
        };
        buffers("Shared Hit Blocks") + buffers("Shared Read Blocks")
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
