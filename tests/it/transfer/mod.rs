//! Workspaces out of a database, and into one.

mod corrupt_archives;
mod erase;
mod import_as_copy;
mod import_rows;
mod kill;
mod limits;
mod person;
mod redact;
mod relocate;
mod round_trip;
mod shell;
mod untrusted_archives;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use diesel::dsl::sql_query;
use diesel::prelude::{ExpressionMethods as _, QueryDsl as _};
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use workspace_db::Result;
use workspace_db::id::WorkspaceId;
use workspace_db::schema::audit_log;
use workspace_db::tenancy::{Administer, Database, PlatformScope, TENANT_TABLES, WorkspaceScope};
use workspace_db::transfer::{ImportOptions, ImportReport, Manifest, Receipt, ReceiptKey, erase, export, import};
use workspace_db_testing::{SeededWorkspace, TestDatabase, seed};

use crate::folder::Folder;

const RECEIPT_KEY: &str = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";

/// Two workspaces with rows in every table, and a folder for archives.
struct Fixture {
    database: TestDatabase,
    db: Database,
    a: SeededWorkspace,
    b: SeededWorkspace,
    folder: Folder,
}

impl Fixture {
    async fn new() -> Self {
        let database = TestDatabase::new().await.unwrap();
        let mut conn = database.connect().await.unwrap();
        let (a, b) = (seed(&mut conn, "a").await.unwrap(), seed(&mut conn, "b").await.unwrap());
        let db = database.open(4).await.unwrap();
        Self { database, db, a, b, folder: Folder::new() }
    }

    /// With texts, numbers and times at their edges in workspace a.
    async fn that_hurts() -> Self {
        let fixture = Self::new().await;
        fill(&mut fixture.database.connect().await.unwrap(), fixture.a.workspace).await;
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn export(&self, name: &str) -> Result<Manifest> {
        export(&self.db, &administer(self.a.workspace), &self.path(name), &|_| ()).await
    }

    async fn import(&self, name: &str) -> Result<ImportReport> {
        // The archive is the operator's own.
        let options = ImportOptions { with_jobs: true, ..ImportOptions::default() };
        import(&self.db, &platform(), &self.path(name), options, &|_| ()).await
    }

    async fn erase(&self) -> Result<Receipt> {
        erase(&self.db, &platform(), self.a.workspace, &key(), &|_| ()).await?.verified(&key().public())
    }

    async fn rows(&self, workspace: WorkspaceId) -> BTreeMap<String, Rows> {
        rows(&mut self.database.connect().await.unwrap(), workspace).await
    }
}

fn administer(workspace: WorkspaceId) -> WorkspaceScope<Administer> {
    WorkspaceScope::unchecked_administer(workspace, "a test")
}

fn platform() -> PlatformScope {
    PlatformScope::unchecked("a test")
}

fn key() -> ReceiptKey {
    ReceiptKey::from_base64(RECEIPT_KEY).unwrap()
}

#[derive(Clone, Debug, PartialEq, Eq, diesel::QueryableByName)]
struct Rows {
    #[diesel(sql_type = BigInt)]
    count: i64,
    #[diesel(sql_type = Text)]
    bytes: String,
}

/// What every table holds of a workspace, to the byte; but for the audit log, which tells of what the tests do.
async fn rows(conn: &mut AsyncPgConnection, workspace: WorkspaceId) -> BTreeMap<String, Rows> {
    let mut all = BTreeMap::new();
    let tables = TENANT_TABLES.iter().map(|table| (*table, "workspace_id")).chain([("workspaces", "id")]);
    for (table, scope) in tables.filter(|(table, _)| *table != "audit_log") {
        let query = format!(
            "SELECT count(*) AS count, coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '') AS bytes
             FROM {table} AS t WHERE {scope} = '{workspace}'"
        );
        all.insert(table.to_owned(), sql_query(query).get_result(conn).await.unwrap());
    }
    all
}

/// What an import makes of rows: all of them but the tokens of services, which let somebody in.
fn imported(mut rows: BTreeMap<String, Rows>) -> BTreeMap<String, Rows> {
    rows.insert("service_tokens".to_owned(), Rows { count: 0, bytes: String::new() });
    rows
}

/// The names in a folder of files that are not whole.
fn partials(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".partial")).collect()
}

/// The actions in the audit log of a workspace, in order.
async fn audit_actions(database: &TestDatabase, workspace: WorkspaceId) -> Vec<String> {
    let query = audit_log::table
        .filter(audit_log::workspace_id.eq(workspace))
        .order((audit_log::occurred_at, audit_log::id))
        .select(audit_log::action);
    RunQueryDsl::load(query, &mut database.connect().await.unwrap()).await.unwrap()
}

/// Texts that break what takes them for plain ASCII in one line.
const HURTING: &[&str] = &[
    "",
    " ",
    "a\nb\r\nc\td",
    "\u{1}\u{8}\u{b}\u{1f}\u{7f}\u{85}",
    "\"quoted\" \\ back\\\\slashed \\u0000 \\n / </script>",
    "'; DROP TABLE workspaces; --",
    "\u{202e}right to left\u{202c} \u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{627}\u{644}\u{639}\u{631}\u{628}\u{64a}\u{629}",
    "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467} e\u{301} \u{fffd}\u{feff}\u{10ffff}\u{2028}\u{2029}",
    "\\N",
    "{a,b}",
    "null",
];

/// Rows at the edges of what the columns take.
async fn fill(conn: &mut AsyncPgConnection, workspace: WorkspaceId) {
    let texts: Vec<String> =
        HURTING.iter().map(|text| (*text).to_owned()).chain(["x".repeat(1 << 20), "\u{fc}".repeat(70_000)]).collect();
    let insert = format!(
        "WITH texts AS (SELECT t, n FROM unnest($1) WITH ORDINALITY AS one (t, n)),
         c AS (INSERT INTO conversations (workspace_id, external_user_id, title, metadata, first_message_at, closed_at, status)
             SELECT '{workspace}', t, t, jsonb_build_object('a', t, t, NULL, 'nested', jsonb_build_array(t, 1e-300, 123456789012345678901234567890.5)),
                 CASE n % 4 WHEN 0 THEN '9999-12-31 23:59:59.999999+00'::timestamptz WHEN 1 THEN '0001-01-01 00:00:00+00' WHEN 2 THEN '1582-10-10' ELSE '1969-12-31 23:59:59.999999' END,
                 '2026-01-01'::timestamptz + n * interval '1 microsecond',
                 (enum_range(NULL::conversation_status))[1 + n % 4]
             FROM texts RETURNING id, title),
         m AS (INSERT INTO messages (workspace_id, conversation_id, role, content, confidence, tokens)
             SELECT '{workspace}', c.id, (enum_range(NULL::message_role))[1 + n % 4], t,
                 (ARRAY[0, 1, 5e-324, 0.1, 0.30000000000000004, 2.2250738585072014e-308, '-0'::float8, NULL])[1 + n % 8], n % 3
             FROM c JOIN texts ON t = c.title RETURNING id)
         INSERT INTO webhook_subscriptions (workspace_id, url, events, headers)
             SELECT '{workspace}', n || t, CASE WHEN n % 3 = 0 THEN '{{}}' ELSE ARRAY[t, '', 'null'] END, jsonb_build_object(t, t)
             FROM texts WHERE length(t) < 100"
    );
    sql_query(insert).bind::<Array<Text>, _>(texts).execute(conn).await.unwrap();
    conn.batch_execute(&format!(
        "INSERT INTO documents (workspace_id, title, external_id, metadata)
             SELECT '{workspace}', 'd' || n, 'x' || n, to_jsonb(n) FROM generate_series(1, 50) AS n;
         INSERT INTO document_chunks (workspace_id, document_id, chunk_index, content, vector, language)
             SELECT '{workspace}', d.id, n, 'chunk ' || n,
                 (SELECT array_agg(CASE WHEN i = 1 THEN 1 WHEN i = 2 THEN 1.1754944e-38 WHEN i = 3 THEN 3.4e14 WHEN i = 4 THEN '-0' ELSE sin(i * n + length(d.title)) END::real)
                  FROM generate_series(1, 1536) AS i)::vector,
                 CASE n WHEN 1 THEN 'en' WHEN 2 THEN 'pt-BR' END
             FROM documents d, generate_series(0, 3) AS n WHERE workspace_id = '{workspace}' AND external_id LIKE 'x%';
         INSERT INTO jobs (workspace_id, job_type, payload, status, completed_at, result)
             SELECT '{workspace}', 'edge', '[]', 'completed', now(), r FROM (VALUES ('null'::jsonb), (NULL), ('false'), ('\"\\\\\"')) AS v (r)"
    ))
    .await
    .unwrap();
}
