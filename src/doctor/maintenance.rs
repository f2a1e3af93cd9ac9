//! Maintenance of a database in use: indexes, dead rows, transaction ids, forgotten transactions, jobs.

use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::examination::CheckContext;
use super::finding::{CheckStatus, Diagnostic};
use crate::db::roles::PLATFORM_ROLE;
use crate::error::Result;

/// Query that returns one problem per row; `$1` is a limit.
struct Rule {
    check: &'static str,
    status: CheckStatus,
    query: &'static str,
}

const OWN: &str = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";

const COMMENTS: Rule = Rule {
    check: "comments",
    status: CheckStatus::Warn,
    query: "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {own} AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE '\\_\\_%' AND obj_description(c.oid, 'pg_class') IS NULL
        UNION ALL SELECT c.oid::regclass || '.' || a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE {own} AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE '\\_\\_%' AND col_description(c.oid, a.attnum) IS NULL",
};
const INVALID_INDEXES: Rule = Rule {
    check: "invalid_indexes",
    status: CheckStatus::Fail,
    query: "SELECT i.indexrelid::regclass || ' on ' || i.indrelid::regclass || ' is not valid'
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {own} AND NOT (i.indisvalid AND i.indisready)",
};
const MISSING_INDEXES: Rule = Rule {
    check: "missing_indexes",
    status: CheckStatus::Warn,
    query: "SELECT k.conname || ' on ' || k.conrelid::regclass || ' (' || (
            SELECT string_agg(a.attname, ', ' ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, n)
                JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum) || ')'
        FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
        WHERE {own} AND k.contype = 'f' AND k.conparentid = 0 AND NOT EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indpred IS NULL AND i.indisvalid
                AND (SELECT array_agg(c ORDER BY c) FROM unnest(k.conkey) c)
                    = (SELECT array_agg(c ORDER BY c) FROM unnest((i.indkey::int2[])[0:cardinality(k.conkey) - 1]) c))",
};
const UNUSED_INDEXES: Rule = Rule {
    check: "unused_indexes",
    status: CheckStatus::Warn,
    // The contract requires the index over all vectors, even if this crate's own searches do not use it.
    query: "SELECT s.indexrelid::regclass || ' on ' || s.relid::regclass || ', ' || pg_size_pretty(pg_relation_size(s.indexrelid))
        FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid)
        WHERE s.idx_scan = 0 AND NOT i.indisunique AND pg_relation_size(s.indexrelid) >= $1::bigint
            AND s.indexrelname <> 'document_chunks_vector_idx'",
};
const VECTOR_COLUMNS: Rule = Rule {
    check: "vector_columns",
    status: CheckStatus::Warn,
    // Vectors that wait for a switch of models are not searched.
    query: "SELECT a.attrelid::regclass || '.' || a.attname || ' has no generated column of its signs, or no index over workspace_id, id and that column'
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {own} AND a.atttypid = to_regtype('vector') AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> 'chunk_reembeddings'
            AND EXISTS (SELECT FROM pg_attribute w WHERE w.attrelid = c.oid AND w.attname = 'workspace_id' AND NOT w.attisdropped)
            AND NOT EXISTS (
                SELECT FROM pg_attribute b JOIN pg_attrdef d ON d.adrelid = b.attrelid AND d.adnum = b.attnum
                    JOIN pg_index i ON i.indrelid = b.attrelid AND b.attnum = ANY (i.indkey::int2[])
                    JOIN pg_attribute w ON w.attrelid = b.attrelid AND w.attname = 'workspace_id' AND i.indkey[0] = w.attnum
                WHERE b.attrelid = a.attrelid AND b.atttypid = 'bit'::regtype AND b.attgenerated = 's'
                    AND pg_get_expr(d.adbin, d.adrelid) LIKE '%binary_quantize(' || quote_ident(a.attname) || ')%')",
};
const DEAD_ROWS: Rule = Rule {
    check: "dead_rows",
    status: CheckStatus::Warn,
    query: "SELECT relid::regclass || ' has ' || n_dead_tup || ' dead rows and ' || n_live_tup || ' live rows'
        FROM pg_stat_user_tables WHERE n_dead_tup >= $1::bigint AND n_dead_tup * 5 >= n_live_tup
        UNION ALL SELECT relid::regclass || ' was changed ' || n_mod_since_analyze || ' times and never analyzed'
        FROM pg_stat_user_tables WHERE n_mod_since_analyze >= $1::bigint AND last_analyze IS NULL AND last_autoanalyze IS NULL
        UNION ALL SELECT c.oid::regclass || ' has autovacuum disabled' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
            pg_options_to_table(c.reloptions) WHERE {own} AND option_name = 'autovacuum_enabled' AND NOT option_value::bool",
};
const WRAPAROUND: Rule = Rule {
    check: "wraparound",
    status: CheckStatus::Fail,
    // Autovacuum starts at its own limit, so twice that limit shows that it does not finish.
    query: "SELECT 'the database has not been frozen for ' || age(datfrozenxid) || ' transactions, but autovacuum should freeze it at '
            || current_setting('autovacuum_freeze_max_age')
        FROM pg_database WHERE datname = current_database() AND age(datfrozenxid) > 2 * current_setting('autovacuum_freeze_max_age')::bigint
        UNION ALL SELECT 'the database has not been frozen for ' || mxid_age(datminmxid) || ' multixacts'
        FROM pg_database WHERE datname = current_database() AND mxid_age(datminmxid) > 2 * current_setting('autovacuum_multixact_freeze_max_age')::bigint",
};
const LONG_TRANSACTIONS: Rule = Rule {
    check: "long_transactions",
    status: CheckStatus::Warn,
    query: "SELECT format('process %s of %s has run for %s s: %s', pid, usename, extract(epoch FROM now() - xact_start)::bigint, left(query, 80))
        FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
            AND state = 'active' AND xact_start < now() - make_interval(secs => $1::bigint / 1000.0)
        UNION ALL SELECT format('the prepared transaction %s of %s has been open since %s', gid, owner, prepared)
        FROM pg_prepared_xacts WHERE database = current_database() AND prepared < now() - make_interval(secs => $1::bigint / 1000.0)",
};
const IDLE_TRANSACTIONS: Rule = Rule {
    check: "idle_transactions",
    status: CheckStatus::Warn,
    query:
        "SELECT format('process %s of %s has been idle in its transaction for %s s, after: %s', pid, usename,
            extract(epoch FROM now() - state_change)::bigint, left(query, 80))
        FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND state LIKE 'idle in transaction%' AND state_change < now() - make_interval(secs => $1::bigint / 1000.0)",
};
const STUCK_JOBS: Rule = Rule {
    check: "stuck_jobs",
    status: CheckStatus::Warn,
    query: "SELECT format('%s jobs of the queue %s are due, the oldest for %s s', count(*), queue, extract(epoch FROM now() - min(scheduled_at) FILTER (WHERE isfinite(scheduled_at)))::bigint)
        FROM jobs WHERE status = 'queued' AND scheduled_at < now() - make_interval(secs => $1::bigint / 1000.0)
            AND NOT EXISTS (SELECT FROM job_queues q WHERE q.name = jobs.queue AND q.paused_at IS NOT NULL)
        GROUP BY queue
        UNION ALL SELECT format('%s jobs of the queue %s have lost their worker and were not taken by another', count(*), queue)
        FROM jobs WHERE status = 'running' AND lease_expires_at < now() - make_interval(secs => $1::bigint / 1000.0)
        GROUP BY queue",
};

pub(super) async fn diagnostics(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let thresholds = &context.doctor.thresholds;
    let milliseconds = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let (dead, unused) = (i64::from(thresholds.dead_rows), i64::try_from(thresholds.unused_index).unwrap_or(i64::MAX));
    let (long, idle) = (milliseconds(thresholds.long_transaction), milliseconds(thresholds.idle_transaction));
    let stuck = milliseconds(thresholds.stuck_job);
    let mut diagnostics = Vec::new();
    for (rule, bound) in [
        (COMMENTS, None),
        (INVALID_INDEXES, None),
        (MISSING_INDEXES, None),
        (UNUSED_INDEXES, Some(unused)),
        (VECTOR_COLUMNS, None),
        (DEAD_ROWS, Some(dead)),
        (WRAPAROUND, None),
    ] {
        diagnostics.extend(rule.ask(&context.owner, bound).await);
    }
    // The server shows the sessions of other logins only to members of pg_read_all_stats.
    let sees = "SELECT pg_has_role('pg_read_all_stats', 'USAGE')";
    let sees_sessions = context.owner.query_one(sees, &[]).await.is_ok_and(|row| row.get(0));
    for (rule, bound) in [(LONG_TRANSACTIONS, long), (IDLE_TRANSACTIONS, idle)] {
        if sees_sessions {
            diagnostics.extend(rule.ask(&context.owner, Some(bound)).await);
        } else {
            let what =
                "the owner can't see the sessions of other logins; as a superuser, GRANT pg_read_all_stats to it";
            diagnostics.push(Diagnostic::new(rule.check, CheckStatus::Skipped, what));
        }
    }
    diagnostics.extend(jobs(&context.owner, stuck).await);
    diagnostics
}

/// Queries the jobs as the platform, because the owner sees no rows.
async fn jobs(owner: &Client, bound: i64) -> Vec<Diagnostic> {
    let begun = owner.batch_execute(&format!("BEGIN READ ONLY; SET LOCAL ROLE {PLATFORM_ROLE}")).await;
    let diagnostics = match begun {
        Ok(()) => STUCK_JOBS.ask(owner, Some(bound)).await,
        Err(error) => vec![Diagnostic::skipped("stuck_jobs", &error.into())],
    };
    // The transaction is read-only, so there is nothing to commit.
    let _ = owner.batch_execute("ROLLBACK").await;
    diagnostics
}

impl Rule {
    async fn ask(&self, client: &Client, bound: Option<i64>) -> Vec<Diagnostic> {
        match self.rows(client, bound).await {
            Ok(rows) => rows.into_iter().map(|what| Diagnostic::new(self.check, self.status, what)).collect(),
            Err(error) => vec![Diagnostic::skipped(self.check, &error)],
        }
    }

    async fn rows(&self, client: &Client, bound: Option<i64>) -> Result<Vec<String>> {
        let parameters: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|bound| bound as _).collect();
        let rows = client.query(&self.query.replace("{own}", OWN), &parameters).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }
}
