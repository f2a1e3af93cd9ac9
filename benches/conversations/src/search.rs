//! Words in messages of a hundred workspaces.

use std::time::Instant;

use tokio_postgres::Client;
use uuid::Uuid;
use workspace_db::id::WorkspaceId;
use workspace_db::search::MessageSearch;
use workspace_db::tenancy::{Database, WorkspaceScope};

use crate::{median, ms};

const WORKSPACES: i64 = 100;
const QUERIES: i64 = 200;

/// Inserts messages of 15 words, whose frequencies fall as in a language, and searches for two words of a random message.
pub(crate) async fn run(db: &Database, superuser: &Client, messages: i64) {
    fill(superuser, messages).await;
    let (mut searches, mut functions, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for query in 0..QUERIES {
        let of = Uuid::from_u128(0x8000_0000 + u128::from((query % WORKSPACES).unsigned_abs()));
        // Words 4 and 11 of a message of this workspace: a frequent one among others.
        let text = "SELECT split_part(content, ' ', 4) || ' ' || split_part(content, ' ', 11) FROM messages
            WHERE workspace_id = $1 ORDER BY id OFFSET $2 LIMIT 1";
        let row = superuser.query_one(text, &[&of, &(query * 7)]).await.expect("words");
        let words: String = row.get(0);
        let scope = WorkspaceScope::unchecked(WorkspaceId::from(of), "a benchmark").to_read();
        let mut ws = db.workspace(&scope).await.expect("lent");
        let began = Instant::now();
        let found = MessageSearch::new(&words, 20).run(&mut ws).await.expect("searched");
        searches.push(ms(began.elapsed()));
        assert!(!found.hits.is_empty(), "{words}");
        drop(ws);
        // The same question past row-level security and beneath it, in turns.
        let question = format!("websearch_to_tsquery('simple', '{words}')");
        let beneath = format!(
            "BEGIN; SET LOCAL ROLE workspace_app; SET LOCAL app.workspace_id = '{of}';
             SELECT cardinality(ids) FROM workspace_db_matching_messages({question}, NULL, 200, NULL, NULL, NULL, NULL, NULL, NULL);
             COMMIT"
        );
        let without = format!(
            "BEGIN; SELECT cardinality(array_agg(id)) FROM (SELECT id FROM messages WHERE workspace_id = '{of}'
             AND workspace_db_search_text(workspace_id, language, content) @@ ({question} && '''workspace/{of}'''::tsquery)
             ORDER BY created_at DESC, id DESC LIMIT 200) AS found; COMMIT"
        );
        for (statement, times) in [(beneath, &mut functions), (without, &mut bare)] {
            superuser.batch_execute(&statement).await.expect("searched");
            let began = Instant::now();
            superuser.batch_execute(&statement).await.expect("searched");
            times.push(ms(began.elapsed()));
        }
    }
    searches.sort_by(f64::total_cmp);
    let p95 = searches.get(searches.len() * 95 / 100).copied().unwrap_or_default();
    println!(
        "| search for two words in {messages} messages of {WORKSPACES} workspaces | {:.1} ms, p95 {p95:.1} ms |",
        median(searches)
    );
    println!("| their ids beneath row-level security and without it | ratio {:.2} |", median(functions) / median(bare));
}

async fn fill(superuser: &Client, messages: i64) {
    let each = messages / WORKSPACES;
    let fill = format!(
        "SET session_replication_role = replica; SELECT setseed(0.5);
         INSERT INTO workspaces (id, slug, name) SELECT lpad(to_hex(2147483648 + n), 32, '0')::uuid, 'words-' || n, 'words'
             FROM generate_series(0, {WORKSPACES} - 1) AS n;
         INSERT INTO conversations (workspace_id, id) SELECT id, id FROM workspaces WHERE slug LIKE 'words-%';
         DROP INDEX messages_words_idx;
         INSERT INTO messages (workspace_id, conversation_id, role, content, language, created_at)
         SELECT c.workspace_id, c.id, 'user', (SELECT string_agg('w' || floor(20000 * power(random(), 3))::int, ' ')
             FROM generate_series(1, 15) WHERE n > 0 AND c.id IS NOT NULL), 'en', now() - n * interval '1 minute'
         FROM conversations AS c JOIN workspaces AS w ON w.id = c.workspace_id AND w.slug LIKE 'words-%', generate_series(1, {each}) AS n;
         CREATE INDEX messages_words_idx ON messages USING gin (workspace_db_search_text(workspace_id, language, content));
         RESET session_replication_role; VACUUM ANALYZE messages"
    );
    for statement in fill.split(';') {
        superuser.batch_execute(statement).await.expect("filled");
    }
}
