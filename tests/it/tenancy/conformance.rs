//! The database's line, whole and broken: the suite finds nothing wrong, and notices every way to break it.

use diesel_async::SimpleAsyncConnection as _;
use rstest::rstest;
use workspace_db::db;
use workspace_db::tenancy::TENANT_TABLES;
use workspace_db_testing::conformance;
use workspace_db_testing::{TestDatabase, seed};

async fn seed_two(database: &TestDatabase) {
    let mut conn = database.connect().await.unwrap();
    for slug in ["a", "b"] {
        seed(&mut conn, slug).await.unwrap();
    }
}

/// What the suite says, each violation as text.
async fn violations(database: &TestDatabase, tables: &[&str]) -> Vec<String> {
    let found = conformance::violations(&database.config().unwrap(), tables).await.unwrap();
    found.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn every_table_keeps_workspaces_apart_in_every_operation() {
    let database = TestDatabase::new().await.unwrap();
    seed_two(&database).await;
    assert!(TENANT_TABLES.len() >= 11, "the registry is empty, so the suite would look at nothing");
    assert_eq!(violations(&database, TENANT_TABLES).await, [""; 0]);
}

#[tokio::test]
async fn a_table_without_coverage_fails() {
    let database = TestDatabase::new().await.unwrap();
    let found = violations(&database, TENANT_TABLES).await;
    assert_eq!(found.len(), TENANT_TABLES.len(), "nothing was seeded, so nothing could be tried: {found:?}");
    let found = violations(&database, &[]).await;
    assert!(found.iter().any(|one| one.contains("documents") && one.contains("is not registered")), "{found:?}");
    let found = violations(&database, &["document_tags"]).await;
    assert!(
        found.iter().any(|one| one.contains("document_tags") && one.contains("no table of this name")),
        "{found:?}"
    );
}

const CURRENT: &str = "workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)";

/// How the line is broken, and a word of what the suite must say of it.
#[rustfmt::skip]
fn mutants() -> Vec<(&'static str, String, &'static str)> {
    let policy = |rest: &str| format!("DROP POLICY workspace_isolation ON documents; CREATE POLICY workspace_isolation ON documents {rest}");
    vec![
        ("row-level security switched off", "ALTER TABLE documents DISABLE ROW LEVEL SECURITY".into(), "does not have row-level"),
        ("not forced", "ALTER TABLE documents NO FORCE ROW LEVEL SECURITY".into(), "does not force"),
        ("no policy", "DROP POLICY workspace_isolation ON documents".into(), "a select of its own rows"),
        ("a policy that says true", policy("TO workspace_app USING (true) WITH CHECK (true)"), "a select of another"),
        ("a policy that shows all and checks", policy(&format!("TO workspace_app USING (true) WITH CHECK ({CURRENT})")), "a select of another"),
        ("a policy without its check", policy(&format!("TO workspace_app USING ({CURRENT}) WITH CHECK (true)")), "an insert of another"),
        ("a policy for everyone", policy(&format!("USING ({CURRENT}) WITH CHECK ({CURRENT})")), "lacks the policy"),
        ("a policy open where nothing is set", policy("TO workspace_app USING (workspace_id = coalesce((SELECT nullif(current_setting('app.workspace_id', true), '')::uuid), workspace_id))"), "the setting Unset"),
        ("a policy open where the setting is empty", policy("TO workspace_app USING (CASE WHEN current_setting('app.workspace_id', true) = '' THEN true ELSE workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid) END)"), "the setting Empty"),
        ("a policy that fails on an empty setting", policy("TO workspace_app USING (workspace_id = (SELECT current_setting('app.workspace_id', true)::uuid))"), "the setting Empty"),
        ("a policy that a malformed setting passes", policy("TO workspace_app USING (workspace_id::text = current_setting('app.workspace_id', true))"), "the setting Malformed"),
        ("a policy that is asked for every row", policy("TO workspace_app USING (workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid)"), "lacks the policy"),
        ("a policy on another setting", policy("TO workspace_app USING (workspace_id = (SELECT nullif(current_setting('app.tenant', true), '')::uuid))"), "a select of its own rows"),
        ("a policy for reading alone", policy(&format!("FOR SELECT TO workspace_app USING ({CURRENT})")), "an update of its own rows"),
        ("a second policy beside it", "CREATE POLICY support ON documents FOR SELECT TO workspace_app USING (is_published)".into(), "neither of the two"),
        ("a second policy for everyone", "CREATE POLICY public_side ON messages FOR SELECT USING (true)".into(), "neither of the two"),
        ("a policy for deleting", "CREATE POLICY tidy ON jobs FOR DELETE TO workspace_app USING (true)".into(), "neither of the two"),
        ("a view with its owner's rights", "CREATE VIEW recent AS SELECT * FROM documents; GRANT SELECT ON recent TO workspace_app".into(), "is a view that runs with its owner's privileges"),
        ("a view on such a view", "CREATE VIEW titles WITH (security_invoker) AS SELECT id FROM documents; CREATE VIEW more AS SELECT * FROM feedback".into(), "more"),
        ("a materialized view", "CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM documents; GRANT SELECT ON counted TO workspace_app".into(), "counted (SELECT"),
        ("a function with its owner's rights", "CREATE FUNCTION all_titles() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT title FROM documents'".into(), "SECURITY DEFINER"),
        ("a full-text search of every workspace", format!("{MATCHING} AS 'SELECT array_agg(id) FROM document_chunks'"), "rows that it does not see"),
        ("a full-text search that no setting restrains", format!("{MATCHING} AS 'SELECT array_agg(id) FROM document_chunks WHERE workspace_id = coalesce(nullif(current_setting(''app.workspace_id'', true), '''')::uuid, workspace_id)'"), "a full-text search with the setting Unset"),
        ("a search in messages of every workspace", format!("{MATCHING_MESSAGES} AS 'SELECT array_agg(id), false FROM messages'"), "rows that it does not see"),
        ("a search in messages that no setting restrains", format!("{MATCHING_MESSAGES} AS 'SELECT array_agg(id), false FROM messages WHERE workspace_id = coalesce(nullif(current_setting(''app.workspace_id'', true), '''')::uuid, workspace_id)'"), "a full-text search with the setting Unset"),
        ("a rewrite rule", "CREATE RULE mirror AS ON INSERT TO feedback DO ALSO UPDATE jobs SET priority = 1".into(), "rewrite rule"),
        ("a key of the id alone", "ALTER TABLE feedback DROP CONSTRAINT feedback_pkey; ALTER TABLE feedback ADD PRIMARY KEY (id)".into(), "no primary key that begins"),
        ("a key that is unique on the platform", "CREATE UNIQUE INDEX documents_content_hash_key ON documents (content_hash)".into(), "reveals to one workspace"),
        ("a foreign key without the workspace", "ALTER TABLE conversations ADD UNIQUE (id); ALTER TABLE messages DROP CONSTRAINT messages_conversation_id_fkey, ADD CONSTRAINT messages_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES conversations (id)".into(), "foreign key without workspace_id"),
        ("a foreign key that nulls the workspace", "ALTER TABLE analytics_events DROP CONSTRAINT analytics_events_message_id_fkey, ADD CONSTRAINT analytics_events_message_id_fkey FOREIGN KEY (workspace_id, message_id) REFERENCES messages (workspace_id, id) ON DELETE SET NULL".into(), "can set workspace_id to NULL"),
        ("a row that needs no workspace", "ALTER TABLE workspace_settings DROP CONSTRAINT workspace_settings_pkey; ALTER TABLE workspace_settings ALTER workspace_id DROP NOT NULL".into(), "without a workspace"),
        ("a new table that nobody isolated", "CREATE TABLE document_tags (workspace_id uuid, id uuid, PRIMARY KEY (workspace_id, id)); GRANT SELECT ON document_tags TO workspace_app".into(), "document_tags: has a workspace_id"),
        ("a grant on a partition", "CREATE TABLE parted (workspace_id uuid, id uuid, PRIMARY KEY (workspace_id, id)) PARTITION BY HASH (workspace_id); CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 1, REMAINDER 0); SELECT workspace_db_isolate('parted'); GRANT SELECT ON parted_0 TO workspace_app".into(), "parted_0: does not have"),
        ("a table that is readable by everyone", "GRANT SELECT ON documents TO PUBLIC".into(), "not by the migrations"),
        ("a grant to truncate", "GRANT TRUNCATE ON documents TO workspace_app".into(), "no policy limits"),
        ("a grant that is missing", "REVOKE DELETE ON documents FROM workspace_app".into(), "must grant SELECT"),
        ("administrators that a workspace reads", "GRANT SELECT (email) ON admin_users TO workspace_app".into(), "not by the migrations"),
        ("tokens that a workspace reads", "GRANT SELECT ON admin_tokens TO workspace_app".into(), "not by the migrations"),
        ("buckets of logins that a workspace empties", "GRANT DELETE ON login_throttles TO workspace_app".into(), "not by the migrations"),
        ("members that a workspace makes", "GRANT INSERT, UPDATE, DELETE ON workspace_admins TO workspace_app".into(), "not by the migrations"),
        ("a published state that a workspace sets", "GRANT UPDATE (is_published) ON workspaces TO workspace_app".into(), "not by the migrations"),
        ("an audit log that a workspace forges", "GRANT INSERT ON audit_log TO workspace_app".into(), "not by the migrations"),
        ("an audit log that the platform corrects", "GRANT UPDATE ON audit_log TO workspace_platform".into(), "can change or delete"),
        ("an audit log that a workspace expires", "GRANT EXECUTE ON FUNCTION workspace_db_expire_audit_log(uuid, timestamptz, integer) TO workspace_app".into(), "SECURITY DEFINER"),
        ("tokens without row-level security", "ALTER TABLE admin_tokens DISABLE ROW LEVEL SECURITY".into(), "admin_tokens: does not have"),
        ("workspaces that a workspace makes", "GRANT INSERT ON workspaces TO workspace_app".into(), "not by the migrations"),
        ("workspaces without row-level security", "ALTER TABLE workspaces DISABLE ROW LEVEL SECURITY".into(), "workspaces: does not have"),
        ("workspaces that are all seen", "DROP POLICY workspace_isolation ON workspaces; CREATE POLICY workspace_isolation ON workspaces TO workspace_app USING (true)".into(), "workspaces: lacks the policy"),
        ("a table that the application owns", "ALTER TABLE jobs OWNER TO workspace_app".into(), "more privileges than the application"),
        ("a schema to create in", "GRANT CREATE ON SCHEMA public TO workspace_app".into(), "no policy limits"),
        ("default privileges", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO workspace_app".into(), "default privileges"),
        ("a workspace for whoever sets none", "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET app.workspace_id = %L', current_database(), (SELECT min(id::text) FROM workspaces)); END $$".into(), "is a default that"),
    ]
}

const MATCHING: &str = "CREATE OR REPLACE FUNCTION workspace_db_matching_chunks(question tsquery, most integer) RETURNS uuid[] LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_catalog";

const MATCHING_MESSAGES: &str = "CREATE OR REPLACE FUNCTION workspace_db_matching_messages(question tsquery, excluded tsquery, most integer, person text, in_conversation uuid, in_states message_state[], since timestamptz, until timestamptz, rating integer) RETURNS TABLE (ids uuid[], is_bounded boolean) LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_catalog";

/// What concerns the roles of the whole server: how it is broken, how it is mended, and a word of what is said of it.
const ROLE_MUTANTS: &[(&str, &str, &str)] = &[
    ("ALTER ROLE workspace_app BYPASSRLS", "ALTER ROLE workspace_app NOBYPASSRLS", "attributes"),
    ("ALTER ROLE workspace_platform BYPASSRLS", "ALTER ROLE workspace_platform NOBYPASSRLS", "attributes"),
    ("ALTER ROLE workspace_app SUPERUSER", "ALTER ROLE workspace_app NOSUPERUSER", "attributes"),
    ("ALTER ROLE workspace_app LOGIN", "ALTER ROLE workspace_app NOLOGIN", "attributes"),
    ("ALTER ROLE test_app BYPASSRLS", "ALTER ROLE test_app NOBYPASSRLS", "a select of another"),
    ("ALTER ROLE test_app SUPERUSER", "ALTER ROLE test_app NOSUPERUSER", "a select of another"),
    (
        "GRANT workspace_platform TO workspace_app",
        "REVOKE workspace_platform FROM workspace_app",
        "group role as a member",
    ),
    ("GRANT workspace_platform TO test_app", "REVOKE workspace_platform FROM test_app", "a select of another"),
    ("GRANT test_owner TO test_app", "REVOKE test_owner FROM test_app", "more privileges than the application"),
];

/// A mutant of `mutants.sql`: its name, whether nothing may be served, a word of what is said, and its statements.
fn written_mutants() -> Vec<(&'static str, bool, &'static str, String)> {
    let mut mutants: Vec<(&str, bool, &str, String)> = Vec::new();
    for line in include_str!("mutants.sql").lines() {
        let heading = line.strip_prefix("-- ").map(|line| line.split(" | ").collect::<Vec<_>>());
        match (heading.as_deref(), mutants.last_mut()) {
            (Some([name, grade, word]), _) => mutants.push((name, *grade == "grave", word, String::new())),
            (_, Some((.., sql))) => sql.extend([line, "\n"]),
            _ => {}
        }
    }
    mutants
}

/// Each is noticed by the suite, and by the start-up check where somebody could reach another workspace's rows by it.
#[tokio::test]
async fn every_mutant_of_the_catalog_is_killed() {
    let database = TestDatabase::alone().await.unwrap();
    let superuser = database.superuser_url().unwrap();
    assert_eq!(conformance::violations_after(&superuser, "", TENANT_TABLES).await.unwrap(), []);
    let mutants = written_mutants();
    assert!(mutants.len() > 300, "the mutants were not read");
    // PostgreSQL 17 brought the right to maintain a table.
    let is_old = std::env::var("WORKSPACE_DB_TEST_POSTGRES").is_ok_and(|major| major == "16");
    let mut survivors = Vec::new();
    for (name, is_grave, word, sql) in mutants {
        if is_old && (sql.contains("MAINTAIN") || sql.contains("pg_maintain")) {
            continue;
        }
        let found = conformance::violations_after(&superuser, &sql, TENANT_TABLES).await;
        let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        let said = found.iter().any(|one| one.to_string().contains(word) && (one.is_grave || !is_grave));
        if !said || (!is_grave && found.iter().any(|one| one.is_grave)) {
            survivors.push(format!("{name}: {word:?} is not said, or in another grade: {found:#?}"));
        }
    }
    assert!(survivors.is_empty(), "{}", survivors.join("\n"));
}

/// Changes that break nothing: a table of one's own, one that is shared and says so, a view with its caller's rights.
#[rstest]
#[case::a_table_of_ones_own("CREATE TABLE tags (workspace_id uuid, id uuid, PRIMARY KEY (workspace_id, id)); SELECT workspace_db_isolate('tags')", &["tags"])]
#[case::a_shared_table("CREATE TABLE countries (code text PRIMARY KEY); ALTER TABLE countries ENABLE ROW LEVEL SECURITY; ALTER TABLE countries FORCE ROW LEVEL SECURITY; CREATE POLICY shared_with_every_workspace ON countries FOR SELECT USING (true); GRANT SELECT ON countries TO workspace_app, workspace_reader", &[])]
#[case::a_view("CREATE VIEW titles WITH (security_invoker) AS SELECT title FROM documents; GRANT SELECT ON titles TO workspace_app", &[])]
#[case::another_login("CREATE ROLE another LOGIN; GRANT workspace_app TO another", &[])]
#[case::a_table_of_nobodys_business("CREATE TABLE internals (x int)", &[])]
#[tokio::test]
async fn what_breaks_nothing_is_no_violation(#[case] sql: &str, #[case] more: &[&str]) {
    let database = TestDatabase::alone().await.unwrap();
    let tables: Vec<&str> = TENANT_TABLES.iter().chain(more).copied().collect();
    let found = conformance::violations_after(&database.superuser_url().unwrap(), sql, &tables).await.unwrap();
    assert_eq!(found, []);
}

#[tokio::test]
async fn every_mutant_of_a_table_is_killed() {
    let whole = TestDatabase::new().await.unwrap();
    seed_two(&whole).await;
    let mut survivors = Vec::new();
    let mut all = mutants();
    if !crate::is_long() {
        // Each takes a second and a half: a random dozen, and all of them in the long version.
        fastrand::Rng::with_seed(crate::seed_of(fastrand::u64(..))).shuffle(&mut all);
        all.truncate(12);
    }
    for (name, sql, word) in all {
        let database = whole.copy().await.unwrap();
        let mut superuser = db::connect(&database.superuser_url().unwrap()).await.unwrap();
        superuser.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = violations(&database, TENANT_TABLES).await;
        if !found.iter().any(|violation| violation.contains(word)) {
            survivors.push(format!("{name}: nothing says {word:?} in {found:#?}"));
        }
    }
    assert!(survivors.is_empty(), "{}", survivors.join("\n"));
}

#[tokio::test]
async fn every_mutant_of_a_role_is_killed() {
    let database = TestDatabase::alone().await.unwrap();
    seed_two(&database).await;
    let mut superuser = db::connect(&database.superuser_url().unwrap()).await.unwrap();
    for (sql, mended, word) in ROLE_MUTANTS {
        superuser.batch_execute(sql).await.unwrap();
        let found = violations(&database, TENANT_TABLES).await;
        assert!(found.iter().any(|violation| violation.contains(word)), "{sql}: nothing says {word:?} in {found:#?}");
        superuser.batch_execute(mended).await.unwrap();
    }
    assert_eq!(violations(&database, TENANT_TABLES).await, [""; 0], "a mutant was not mended");
}
