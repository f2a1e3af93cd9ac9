//! Reviewed answers as lines for fine-tuning.

use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio_postgres::Client;
use workspace_db::conversations::{TrainingFormat, training_lines};
use workspace_db::tenancy::{Database, WorkspaceScope};

use crate::{ROUNDS, median};

/// Exports pairs by the library, in turns with COPY of the same lines by the superuser.
pub(crate) async fn run(db: &Database, scope: &WorkspaceScope, superuser: &Client, pairs: i64) {
    let of = scope.workspace();
    let fill = format!(
        "SET session_replication_role = replica;
         INSERT INTO conversations (workspace_id, id) SELECT '{of}', md5('export' || n)::uuid FROM generate_series(1, {pairs}) AS n;
         INSERT INTO messages (workspace_id, conversation_id, id, role, content, seq, parent_id)
             SELECT '{of}', md5('export' || n)::uuid, md5('export' || n || '/' || s)::uuid,
                 CASE s WHEN 1 THEN 'user' ELSE 'assistant' END::message_role, 'text ' || repeat(n || ' ', 20), s,
                 CASE s WHEN 2 THEN md5('export' || n || '/1')::uuid END
             FROM generate_series(1, {pairs}) AS n, generate_series(1, 2) AS s;
         INSERT INTO feedback (workspace_id, message_id, judge, score) SELECT '{of}', md5('export' || n || '/2')::uuid, 'reviewer', 1
             FROM generate_series(1, {pairs}) AS n;
         RESET session_replication_role; ANALYZE messages; ANALYZE feedback; ANALYZE conversations"
    );
    superuser.batch_execute(&fill).await.expect("filled");
    let copy = format!(
        "COPY (SELECT workspace_db_training_lines('{of}', message_id, false, 50) FROM feedback
         WHERE workspace_id = '{of}' AND judge = 'reviewer' ORDER BY message_id) TO STDOUT"
    );
    let (mut ours, mut by_copy) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut ws = db.workspace(scope).await.expect("lent");
        let began = Instant::now();
        let mut lines = training_lines(&mut ws, TrainingFormat::Chat, 50).await.expect("a stream");
        let mut count = 0;
        while lines.try_next().await.expect("a line").is_some() {
            count += 1;
        }
        assert_eq!(count, pairs, "a line for each pair");
        ours.push(pairs as f64 / began.elapsed().as_secs_f64());
        let began = Instant::now();
        let mut rows = std::pin::pin!(superuser.copy_out(&copy).await.expect("copied"));
        while rows.next().await.is_some() {}
        by_copy.push(pairs as f64 / began.elapsed().as_secs_f64());
    }
    let (ours, by_copy) = (median(ours), median(by_copy));
    println!("| export of {pairs} chats | {ours:.0} per second, {:.2} of COPY with {by_copy:.0} |", ours / by_copy);
    println!("| peak memory of the whole benchmark | {} |", peak());
}

/// Peak memory of this process, as Linux tells it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |line| line.trim().to_owned())
}
