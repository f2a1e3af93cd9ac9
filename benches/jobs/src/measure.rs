//! What the server says of itself.

use tokio_postgres::{Client, NoTls};

/// A connection that looks at the server, as its superuser.
pub struct Server(Client);

impl Server {
    /// # Panics
    ///
    /// Where it can't be reached.
    pub async fn connect(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server");
        tokio::spawn(connection);
        Self(client)
    }

    /// Bytes of WAL since the server was made.
    ///
    /// # Panics
    ///
    /// Where it does not answer.
    pub async fn wal(&self) -> f64 {
        let query = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8";
        self.0.query_one(query, &[]).await.expect("an answer").get(0)
    }

    /// Dead rows of all tables, as the statistics know them.
    ///
    /// # Panics
    ///
    /// Where it does not answer.
    pub async fn dead_rows(&self) -> i64 {
        let query = "SELECT coalesce(sum(n_dead_tup), 0)::bigint FROM pg_stat_user_tables";
        self.0.query_one(query, &[]).await.expect("an answer").get(0)
    }

    /// Opens a snapshot that lasts for as long as the connection, or ends it.
    ///
    /// # Panics
    ///
    /// Where it does not answer.
    pub async fn hold_snapshot(&self) {
        self.0
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_class LIMIT 1")
            .await
            .expect("an answer");
    }
}

impl Server {
    /// As a production's server: what is committed is written before it is said.
    ///
    /// # Panics
    ///
    /// Where it does not answer.
    pub async fn commit_for_good(&self) {
        self.0.batch_execute("ALTER ROLE ALL SET synchronous_commit = on").await.expect("an answer");
    }

    /// Has jobs claimed by age alone, as most queues do, with the index that this needs.
    ///
    /// # Panics
    ///
    /// Where it does not answer.
    pub async fn claim_first_in_first_out(&self) {
        let by_age = "
            CREATE INDEX jobs_by_age ON jobs (queue, priority, scheduled_at, id) WHERE status = 'queued';
            DROP INDEX jobs_queued_idx;
            CREATE OR REPLACE FUNCTION workspace_db_claim_jobs(
                of_queue text, worker text, most integer, lease interval, after_workspace uuid, known_kinds text[], caps integer[],
                lane_workspaces uuid[], lane_kinds text[], lane_priorities integer[], lane_times timestamptz[], lane_jobs uuid[]
            ) RETURNS SETOF jobs LANGUAGE plpgsql
            SET search_path FROM CURRENT SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
            SET enable_hashjoin = off SET enable_mergejoin = off
            AS $$ DECLARE moment CONSTANT timestamptz := clock_timestamp();
            BEGIN
                RETURN QUERY
                WITH chosen AS MATERIALIZED (
                    SELECT j.workspace_id, j.id FROM jobs j
                    WHERE j.status = 'queued' AND j.queue = of_queue AND j.scheduled_at <= moment
                    ORDER BY j.priority, j.scheduled_at, j.id LIMIT most FOR UPDATE SKIP LOCKED)
                UPDATE jobs SET status = 'running', attempts = attempts + 1, started_at = moment, updated_at = moment,
                    heartbeat_at = moment, lease_expires_at = moment + lease, lease_token = gen_random_uuid(), leased_by = worker
                FROM chosen WHERE jobs.workspace_id = chosen.workspace_id AND jobs.id = chosen.id
                RETURNING jobs.*;
            END $$";
        self.0.batch_execute(by_age).await.expect("an answer");
    }
}

impl Server {
    /// Listens for jobs, and does nothing.
    ///
    /// # Panics
    ///
    /// Where it does not answer.
    pub async fn listen(&self) {
        self.0.batch_execute("LISTEN workspace_db_jobs").await.expect("an answer");
    }
}
