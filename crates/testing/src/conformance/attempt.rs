//! Attempts to cross workspaces as the application login.

use postgres_protocol::escape::escape_literal;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::error::failed;
use super::violation::Violation;
use workspace_db::Result;
use workspace_db::config::DatabaseUrl;
use workspace_db::db;

/// Value of the transaction's workspace setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    Own,
    Unset,
    Empty,
    Malformed,
}

/// Result of a statement.
#[derive(Debug, PartialEq, Eq)]
enum AttemptOutcome {
    /// Number of rows.
    Rows(u64),
    /// Error of insufficient privilege, which a policy also raises.
    Refused,
    /// Error because the setting is no UUID.
    NoUuid,
    /// Error of a statement that PostgreSQL rejects for any table under row-level security.
    Unsupported,
    /// A COPY FROM that the server would have accepted rows for.
    Accepted,
    /// Any other error, which proves nothing.
    Failed(String),
}

/// A table with one row of each of two workspaces.
struct Subject<'a> {
    table: &'a str,
    /// Quoted names of all columns except generated ones.
    columns: String,
    key: String,
    own: String,
    other: String,
    own_row: String,
    other_row: String,
    /// True if the application may only read it. Then each write must be rejected, whatever the setting.
    is_read_only: bool,
}

/// Tries all attempts on one table, as the login of `app`.
pub(super) async fn violations(app: &DatabaseUrl, platform: &Client, table: &str) -> Result<Vec<Violation>> {
    let mut found = Vec::new();
    let mut violation = |fault: String| found.push(Violation { object: table.to_owned(), fault, is_grave: true });
    let Some(subject) = Subject::find(platform, table).await? else {
        violation("does not have rows in two workspaces, so nothing could be tested".to_owned());
        return Ok(found);
    };
    let mut client = db::catalog_client(app).await?;
    for (what, setting, sql, expected) in subject.attempts() {
        let outcome = run(&mut client, setting.sql(&subject.own).as_deref(), &sql).await?;
        if outcome == AttemptOutcome::Accepted {
            // The old connection still waits for COPY data.
            client = db::catalog_client(app).await?;
        }
        let is_as_it_must_be =
            if subject.is_read_only && !reads(&sql) { outcome == AttemptOutcome::Refused } else { expected(&outcome) };
        if !is_as_it_must_be {
            violation(format!("{what} with the setting {setting:?} returned {outcome:?}"));
        }
    }
    Ok(found)
}

fn reads(sql: &str) -> bool {
    sql.starts_with("SELECT") || sql.ends_with("TO STDOUT")
}

/// Nullable columns that refer to rows which a delete of this table's rows may delete: of the table itself, or of a table that
/// refers to it. A row that is inserted again has NULL there.
const CIRCULAR_COLUMNS: &str = "WITH RECURSIVE behind (oid) AS (
        SELECT to_regclass($1)::oid
        UNION SELECT conrelid FROM pg_constraint JOIN behind ON confrelid = behind.oid WHERE contype = 'f'
    )
    SELECT coalesce(array_agg(DISTINCT a.attname::text), ARRAY[]::text[])
    FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) AND NOT a.attnotnull
    WHERE k.conrelid = to_regclass($1) AND k.contype = 'f' AND k.confrelid IN (SELECT oid FROM behind)";

/// Function that returns true if an outcome is the expected one.
type Expected = fn(&AttemptOutcome) -> bool;

impl<'a> Subject<'a> {
    async fn find(platform: &Client, table: &'a str) -> Result<Option<Self>> {
        let failed = failed(table);
        let columns = "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
            WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''";
        let key = "SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY n) FROM pg_constraint k,
            unnest(k.conkey) WITH ORDINALITY AS c (attnum, n) JOIN pg_attribute a USING (attnum)
            WHERE k.conrelid = to_regclass($1) AND k.contype = 'p' AND a.attrelid = k.conrelid";
        let columns: Option<String> = platform.query_one(columns, &[&table]).await.map_err(&failed)?.get(0);
        let key: Option<String> = platform.query_one(key, &[&table]).await.map_err(&failed)?.get(0);
        let read_only = "SELECT NOT has_table_privilege('workspace_app', to_regclass($1), 'INSERT')";
        let is_read_only: Option<bool> = platform.query_one(read_only, &[&table]).await.map_err(&failed)?.get(0);
        let rows = format!(
            "SELECT DISTINCT ON (workspace_id) workspace_id::text, (to_jsonb(t) - $1::text[])::text
             FROM {table} t ORDER BY workspace_id LIMIT 2"
        );
        let circular = platform.query_one(CIRCULAR_COLUMNS, &[&table]).await.map_err(&failed)?;
        let rows = platform.query(&rows, &[&circular.get::<_, Vec<String>>(0)]).await.map_err(&failed)?;
        let (Some(columns), Some(key), [own, other]) = (columns, key, rows.as_slice()) else { return Ok(None) };
        Ok(Some(Self {
            table,
            columns,
            key,
            own: own.get(0),
            other: other.get(0),
            own_row: own.get(1),
            other_row: other.get(1),
            is_read_only: is_read_only == Some(true),
        }))
    }

    /// Returns the attempts: description, setting, SQL and expected outcome.
    fn attempts(&self) -> Vec<(&'static str, Setting, String, Expected)> {
        use Setting::{Empty, Malformed, Own, Unset};
        let Self { table, own, other, .. } = self;
        let (mine, theirs) = (format!("workspace_id = '{own}'"), format!("workspace_id = '{other}'"));
        let some: Expected = |outcome| matches!(outcome, AttemptOutcome::Rows(rows) if *rows > 0);
        let none: Expected = |outcome| *outcome == AttemptOutcome::Rows(0);
        let refused: Expected = |outcome| *outcome == AttemptOutcome::Refused;
        let no_uuid: Expected = |outcome| *outcome == AttemptOutcome::NoUuid;
        let unsupported: Expected = |outcome| *outcome == AttemptOutcome::Unsupported;
        // An existing row is deleted before it is inserted again. The rollback restores the rows that refer to it.
        let again = format!("DELETE FROM {table} WHERE {mine}; {}", self.insert(&self.own_row));
        let upsert = |row: &str| {
            format!(
                "{} ON CONFLICT ({}) DO UPDATE SET workspace_id = excluded.workspace_id",
                self.insert(row),
                self.key
            )
        };
        let touch = |which: &str| format!("UPDATE {table} SET workspace_id = workspace_id WHERE {which}");
        let delete = |which: &str| format!("DELETE FROM {table} WHERE {which}");
        let select = |which: &str| format!("SELECT 1 FROM {table} WHERE {which}");
        let foreign = format!("workspace_id IS DISTINCT FROM '{own}'");
        let copy_out = format!("COPY {table} TO STDOUT");
        let copy_in = format!("COPY {table} FROM STDIN");
        let mut all: Vec<(&'static str, Setting, String, Expected)> = vec![
            ("a select of its own rows", Own, select(&mine), some),
            ("a select of another workspace's rows", Own, select(&theirs), none),
            ("a select of all but its own rows", Own, select(&foreign), none),
            ("an insert of its own row", Own, again, some),
            ("an insert of another workspace's row", Own, self.insert(&self.other_row), refused),
            ("an update of its own rows", Own, touch(&mine), some),
            ("an update of another workspace's rows", Own, touch(&theirs), none),
            ("an update of all but its own rows", Own, touch(&foreign), none),
            (
                "an update that moves its own rows to another workspace",
                Own,
                format!("UPDATE {table} SET workspace_id = '{other}' WHERE {mine}"),
                refused,
            ),
            ("a delete of its own rows", Own, delete(&mine), some),
            ("a delete of another workspace's rows", Own, delete(&theirs), none),
            ("a delete of all but its own rows", Own, delete(&foreign), none),
            ("an upsert of its own row", Own, upsert(&self.own_row), some),
            ("an upsert of another workspace's row", Own, upsert(&self.other_row), refused),
            (
                "a COPY out of all but its own rows",
                Own,
                format!("COPY (SELECT 1 FROM {table} WHERE {foreign}) TO STDOUT"),
                none,
            ),
            ("a COPY out", Own, copy_out.clone(), some),
            ("a COPY in", Own, copy_in.clone(), unsupported),
        ];
        for (setting, rows, writes) in [(Unset, none, refused), (Empty, none, refused), (Malformed, no_uuid, no_uuid)] {
            all.extend([
                ("a select", setting, select("true"), rows),
                ("an insert", setting, self.insert(&self.own_row), writes),
                ("an update", setting, touch("true"), rows),
                ("a delete", setting, delete("true"), rows),
                ("an upsert", setting, upsert(&self.own_row), writes),
                ("a COPY out", setting, copy_out.clone(), rows),
                ("a COPY in", setting, copy_in.clone(), unsupported),
            ]);
        }
        let matching = match *table {
            "document_chunks" => Some("workspace_db_matching_chunks('!nothing'::tsquery, 1000000)"),
            "messages" => Some(
                "(SELECT ids FROM workspace_db_matching_messages('!nothing'::tsquery, NULL, 1000000, NULL, NULL, NULL, NULL, NULL, NULL))",
            ),
            _ => None,
        };
        if let Some(matching) = matching {
            // The function bypasses row-level security, so its result must equal what the policy shows.
            let matches = format!("SELECT 1 FROM unnest({matching}) AS found (id)");
            let hidden = format!("{matches} WHERE NOT EXISTS (SELECT FROM {table} c WHERE c.id = found.id)");
            all.extend([
                ("a full-text search of its own rows", Own, matches.clone(), some),
                ("a full-text search of rows that it does not see", Own, hidden, none),
                ("a full-text search", Unset, matches.clone(), none),
                ("a full-text search", Empty, matches.clone(), none),
                ("a full-text search", Malformed, matches, no_uuid),
            ]);
        }
        all
    }

    fn insert(&self, row: &str) -> String {
        let Self { table, columns, .. } = self;
        let row = escape_literal(row);
        format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{table}, {row})")
    }
}

impl Setting {
    fn sql(self, own: &str) -> Option<String> {
        let value = match self {
            Self::Own => own.to_owned(),
            Self::Unset => return None,
            Self::Empty => String::new(),
            Self::Malformed => "not a workspace".to_owned(),
        };
        Some(format!("SET LOCAL app.workspace_id = '{value}'"))
    }
}

/// Runs it in a transaction that is rolled back. Of several statements, the last one counts.
async fn run(app: &mut Client, setting: Option<&str>, sql: &str) -> Result<AttemptOutcome> {
    let transaction = app.transaction().await.map_err(failed("begin"))?;
    if let Some(setting) = setting {
        transaction.batch_execute(setting).await.map_err(failed(setting))?;
    }
    let done = if sql.starts_with("COPY") && sql.ends_with("TO STDOUT") {
        copied_out(&transaction, sql).await
    } else {
        transaction.simple_query(sql).await.map(|messages| last_count(&messages))
    };
    let outcome = match done {
        Ok(rows) => AttemptOutcome::Rows(rows),
        Err(error) => match error.code() {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => AttemptOutcome::Refused,
            Some(&SqlState::INVALID_TEXT_REPRESENTATION) => AttemptOutcome::NoUuid,
            Some(&SqlState::FEATURE_NOT_SUPPORTED) => AttemptOutcome::Unsupported,
            None => return Ok(AttemptOutcome::Accepted),
            Some(_) => {
                AttemptOutcome::Failed(error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string))
            }
        },
    };
    transaction.rollback().await.map_err(failed("rollback"))?;
    Ok(outcome)
}

async fn copied_out(transaction: &tokio_postgres::Transaction<'_>, sql: &str) -> Result<u64, tokio_postgres::Error> {
    use futures_util::TryStreamExt as _;
    transaction.copy_out(sql).await?.try_fold(0, |rows, _| std::future::ready(Ok(rows + 1))).await
}

fn last_count(messages: &[SimpleQueryMessage]) -> u64 {
    let counts = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
        _ => None,
    });
    counts.last().unwrap_or_default()
}
