//! The chat over HTTP, as its own process, which is killed in the midst of an answer.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test ends by panicking")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use diesel::ExpressionMethods as _;
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use serde_json::{Value, json};
use workspace_db::embeddings::{Embedder as _, FeatureHashing};
use workspace_db::schema::document_chunks;
use workspace_db_testing::{TestDatabase, seed};

const DEADLINE: Duration = Duration::from_secs(90);

struct Chat {
    child: Child,
    url: String,
}

impl Chat {
    fn start(database: &TestDatabase, pause_ms: u32) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chat"))
            .env("DATABASE_URL", database.url().unwrap().expose())
            .env("DATABASE_APP_URL", database.app_url().unwrap().expose())
            .env("DATABASE_PLATFORM_URL", database.platform_url().unwrap().expose())
            .env("PORT", "0")
            .env("CHAT_STUB_PAUSE_MS", pause_ms.to_string())
            .env_remove("CHAT_URL")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.map(Result::unwrap).find(|line| line.starts_with("chat at ")).unwrap();
        let (url, _sample) = line.trim_start_matches("chat at ").rsplit_once('/').unwrap();
        Self { child, url: url.to_owned() }
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Box<dyn Iterator<Item = Value> + Send>) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let response = agent.post(format!("{}{path}", self.url)).send_json(body).unwrap();
        let status = response.status().as_u16();
        let lines = BufReader::new(response.into_body().into_reader()).lines();
        (status, Box::new(lines.map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok())))
    }

    fn ask(&self, id: &str, text: &str) -> Vec<Value> {
        let (status, lines) = self.post("/a/messages", &json!({ "visitor": "jane", "id": id, "text": text }));
        let lines: Vec<Value> = lines.collect();
        assert_eq!(status, 200, "{lines:?}");
        lines
    }

    fn messages(&self) -> Vec<Value> {
        let mut response = ureq::get(format!("{}/a/messages?visitor=jane", self.url)).call().unwrap();
        response.body_mut().read_json::<Value>().unwrap()["messages"].as_array().unwrap().clone()
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn published() -> (TestDatabase, AsyncPgConnection) {
    let database = TestDatabase::new().await.unwrap();
    let mut conn = database.connect().await.unwrap();
    seed(&mut conn, "a").await.unwrap();
    seed(&mut conn, "b").await.unwrap();
    // The chat embeds questions by hashed words, and so must the passages be.
    let vector = FeatureHashing::vector("We are open from nine to five.").unwrap();
    let hashed = (document_chunks::vector.eq(vector), document_chunks::embedding_model.eq(FeatureHashing.model()));
    diesel::update(document_chunks::table).set(hashed).execute(&mut conn).await.unwrap();
    let publish = "UPDATE workspaces SET is_published = true WHERE slug = 'a'";
    diesel::sql_query(publish).execute(&mut conn).await.unwrap();
    (database, conn)
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}

async fn count(conn: &mut AsyncPgConnection, of: &str) -> i64 {
    diesel::sql_query(format!("SELECT count(*) AS count FROM {of}")).get_result::<Count>(conn).await.unwrap().count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_asks_and_judges() {
    let (database, mut conn) = published().await;
    let chat = Chat::start(&database, 1);
    let answer = chat.ask("q1", "When are you open?");
    assert_eq!(answer[0]["sources"], json!(["Opening hours"]));
    let text: String = answer.iter().filter_map(|line| line["part"].as_str()).collect();
    assert!(text.contains("from nine to five") && text.ends_with("[1]"), "{text}");
    let end = answer.last().unwrap();
    assert_eq!(end["state"], "complete");

    let stored = chat.messages();
    assert_eq!(stored.len(), 2, "{stored:?}");
    let message = &stored[1]["message"];
    assert_eq!((&message["content"], &message["id"]), (&json!(text), &end["message"]));
    assert!(message["tokens"].as_i64() > Some(0) && message["confidence"].is_number(), "{message}");
    let source = &stored[1]["sources"][0];
    assert_eq!(
        (&source["citation"], &source["title"], &source["is_gone"]),
        (&json!(1), &json!("Opening hours"), &json!(false))
    );
    // Sent again, it is the same question with the same answer.
    assert_eq!(chat.ask("q1", "When are you open?"), [json!({ "message": end["message"], "state": "complete" })]);
    assert_eq!(chat.messages().len(), 2);

    let judge = |visitor: &str| json!({ "visitor": visitor, "message": end["message"], "good": false });
    assert_eq!(chat.post("/a/feedback", &judge("jane")).0, 204);
    assert_eq!(chat.post("/a/feedback", &judge("mallory")).0, 422, "it is not mallory's conversation");
    assert_eq!(chat.messages()[1]["feedback"][0]["score"], -1);

    let nothing = chat.ask("q2", "zzzzqqq");
    let said: String = nothing.iter().filter_map(|line| line["part"].as_str()).collect();
    assert_eq!(said, "I found nothing about that.");
    assert_eq!(count(&mut conn, "analytics_events WHERE event_type = 'question.unanswered'").await, 1);
    assert_eq!(chat.messages()[3]["message"]["needs_review"], true);
    let hidden = json!({ "visitor": "jane", "id": "q3", "text": "When?" });
    assert_eq!(chat.post("/b/messages", &hidden).0, 404, "b is not published");
    assert_eq!(chat.post("/a/messages", &json!({ "visitor": "jane", "id": "q4", "text": " " })).0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_survives_the_death_of_its_process() {
    let (database, mut conn) = published().await;
    let mut chat = Chat::start(&database, 300);
    let asked = json!({ "visitor": "jane", "id": "q1", "text": "When are you open?" });
    let (_, mut lines) = chat.post("/a/messages", &asked);
    let first = lines.find_map(|line| line["part"].as_str().map(str::to_owned)).unwrap();
    let began = Instant::now();
    while count(&mut conn, "message_deltas WHERE content LIKE 'Opening%'").await == 0 {
        assert!(began.elapsed() < DEADLINE, "nothing was flushed");
        tokio::task::yield_now().await;
    }
    chat.child.kill().unwrap();
    chat.child.wait().unwrap();
    // As if the half minute of the lease had passed.
    let expire = "UPDATE messages SET lease_expires_at = now() WHERE lease_token IS NOT NULL";
    diesel::sql_query(expire).execute(&mut conn).await.unwrap();

    let again = Chat::start(&database, 1);
    let began = Instant::now();
    let stored = loop {
        let stored = again.messages();
        if stored[1]["message"]["state"] == "interrupted" {
            break stored;
        }
        assert!(began.elapsed() < DEADLINE, "{stored:?}");
        tokio::task::yield_now().await;
    };
    assert_eq!(stored[0]["message"]["content"], "When are you open?");
    let kept = stored[1]["message"]["content"].as_str().unwrap();
    assert!(kept.starts_with(&first), "{kept:?}");
    assert_eq!(again.ask("q2", "When are you open?").last().unwrap()["state"], "complete");
}
