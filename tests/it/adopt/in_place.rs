//! Within the database of the old platform.

use diesel_async::SimpleAsyncConnection as _;
use secrecy::SecretString;
use workspace_db::auth::{self, ClientInfo};
use workspace_db::config::{Config, Environment};
use workspace_db::db::catalog::Catalog;
use workspace_db::doctor::{self, CheckStatus, Doctor};
use workspace_db::tenancy::Database;
use workspace_db_adopt::{Adoption, DependentOutcome};

use super::{Fixture, PASSWORD, count, key, rows};

#[tokio::test]
async fn the_new_tables_take_the_place_of_the_old_ones_which_are_kept_until_the_end() {
    let fixture = Fixture::with_every_fault().await;
    let url = fixture.old.url().unwrap();
    let adoption = Adoption::in_place(&url, Some(key()));
    let mut old = fixture.there().await;
    let before = rows(&mut old, "SELECT * FROM documents ORDER BY id").await;
    let report = adoption.run(&|_| ()).await.unwrap();
    assert!(report.compared.is_some());
    // The old application goes on.
    assert_eq!(rows(&mut old, "SELECT * FROM documents ORDER BY id").await, before);
    old.batch_execute("UPDATE documents SET title = 'late' WHERE id = w(1)").await.unwrap();
    // Somebody reads: the old tables can't be put aside, and nothing has happened.
    let mut reader = fixture.there().await;
    reader.batch_execute("BEGIN; SELECT count(*) FROM jobs").await.unwrap();
    let error = adoption.switch(false, &|_| ()).await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("readers did not release"), "{error}");
    reader.batch_execute("COMMIT").await.unwrap();
    adoption.switch(false, &|_| ()).await.unwrap();
    assert_eq!(count(&mut old, "workspace_db_before.documents").await, 6);
    let mut owner = workspace_db::db::connect(&url).await.unwrap();
    owner.batch_execute("SET ROLE workspace_platform").await.unwrap();
    assert_eq!(count(&mut owner, "documents WHERE title = 'late'").await, 1);
    owner.batch_execute("RESET ROLE").await.unwrap();
    // Object by object what the migrations make, at the place where they make it.
    let drift = Catalog::expected().drift(&Catalog::read(&url).await.unwrap());
    assert_eq!(format!("{drift:?}"), "[]");
    let config = Config { database_url: Some(url), environment: Environment::Development, ..Config::default() };
    let db = Database::open(&config).await.unwrap();
    let (session, _) =
        auth::log_in(&db, "jane@example.com", &SecretString::from(PASSWORD), &ClientInfo::default()).await.unwrap();
    assert!(session.platform(&db).await.is_ok());
    let again = adoption.run(&|_| ()).await.unwrap_err();
    assert!(again.is_conflict() && again.to_string().contains("--finish"), "{again}");
    let aside = fixture.folder.path().join("aside.jsonl");
    adoption.finish(&aside).await.unwrap();
    let left = "pg_namespace WHERE nspname LIKE 'workspace_db%'";
    assert_eq!(count(&mut owner, left).await, 0);
}

/// Objects of others: an enum column with a default and an index, foreign keys, a domain.
const OTHERS: &str = "
    CREATE TABLE tickets (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, text text NOT NULL,
        workspace_id uuid NOT NULL CONSTRAINT of_workspace REFERENCES workspaces ON DELETE CASCADE,
        owner uuid REFERENCES admin_users (id) ON DELETE SET NULL,
        state job_status NOT NULL DEFAULT 'queued', spoken language[], CHECK (state <> 'cancelled'::job_status));
    CREATE INDEX tickets_open ON tickets (state) WHERE state = 'queued';
    CREATE DOMAIN open_status AS conversation_status CHECK (VALUE <> 'closed');
    CREATE SCHEMA crm;
    CREATE TABLE crm.notes (id bigint, of open_status, workspace_id uuid REFERENCES public.workspaces DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO tickets (text, workspace_id, owner, spoken) VALUES ('a ticket', w(1), w(1), '{en,nl}'), ('another', w(2), NULL, NULL);
    INSERT INTO crm.notes VALUES (1, 'open', w(2))";
const TICKETS: &str = "SELECT id, text, workspace_id, owner, state::text, spoken::text FROM tickets ORDER BY id";

#[tokio::test]
async fn other_peoples_tables_keep_their_columns_keys_and_rows() {
    let fixture = Fixture::with_every_fault().await;
    let url = fixture.old.url().unwrap();
    let mut owner = fixture.there().await;
    owner.batch_execute(OTHERS).await.unwrap();
    let tickets = rows(&mut owner, TICKETS).await;
    let adoption = Adoption::in_place(&url, Some(key()));
    let plan = adoption.plan().await.unwrap();
    adoption.check(&plan).unwrap();
    let becomes = |object: &str| plan.dependents.iter().find(|one| one.object.contains(object)).map(|one| one.becomes);
    for (object, outcome) in [
        ("constraint of_workspace on table tickets", DependentOutcome::Repointed),
        ("constraint tickets_owner_fkey on table tickets", DependentOutcome::Repointed),
        ("constraint notes_workspace_id_fkey on table crm.notes", DependentOutcome::Repointed),
        ("column state of table tickets", DependentOutcome::Kept),
        ("column spoken of table tickets", DependentOutcome::Kept),
        ("type open_status", DependentOutcome::Kept),
    ] {
        assert_eq!(becomes(object), Some(outcome), "{object}: {:#?}", plan.dependents);
    }
    adoption.run(&|_| ()).await.unwrap();
    adoption.switch(false, &|_| ()).await.unwrap();
    assert_eq!(rows(&mut owner, TICKETS).await, tickets);
    let error =
        owner.batch_execute("INSERT INTO tickets (text, workspace_id) VALUES ('of nobody', gen_random_uuid())").await;
    assert!(error.unwrap_err().to_string().contains("of_workspace"));
    // The key refers to the new table: its rows go with the workspace.
    owner
        .batch_execute(
            "BEGIN; SET LOCAL ROLE workspace_platform; DELETE FROM workspaces WHERE slug = 'one'; RESET ROLE",
        )
        .await
        .unwrap();
    assert_eq!(count(&mut owner, "tickets").await, 1);
    owner.batch_execute("ROLLBACK").await.unwrap();

    let aside = fixture.folder.path().join("aside.jsonl");
    // A view that somebody makes of the old tables after the switch is not dropped either.
    owner.batch_execute("CREATE VIEW old_documents AS SELECT title FROM workspace_db_before.documents").await.unwrap();
    let error = adoption.finish(&aside).await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("old_documents"), "{error}");
    assert_eq!(count(&mut owner, "workspace_db_before.documents").await, 6);
    owner.batch_execute("DROP VIEW old_documents").await.unwrap();
    let finished = adoption.finish(&aside).await.unwrap();
    let kept = ["conversation_status", "job_status", "language"].map(|name| format!("workspace_db_before.{name}"));
    assert_eq!(finished.kept_types, kept);
    assert_eq!(rows(&mut owner, TICKETS).await, tickets);
    assert_eq!(count(&mut owner, "pg_class WHERE relname = 'tickets_open'").await, 1);
}

#[tokio::test]
async fn objects_that_the_new_tables_cant_carry_prevent_the_switch_and_stay() {
    for (make, object, drop) in [
        ("CREATE VIEW titles AS SELECT title, status FROM documents", "view titles", "DROP VIEW titles"),
        (
            "CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM messages",
            "materialized view counted",
            "DROP MATERIALIZED VIEW counted",
        ),
        (
            "CREATE PUBLICATION changes FOR TABLE messages, jobs",
            "publication of table messages",
            "DROP PUBLICATION changes",
        ),
        (
            "CREATE TABLE reviews (document_id uuid REFERENCES documents (id))",
            "reviews_document_id_fkey",
            "DROP TABLE reviews",
        ),
        (
            "CREATE FUNCTION newest() RETURNS documents LANGUAGE sql AS 'SELECT * FROM documents LIMIT 1'",
            "function newest()",
            "DROP FUNCTION newest()",
        ),
        ("CREATE TABLE archived_jobs () INHERITS (jobs)", "table archived_jobs", "DROP TABLE archived_jobs"),
        ("CREATE TABLE audit_log (text text)", "table audit_log", "DROP TABLE audit_log"),
        ("CREATE TYPE document_status AS ENUM ('x')", "type document_status", "DROP TYPE document_status"),
        ("CREATE TABLE copies (row documents)", "column row of table copies", "DROP TABLE copies"),
    ] {
        let fixture = Fixture::empty().await;
        let url = fixture.old.url().unwrap();
        let mut owner = fixture.there().await;
        owner.batch_execute(make).await.unwrap();
        let adoption = Adoption::in_place(&url, Some(key()));
        let plan = adoption.plan().await.unwrap();
        let blocking: Vec<_> = plan.dependents.iter().filter(|one| one.becomes == DependentOutcome::Blocking).collect();
        assert!(blocking.iter().any(|one| one.object.contains(object)), "{make}: {:?}", plan.dependents);
        assert!(adoption.check(&plan).unwrap_err().is_conflict());
        adoption.run(&|_| ()).await.unwrap();
        let error = adoption.switch(false, &|_| ()).await.unwrap_err();
        assert!(error.is_conflict() && error.to_string().contains(object), "{make}: {error}");
        owner.batch_execute(drop).await.unwrap();
        adoption.switch(false, &|_| ()).await.unwrap();
    }
}

#[tokio::test]
async fn publications_that_name_no_table_prevent_the_switch() {
    for which in ["FOR ALL TABLES", "FOR TABLES IN SCHEMA public"] {
        let fixture = Fixture::empty().await;
        let mut superuser = workspace_db::db::connect(&fixture.old.superuser_url().unwrap()).await.unwrap();
        superuser.batch_execute(&format!("CREATE PUBLICATION everything {which}")).await.unwrap();
        let plan = Adoption::in_place(&fixture.old.url().unwrap(), None).plan().await.unwrap();
        let blocking: Vec<_> = plan.dependents.iter().filter(|one| one.becomes == DependentOutcome::Blocking).collect();
        assert!(blocking.iter().any(|one| one.object == "publication everything"), "{which}: {blocking:?}");
        superuser.batch_execute("DROP PUBLICATION everything").await.unwrap();
    }
}

#[tokio::test]
async fn triggers_and_policies_of_the_old_tables_are_listed() {
    let fixture = Fixture::empty().await;
    let own =
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
        CREATE TRIGGER touched BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION touch();
        CREATE STATISTICS of_jobs ON status, job_type FROM jobs;
        GRANT SELECT, INSERT ON documents TO PUBLIC; GRANT UPDATE (title) ON documents TO PUBLIC";
    fixture.there().await.batch_execute(own).await.unwrap();
    let plan = Adoption::in_place(&fixture.old.url().unwrap(), None).plan().await.unwrap();
    let dropped: Vec<&str> =
        plan.dependents.iter().filter(|one| one.becomes == DependentOutcome::Dropped).map(|one| &*one.object).collect();
    assert_eq!(
        dropped,
        [
            "INSERT, SELECT, UPDATE of columns on table documents for PUBLIC",
            "statistics object of_jobs",
            "trigger touched on table documents"
        ]
    );
}

#[tokio::test]
async fn an_extension_in_another_schema_is_moved_first() {
    let fixture = Fixture::with_every_fault().await;
    let url = fixture.old.url().unwrap();
    let mut superuser = workspace_db::db::connect(&fixture.old.superuser_url().unwrap()).await.unwrap();
    let distant = "CREATE SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO PUBLIC; ALTER EXTENSION vector SET SCHEMA extensions";
    superuser.batch_execute(distant).await.unwrap();
    let adoption = Adoption::in_place(&url, Some(super::key()));
    let plan = adoption.plan().await.unwrap();
    let error = adoption.check(&plan).unwrap_err();
    assert!(error.to_string().contains("extension vector in schema extensions"), "{error}");
    let error = adoption.run(&|_| ()).await.unwrap_err();
    assert!(
        error.is_missing_prerequisite() && error.to_string().contains("ALTER EXTENSION vector SET SCHEMA public"),
        "{error}"
    );
    // Another database can be adopted as it is.
    fixture.run().await.unwrap();
    superuser.batch_execute("ALTER EXTENSION vector SET SCHEMA public").await.unwrap();
    adoption.run(&|_| ()).await.unwrap();
}

#[tokio::test]
async fn the_database_is_fit_between_switch_and_finish_and_there_is_a_way_back() {
    let fixture = Fixture::with_every_fault().await;
    let url = fixture.old.url().unwrap();
    let mut owner = fixture.there().await;
    let own = "CREATE TABLE colleagues (state admin_status NOT NULL, of uuid REFERENCES admin_users (id));
        INSERT INTO colleagues VALUES ('active', w(1))";
    owner.batch_execute(own).await.unwrap();
    let colleagues = "SELECT state::text, of FROM colleagues";
    let (documents, before) =
        (rows(&mut owner, "SELECT * FROM documents ORDER BY id").await, rows(&mut owner, colleagues).await);
    let adoption = Adoption::in_place(&url, Some(key()));
    let early = adoption.switch_back().await.unwrap_err();
    assert!(early.is_conflict(), "{early}");
    adoption.run(&|_| ()).await.unwrap();
    for round in 0..2 {
        adoption.switch(false, &|_| ()).await.unwrap();
        let config =
            Config { database_url: Some(url.clone()), environment: Environment::Development, ..Config::default() };
        let db = Database::open(&config).await.unwrap();
        doctor::fit_to_serve(&db).await.unwrap();
        let diagnosis = Doctor::new(&config).unwrap().run_checks().await.unwrap();
        let failed: Vec<_> = diagnosis.iter().filter(|one| one.status == CheckStatus::Fail).collect();
        assert!(failed.is_empty(), "round {round}: {failed:#?}");
        drop(db);
        if round == 1 {
            break;
        }
        // The new application's writes since the switch are not kept, and disturb nothing.
        owner
            .batch_execute(
                "BEGIN; SET LOCAL ROLE workspace_platform; UPDATE documents SET title = 'by the new application';
                 DELETE FROM messages; UPDATE admin_users SET last_login_at = now(); COMMIT",
            )
            .await
            .unwrap();
        adoption.switch_back().await.unwrap();
        // The old application's tables, types and keys are as they were.
        assert_eq!(rows(&mut owner, "SELECT * FROM documents ORDER BY id").await, documents);
        assert_eq!(rows(&mut owner, colleagues).await, before);
        owner.batch_execute("INSERT INTO messages (workspace_id, conversation_id, role, content) VALUES (w(2), w(2), 'user', 'after the way back')").await.unwrap();
        assert_eq!(count(&mut owner, "pg_namespace WHERE nspname = 'workspace_db_before'").await, 0);
        assert!(adoption.switch(false, &|_| ()).await.unwrap_err().to_string().contains("not copied completely"));
        let report = adoption.run(&|_| ()).await.unwrap();
        assert!(report.compared.is_some(), "{report:?}");
    }
    let drift = Catalog::expected().drift(&Catalog::read(&url).await.unwrap());
    assert_eq!(format!("{drift:?}"), "[]");
    owner.batch_execute("SET ROLE workspace_platform").await.unwrap();
    assert_eq!(count(&mut owner, "messages WHERE content = 'after the way back'").await, 1);
}
