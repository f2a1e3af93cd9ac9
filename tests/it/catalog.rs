//! Rules that hold for every table, asked of the live catalog. Each first makes sure that it has something to look at.

use std::collections::BTreeSet;
use std::fs;

use diesel::sql_types::{Bool, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection as _};
use rstest::rstest;
use workspace_db::db::catalog::Catalog;
use workspace_db::db::connect;
use workspace_db::sql_types::PG_ENUMS;
use workspace_db_testing::TestDatabase;

#[derive(Debug, diesel::QueryableByName)]
struct Object {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    holds: bool,
}

async fn objects(query: &str) -> Vec<Object> {
    let database = TestDatabase::new().await.unwrap();
    let mut conn = database.connect().await.unwrap();
    diesel::sql_query(query).load(&mut conn).await.unwrap()
}

/// Tables whose rows belong to a workspace: those with a column `workspace_id`.
const TENANT_TABLES: &str = "SELECT c.oid, c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'workspace_id'";

/// Each query names objects and says whether the rule holds; `least` is how many there must be for it to mean anything.
#[rstest]
#[case::every_table_has_a_comment(13, "SELECT relname AS name, obj_description(oid, 'pg_class') IS NOT NULL AS holds
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname NOT LIKE '\\_\\_%'".to_owned())]
#[case::every_column_has_a_comment(140, "SELECT c.relname || '.' || a.attname AS name, col_description(c.oid, a.attnum) IS NOT NULL AS holds
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE '\\_\\_%'".to_owned())]
#[case::every_enum_has_a_comment(8, "SELECT typname::text AS name, obj_description(oid, 'pg_type') IS NOT NULL AS holds
    FROM pg_type WHERE typtype = 'e'".to_owned())]
#[case::every_tenant_tables_primary_key_begins_with_the_workspace(11, format!("SELECT t.relname::text AS name, EXISTS (
        SELECT FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
        WHERE k.conrelid = t.oid AND k.contype = 'p' AND a.attname = 'workspace_id') AS holds
    FROM ({TENANT_TABLES}) t"))]
#[case::every_unique_key_of_a_tenant_table_has_the_workspace(15, format!("SELECT i.indexrelid::regclass::text AS name, EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = 'workspace_id' AND a.attnum = ANY (i.indkey::int2[])) AS holds
    FROM ({TENANT_TABLES}) t JOIN pg_index i ON i.indrelid = t.oid AND i.indisunique"))]
#[case::every_tenant_table_goes_with_its_workspace(11, format!("SELECT t.relname::text AS name, EXISTS (
        SELECT FROM pg_constraint k WHERE k.conrelid = t.oid AND k.contype = 'f' AND k.confrelid = 'workspaces'::regclass
          AND k.confdeltype = 'c' AND cardinality(k.conkey) = 1) AS holds
    FROM ({TENANT_TABLES}) t WHERE t.relname <> 'audit_log'"))]
#[case::a_foreign_key_between_tenant_tables_carries_the_workspace(6, format!("SELECT k.conname::text AS name, EXISTS (
        SELECT FROM generate_subscripts(k.conkey, 1) AS n
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[n] AND a.attname = 'workspace_id'
          JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = k.confkey[n] AND f.attname = 'workspace_id') AS holds
    FROM ({TENANT_TABLES}) t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f'
    WHERE k.confrelid IN (SELECT oid FROM ({TENANT_TABLES}) u)"))]
#[case::set_null_never_nulls_the_workspace(2, format!("SELECT k.conname::text AS name, NOT EXISTS (
        SELECT FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attname = 'workspace_id'
          AND a.attnum = ANY (coalesce(k.confdelsetcols, k.conkey))) AS holds
    FROM ({TENANT_TABLES}) t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f' AND k.confdeltype = 'n'"))]
#[case::every_foreign_key_is_the_beginning_of_an_index(19, "SELECT k.conname::text AS name, EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indpred IS NULL
          AND (SELECT array_agg(c ORDER BY c) FROM unnest(k.conkey) c)
            = (SELECT array_agg(c ORDER BY c) FROM unnest((i.indkey::int2[])[0:cardinality(k.conkey) - 1]) c)) AS holds
    FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace".to_owned())]
#[case::every_constraint_is_named_after_its_table(40, "SELECT k.conname::text AS name, starts_with(k.conname, c.relname || '_') AS holds
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE k.connamespace = 'public'::regnamespace AND k.contype <> 'n' AND c.relname NOT LIKE '\\_\\_%'".to_owned())]
#[case::every_index_is_valid(25, "SELECT indexrelid::regclass::text AS name, indisvalid AS holds FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace".to_owned())]
#[case::ids_have_a_default_that_needs_no_extension(12, "SELECT attrelid::regclass::text AS name, pg_get_expr(adbin, adrelid) = 'gen_random_uuid()' AS holds
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attname = 'id' AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace".to_owned())]
#[case::no_trigger_is_needed(11, format!("SELECT t.relname::text AS name, NOT EXISTS (
        SELECT FROM pg_trigger g WHERE g.tgrelid = t.oid AND NOT g.tgisinternal) AS holds FROM ({TENANT_TABLES}) t"))]
#[tokio::test]
async fn the_catalog_obeys(#[case] least: usize, #[case] query: String) {
    let found = objects(&query).await;
    assert!(found.len() >= least, "only {} objects to look at, at least {least} were expected", found.len());
    let offenders: Vec<_> = found.iter().filter(|object| !object.holds).map(|object| &object.name).collect();
    assert!(offenders.is_empty(), "the rule does not hold for {offenders:?}");
}

/// The whole schema in one text: what the migrations make is what this program believes that they make.
#[tokio::test]
async fn the_schema_is_the_one_that_drift_is_measured_from() {
    let database = TestDatabase::new().await.unwrap();
    let found = Catalog::read(&database.url().unwrap()).await.unwrap();
    assert!(found.to_string().lines().count() > 400, "{found}");
    assert_eq!(
        Catalog::expected().drift(&found),
        [],
        "if it is meant: cargo run -q -- migrate catalog > catalog.txt, and move that to src/db"
    );
    assert_eq!(found, Catalog::expected());
}

/// How a database is changed behind the migrations' back, and what is said of it.
#[rstest]
#[case::a_column_too_many(
    "ALTER TABLE feedback ADD COLUMN extra text NOT NULL",
    "column feedback.extra is not from a migration: text not null"
)]
#[case::a_unique_key_over_ours(
    "ALTER TABLE documents ADD COLUMN note text; CREATE UNIQUE INDEX of_title ON documents (workspace_id, title) WHERE note IS NULL",
    "index documents.of_title is not from a migration"
)]
#[case::a_unique_key_with_a_default(
    "ALTER TABLE documents ADD COLUMN sort text NOT NULL DEFAULT 'a'; CREATE UNIQUE INDEX one_sort ON documents (workspace_id, sort)",
    "index documents.one_sort is not from a migration"
)]
#[case::a_check_that_our_inserts_break(
    "ALTER TABLE documents ADD COLUMN note text; ALTER TABLE documents ADD CONSTRAINT noted CHECK (note IS NOT NULL) NOT VALID",
    "constraint documents.noted is not from a migration"
)]
#[case::a_check_of_a_column_of_ours(
    "ALTER TABLE documents ADD COLUMN text text; ALTER TABLE documents ADD CONSTRAINT named CHECK (title <> 'x'::text)",
    "constraint documents.named is not from a migration"
)]
#[case::a_column_less(
    "ALTER TABLE feedback DROP COLUMN comment",
    "column feedback.comment is missing; the migrations create it as text"
)]
#[case::another_type(
    "ALTER TABLE document_chunks ALTER COLUMN token_count TYPE bigint",
    "column document_chunks.token_count is bigint; the migrations create it as integer"
)]
#[case::another_default(
    "ALTER TABLE documents ALTER COLUMN status DROP DEFAULT",
    "column documents.status is document_status not null; the migrations create it as document_status not null default"
)]
#[case::a_constraint_less(
    "ALTER TABLE feedback DROP CONSTRAINT feedback_message_id_fkey",
    "constraint feedback.feedback_message_id_fkey is missing"
)]
#[case::an_index_less(
    "DROP INDEX document_chunks_bits_idx",
    "index document_chunks.document_chunks_bits_idx is missing"
)]
#[case::an_index_too_many(
    "CREATE INDEX by_hand ON documents (title)",
    "index documents.by_hand is not from a migration"
)]
#[case::a_policy_too_many(
    "CREATE POLICY support ON documents FOR SELECT TO workspace_app USING (is_published)",
    "policy documents.support is not from a migration: select to workspace_app using is_published"
)]
#[case::a_grant_less(
    "REVOKE DELETE ON documents FROM workspace_app",
    "grant documents to workspace_app is insert, select, update; the migrations create it as delete, insert, select, update"
)]
#[case::a_table_less("DROP TABLE job_schedules", "table job_schedules is missing")]
#[case::not_forced("ALTER TABLE jobs NO FORCE ROW LEVEL SECURITY", "table jobs is row-level security not forced")]
#[case::a_trigger(
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; CREATE TRIGGER mine BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION f()",
    "trigger jobs.mine is not from a migration"
)]
#[case::a_function_of_another_body(
    "CREATE OR REPLACE FUNCTION workspace_db_isolate(tenant_table regclass) RETURNS void LANGUAGE plpgsql AS 'BEGIN END'",
    "function workspace_db_isolate(regclass) is plpgsql"
)]
#[case::a_label_too_many("ALTER TYPE document_status ADD VALUE 'lost'", "enum document_status is")]
#[tokio::test]
async fn drift_is_named_object_by_object(#[case] change: &str, #[case] said: &str) {
    let database = TestDatabase::new().await.unwrap();
    let url = database.url().unwrap();
    let yours =
        "CREATE TABLE yours (id int PRIMARY KEY); CREATE TYPE mood AS ENUM ('good'); CREATE INDEX ON yours (id);
         ALTER TABLE documents ADD COLUMN rating int CHECK (rating > 0), ADD COLUMN mood mood NOT NULL DEFAULT 'good',
            ADD COLUMN reviewer_id uuid REFERENCES admin_users ON DELETE SET NULL,
            ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY, ADD COLUMN code text;
         CREATE INDEX ON documents (workspace_id, reviewer_id, title);
         CREATE UNIQUE INDEX ON documents (workspace_id, code);";
    connect(&url).await.unwrap().batch_execute(yours).await.unwrap();
    assert_eq!(Catalog::expected().drift(&Catalog::read(&url).await.unwrap()), [], "what is yours is no drift");
    connect(&url).await.unwrap().batch_execute(change).await.unwrap();
    let drift = Catalog::expected().drift(&Catalog::read(&url).await.unwrap());
    assert!(drift.iter().any(|one| one.to_string().starts_with(said)), "{drift:#?}");
}

/// The newest text of each function and policy stands in `sql/`, where a reader finds it.
#[tokio::test]
async fn functions_and_policies_stand_in_sql() {
    let database = TestDatabase::new().await.unwrap();
    let root = crate::repository().join("sql");
    let mut names = BTreeSet::new();
    let mut owner = connect(&database.url().unwrap()).await.unwrap();
    // The owner does not own the one that runs as workspace_platform.
    let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
    for path in crate::docs::files(&root.join("functions"), ".sql") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(&format!("CREATE OR REPLACE FUNCTION workspace_db_{name}(")), "{}", path.display());
        superuser.batch_execute(&text).await.unwrap();
        assert!(names.insert(format!("workspace_db_{name}")), "{name} stands in two folders");
    }
    owner.batch_execute(&fs::read_to_string(root.join("policies.sql")).unwrap()).await.unwrap();
    let query = "SELECT DISTINCT proname::text AS name, true AS holds FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'workspace\\_db\\_%'";
    let functions: Vec<Object> = diesel::sql_query(query).load(&mut owner).await.unwrap();
    assert_eq!(functions.into_iter().map(|one| one.name).collect::<BTreeSet<_>>(), names);
    let current = Catalog::read(&database.url().unwrap()).await.unwrap();
    assert_eq!(Catalog::expected().drift(&current), [], "a file of sql/ is not what the migrations make");
}

#[tokio::test]
async fn the_enums_labels_are_those_of_the_database() {
    let found = objects(
        "SELECT t.typname || ':' || string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) AS name, true AS holds
         FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname ORDER BY t.typname",
    )
    .await;
    let found: Vec<_> = found.into_iter().map(|object| object.name).collect();
    let mut ours: Vec<_> = PG_ENUMS.iter().map(|(name, labels)| format!("{name}:{}", labels.join(","))).collect();
    ours.sort();
    assert!(!found.is_empty());
    assert_eq!(found, ours);
}
