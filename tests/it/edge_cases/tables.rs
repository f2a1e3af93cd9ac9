//! Tables of one's own, as others make them: each is carried whole, or refused by its name before anything is touched.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use rstest::rstest;
use workspace_db::db::connect;
use workspace_db::tenancy::{Database, PlatformScope, WorkspaceScope};
use workspace_db::transfer::{
    DatabaseSide, ImportOptions, ReceiptKey, erase, erase_person, export, export_person, import, relocate,
};
use workspace_db_testing::{SeededWorkspace, TestDatabase, seed};

use crate::folder::Folder;

const KEY: &str = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";

struct Fixture {
    database: TestDatabase,
    db: Database,
    superuser: AsyncPgConnection,
    a: SeededWorkspace,
    folder: Folder,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    text: String,
}

impl Fixture {
    /// With tables that the owner makes, and rows of workspace `a` in them, whose id replaces `:a`.
    async fn with(tables: &str, rows: &str) -> Self {
        let database = TestDatabase::new().await.unwrap();
        let mut owner = database.connect().await.unwrap();
        let a = seed(&mut owner, "a").await.unwrap();
        seed(&mut owner, "b").await.unwrap();
        let mut owner = connect(&database.url().unwrap()).await.unwrap();
        owner.batch_execute(tables).await.expect(tables);
        let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
        let rows = rows.replace(":a", &format!("'{}'", a.workspace));
        superuser.batch_execute(&rows).await.expect(&rows);
        Self { db: database.open(8).await.unwrap(), database, superuser, a, folder: Folder::new() }
    }

    fn scope(&self) -> WorkspaceScope<workspace_db::tenancy::Administer> {
        WorkspaceScope::unchecked_administer(self.a.workspace, "a test")
    }

    fn archive(&self) -> std::path::PathBuf {
        self.folder.path().join("a.tar")
    }

    async fn text(&mut self, query: &str) -> String {
        let query = query.replace(":a", &format!("'{}'", self.a.workspace));
        diesel::sql_query(&query).get_result::<Row>(&mut self.superuser).await.expect(&query).text
    }

    async fn erase(&self) -> workspace_db::Result<workspace_db::transfer::Receipt> {
        let key = ReceiptKey::from_base64(KEY).unwrap();
        let operator = PlatformScope::unchecked("a test");
        erase(&self.db, &operator, self.a.workspace, &key, &|_| ()).await?.verified(&key.public())
    }
}

const ISOLATED: &str = "workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE, id uuid NOT NULL DEFAULT gen_random_uuid()";

/// What an archive carries: the tables, rows, and what must be the same before and after.
#[rstest]
#[case::two_that_refer_to_each_other(
    format!("CREATE TABLE one ({ISOLATED}, other uuid, PRIMARY KEY (workspace_id, id));
        CREATE TABLE two ({ISOLATED}, other uuid, PRIMARY KEY (workspace_id, id), FOREIGN KEY (workspace_id, other) REFERENCES one (workspace_id, id));
        ALTER TABLE one ADD FOREIGN KEY (workspace_id, other) REFERENCES two (workspace_id, id);
        CREATE TABLE zebra ({ISOLATED}, of uuid NOT NULL, PRIMARY KEY (workspace_id, id), FOREIGN KEY (workspace_id, of) REFERENCES two (workspace_id, id));
        CREATE TABLE ant ({ISOLATED}, of uuid NOT NULL, PRIMARY KEY (workspace_id, id), FOREIGN KEY (workspace_id, of) REFERENCES one (workspace_id, id));
        SELECT workspace_db_isolate(t) FROM unnest(ARRAY['one', 'two', 'zebra', 'ant']::regclass[]) t"),
    "INSERT INTO one (workspace_id) SELECT :a FROM generate_series(1, 3);
     INSERT INTO two (workspace_id, other) SELECT workspace_id, id FROM one;
     UPDATE one SET other = (SELECT two.id FROM two WHERE two.other = one.id);
     INSERT INTO zebra (workspace_id, of) SELECT workspace_id, id FROM two; INSERT INTO ant (workspace_id, of) SELECT workspace_id, id FROM one",
    "SELECT string_agg(id || other::text, ' ' ORDER BY id) || (SELECT count(*) FROM zebra) || (SELECT count(*) FROM ant) AS text FROM one WHERE workspace_id = :a"
)]
#[case::one_that_refers_to_itself(
    format!("CREATE TABLE folders ({ISOLATED}, parent uuid, PRIMARY KEY (workspace_id, id), FOREIGN KEY (workspace_id, parent) REFERENCES folders (workspace_id, id));
        SELECT workspace_db_isolate('folders')"),
    "INSERT INTO folders (workspace_id, id) SELECT :a, ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid FROM generate_series(1, 40) n;
     UPDATE folders SET parent = ('00000000-0000-0000-0000-' || lpad((right(id::text, 12)::int % 40 + 1)::text, 12, '0'))::uuid",
    "SELECT string_agg(id || parent::text, ' ' ORDER BY id) AS text FROM folders WHERE workspace_id = :a"
)]
#[case::one_whose_trigger_sets_a_time(
    format!("CREATE TABLE notes ({ISOLATED}, at timestamptz NOT NULL, text text, PRIMARY KEY (workspace_id, id));
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); NEW.text := 'touched'; RETURN NEW; END $$;
        CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch();
        SELECT workspace_db_isolate('notes')"),
    "ALTER TABLE notes DISABLE TRIGGER USER; INSERT INTO notes (workspace_id, at, text) VALUES (:a, '2001-02-03', 'as it was');
     ALTER TABLE notes ENABLE TRIGGER USER",
    "SELECT at::text || text || (SELECT string_agg(tgenabled::text, '') FROM pg_trigger WHERE tgname = 'touch') AS text FROM notes WHERE workspace_id = :a"
)]
#[case::one_without_a_primary_key(
    "CREATE TABLE marks (workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE, v text);
        SELECT workspace_db_isolate('marks')".to_owned(),
    "INSERT INTO marks SELECT :a, 'x' FROM generate_series(1, 5)",
    "SELECT count(*)::text AS text FROM marks WHERE workspace_id = :a"
)]
#[case::arrays_of_two_dimensions(
    format!("CREATE TABLE grids ({ISOLATED}, t text[][], n integer[][], PRIMARY KEY (workspace_id, id)); SELECT workspace_db_isolate('grids')"),
    r#"INSERT INTO grids (workspace_id, t, n) VALUES (:a, '{{a,NULL},{"c,}","d\""}}', '{{1,2},{3,4}}'), (:a, '[0:1]={a,b}', NULL), (:a, '{}', '{}'), (:a, '[2:3][0:0]={{x},{y}}', '[5:5]={7}')"#,
    "SELECT string_agg(t::text || coalesce(n::text, '-'), ' ' ORDER BY id) AS text FROM grids WHERE workspace_id = :a"
)]
#[case::a_restrictive_policy_that_hides_nothing(
    format!("CREATE TABLE bounded ({ISOLATED}, n integer, PRIMARY KEY (workspace_id, id)); SELECT workspace_db_isolate('bounded');
        CREATE POLICY small ON bounded AS RESTRICTIVE TO PUBLIC WITH CHECK (n < 10)"),
    "INSERT INTO bounded (workspace_id, n) VALUES (:a, 5)",
    "SELECT string_agg(id || n::text, ' ') AS text FROM bounded WHERE workspace_id = :a"
)]
#[case::identity_and_generated_columns(
    format!("CREATE TABLE tickets ({ISOLATED}, number bigint GENERATED ALWAYS AS IDENTITY, twice bigint GENERATED ALWAYS AS (2 * price) STORED, price bigint, PRIMARY KEY (workspace_id, id));
        SELECT workspace_db_isolate('tickets')"),
    "INSERT INTO tickets (workspace_id, price) VALUES (:a, 5), (:a, 6)",
    "SELECT string_agg(number || ' ' || twice, ' ' ORDER BY id) AS text FROM tickets WHERE workspace_id = :a"
)]
#[tokio::test]
async fn an_archive_carries(#[case] tables: String, #[case] rows: &str, #[case] same: &str) {
    let mut fixture = Fixture::with(&tables, rows).await;
    let before = fixture.text(same).await;
    export(&fixture.db, &fixture.scope(), &fixture.archive(), &|_| ()).await.unwrap();
    let receipt = fixture.erase().await.unwrap();
    assert!(receipt.tables.values().all(|rows| rows.left == 0), "{receipt:?}");
    let operator = PlatformScope::unchecked("a test");
    let options = ImportOptions { restores: true, ..ImportOptions::default() };
    import(&fixture.db, &operator, &fixture.archive(), options, &|_| ()).await.unwrap();
    assert_eq!(fixture.text(same).await, before);
}

/// What hangs on a workspace and no archive holds: the tables, a row, the name, whether an erasure takes it along.
#[rstest]
#[case::of_another_schema(
    "CREATE SCHEMA crm; CREATE TABLE crm.notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE);
     GRANT USAGE ON SCHEMA crm TO workspace_platform; GRANT SELECT ON crm.notes TO workspace_platform",
    "INSERT INTO crm.notes (workspace_id) VALUES (:a)", "crm.notes", true
)]
#[case::of_another_schema_that_nobody_may_read(
    "CREATE SCHEMA crm; CREATE TABLE crm.notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE)",
    "INSERT INTO crm.notes (workspace_id) VALUES (:a)",
    "crm.notes",
    false
)]
#[case::of_another_schema_without_a_foreign_key(
    "CREATE SCHEMA crm; CREATE TABLE crm.\"Notes of ours\" (workspace_id uuid NOT NULL);
     GRANT USAGE ON SCHEMA crm TO workspace_platform; GRANT SELECT ON crm.\"Notes of ours\" TO workspace_platform",
    "INSERT INTO crm.\"Notes of ours\" VALUES (:a)",
    "crm.\"Notes of ours\"",
    false
)]
#[case::of_another_schema_whose_rows_the_platform_does_not_see(
    "CREATE SCHEMA crm; CREATE TABLE crm.notes (workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE);
     GRANT USAGE ON SCHEMA crm TO workspace_platform; GRANT SELECT ON crm.notes TO workspace_platform;
     ALTER TABLE crm.notes ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON crm.notes TO workspace_platform USING (workspace_id IS NULL)",
    "INSERT INTO crm.notes VALUES (:a)", "crm.notes", false
)]
#[case::of_the_schema_whose_rows_the_platform_does_not_see(
    "CREATE TABLE hidden (workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE, id uuid DEFAULT gen_random_uuid(), PRIMARY KEY (workspace_id, id));
     SELECT workspace_db_isolate('hidden'); CREATE POLICY narrow ON hidden AS RESTRICTIVE TO workspace_platform USING (false)",
    "INSERT INTO hidden VALUES (:a)", "public.hidden", false
)]
#[case::of_another_workspace_by_a_key_without_it(
    "CREATE TABLE keyed (workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE, id uuid DEFAULT gen_random_uuid(),
        of uuid, PRIMARY KEY (workspace_id, id)); ALTER TABLE documents ADD UNIQUE (id);
     ALTER TABLE keyed ADD CONSTRAINT keyed_of_fkey FOREIGN KEY (of) REFERENCES documents (id) ON DELETE CASCADE; SELECT workspace_db_isolate('keyed')",
    "INSERT INTO keyed (workspace_id, of) SELECT w.id, d.id FROM documents d, workspaces w WHERE d.workspace_id = :a AND w.id <> :a LIMIT 1", "public.keyed", false
)]
#[case::without_a_workspace_of_its_own(
    "CREATE TABLE lines (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), w uuid, d uuid, FOREIGN KEY (w, d) REFERENCES documents (workspace_id, id) ON DELETE CASCADE);
     GRANT SELECT ON lines TO workspace_platform",
    "INSERT INTO lines (w, d) SELECT workspace_id, id FROM documents WHERE workspace_id = :a", "public.lines", true
)]
#[case::that_keeps_its_parent(
    "CREATE TABLE lines (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), w uuid, d uuid, FOREIGN KEY (w, d) REFERENCES documents (workspace_id, id));
     GRANT SELECT ON lines TO workspace_platform",
    "INSERT INTO lines (w, d) SELECT workspace_id, id FROM documents WHERE workspace_id = :a", "public.lines", false
)]
#[case::at_the_second_step(
    "CREATE TABLE lines (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), w uuid, d uuid, FOREIGN KEY (w, d) REFERENCES documents (workspace_id, id) ON DELETE CASCADE);
     CREATE TABLE words (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), line uuid REFERENCES lines (id) ON DELETE CASCADE);
     GRANT SELECT ON lines, words TO workspace_platform",
    "INSERT INTO lines (w, d) SELECT workspace_id, id FROM documents WHERE workspace_id = :a; INSERT INTO words (line) SELECT id FROM lines", "public.words", true
)]
#[tokio::test]
async fn a_table_that_hangs_on_a_workspace(
    #[case] tables: &str,
    #[case] row: &str,
    #[case] name: &str,
    #[case] goes_along: bool,
) {
    let mut fixture = Fixture::with(tables, row).await;
    let use_of_it = "SELECT is_active::text || is_published AS text FROM workspaces WHERE id = :a";
    let in_use = fixture.text(use_of_it).await;
    if name != "public.keyed" {
        let error = export(&fixture.db, &fixture.scope(), &fixture.archive(), &|_| ()).await.unwrap_err();
        assert!(error.is_conflict(), "{error}");
        assert!(error.to_string().contains(name) || name == "public.words", "{error}");
        assert!(!fixture.archive().exists());
    }
    let other = TestDatabase::new().await.unwrap();
    let (target, key) = (other.open(4).await.unwrap(), ReceiptKey::from_base64(KEY).unwrap());
    let operator = PlatformScope::unchecked("a test");
    let (from, to) =
        (DatabaseSide { db: &fixture.db, platform: &operator }, DatabaseSide { db: &target, platform: &operator });
    let error = relocate(from, to, fixture.a.workspace, &fixture.archive(), &key, &|_| ()).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert_eq!(fixture.text(use_of_it).await, in_use, "a refused move has touched it");

    match fixture.erase().await {
        Ok(receipt) => {
            assert!(goes_along, "{receipt:?}");
            let rows = receipt.tables.get(name).unwrap_or_else(|| panic!("{receipt:?}"));
            assert_eq!((rows.before, rows.left), (1, 0));
        }
        Err(error) => {
            assert!(!goes_along && error.is_conflict() && error.to_string().contains(name), "{error}");
            assert_eq!(fixture.text(use_of_it).await, in_use, "a refused erasure has touched it");
            let rows = fixture.text(&format!("SELECT count(*)::text AS text FROM {name}")).await;
            assert_eq!(rows, "1");
        }
    }
}

#[rstest]
#[case::keeps_them("RETURN NULL")]
#[case::raises("RAISE EXCEPTION 'kept by law'")]
#[tokio::test]
async fn an_erasure_that_a_trigger_would_stop_is_refused_and_leaves_the_workspace_as_it_was(#[case] does: &str) {
    let tables = format!(
        "CREATE TABLE notes ({ISOLATED}, PRIMARY KEY (workspace_id, id)); SELECT workspace_db_isolate('notes');
         CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does}; END $$;
         CREATE TRIGGER keep BEFORE DELETE ON notes FOR EACH ROW EXECUTE FUNCTION keep()"
    );
    let mut fixture = Fixture::with(&tables, "INSERT INTO notes (workspace_id) VALUES (:a)").await;
    let state =
        "SELECT is_active::text || is_published || (SELECT count(*) FROM messages) || (SELECT count(*) FROM audit_log)
        AS text FROM workspaces WHERE id = :a";
    let before = fixture.text(state).await;
    let error = fixture.erase().await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("notes"), "{error}");
    assert_eq!(fixture.text(state).await, before);
}

#[tokio::test]
async fn a_persons_rows_are_those_of_ones_own_tables_too() {
    let tables = format!(
        "CREATE TABLE pictures ({ISOLATED}, conversation_id uuid NOT NULL, PRIMARY KEY (workspace_id, id),
            FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversations (workspace_id, id) ON DELETE CASCADE);
         CREATE TABLE captions ({ISOLATED}, picture_id uuid NOT NULL, PRIMARY KEY (workspace_id, id),
            FOREIGN KEY (workspace_id, picture_id) REFERENCES pictures (workspace_id, id));
         SELECT workspace_db_isolate('pictures'), workspace_db_isolate('captions')"
    );
    let rows = "UPDATE conversations SET external_user_id = 'jane';
        INSERT INTO pictures (workspace_id, conversation_id) SELECT workspace_id, id FROM conversations;
        INSERT INTO captions (workspace_id, picture_id) SELECT workspace_id, id FROM pictures";
    let mut fixture = Fixture::with(&tables, rows).await;
    let manifest = export_person(&fixture.db, &fixture.scope(), "jane", &fixture.archive(), &|_| ()).await.unwrap();
    let of = |name: &str| manifest.tables.iter().find(|table| table.name == name).map(|table| table.rows);
    assert_eq!((of("pictures"), of("captions"), of("conversations")), (Some(1), Some(1), Some(1)));

    let key = ReceiptKey::from_base64(KEY).unwrap();
    let lines = "CREATE TABLE lines (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), w uuid, m uuid,
            FOREIGN KEY (w, m) REFERENCES messages (workspace_id, id) ON DELETE CASCADE);
        INSERT INTO lines (w, m) SELECT workspace_id, id FROM messages";
    fixture.superuser.batch_execute(lines).await.unwrap();
    let refused = erase_person(&fixture.db, &fixture.scope(), "jane", &key, &|_| ()).await.unwrap_err();
    assert!(refused.to_string().contains("public.lines"), "{refused}");
    fixture.superuser.batch_execute("GRANT SELECT ON lines TO workspace_platform").await.unwrap();
    let receipt = erase_person(&fixture.db, &fixture.scope(), "jane", &key, &|_| ()).await.unwrap();
    let receipt = receipt.verified(&key.public()).unwrap();
    for table in ["pictures", "captions", "conversations", "public.lines"] {
        assert_eq!((receipt.tables[table].before, receipt.tables[table].left), (1, 0), "{table}: {receipt:?}");
    }
    let left = "SELECT (SELECT count(*) FROM pictures) || ' ' || (SELECT count(*) FROM captions) || ' ' || (SELECT count(*) FROM lines) AS text";
    assert_eq!(fixture.text(left).await, "1 1 1", "only the other workspace's are left");
}

/// A person's rows that another person's refer to are refused whole: before, what came first was gone when the last failed.
#[tokio::test]
async fn rows_that_another_persons_refer_to_are_refused_before_anything_is_deleted() {
    let tables = format!(
        "CREATE TABLE comments ({ISOLATED}, conversation_id uuid NOT NULL, parent uuid, PRIMARY KEY (workspace_id, id),
            FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversations (workspace_id, id) ON DELETE CASCADE,
            CONSTRAINT comments_parent_fkey FOREIGN KEY (workspace_id, parent) REFERENCES comments (workspace_id, id));
         SELECT workspace_db_isolate('comments')"
    );
    let rows = "UPDATE conversations SET external_user_id = 'jane';
        INSERT INTO conversations (workspace_id, external_user_id) VALUES (:a, 'john');
        INSERT INTO comments (workspace_id, id, conversation_id) SELECT workspace_id, id, id FROM conversations;
        UPDATE comments SET parent = (SELECT id FROM conversations c WHERE c.workspace_id = :a AND external_user_id = 'jane')
            WHERE workspace_id = :a AND id = (SELECT id FROM conversations WHERE external_user_id = 'john')";
    let mut fixture = Fixture::with(&tables, rows).await;
    let key = ReceiptKey::from_base64(KEY).unwrap();
    let count = "SELECT (SELECT count(*) FROM comments) || ' ' || (SELECT count(*) FROM messages) AS text";
    let before = fixture.text(count).await;
    let refused = erase_person(&fixture.db, &fixture.scope(), "jane", &key, &|_| ()).await.unwrap_err();
    assert!(refused.is_conflict() && refused.to_string().contains("comments_parent_fkey"), "{refused}");
    assert_eq!(fixture.text(count).await, before);
    fixture.superuser.batch_execute("UPDATE comments SET parent = NULL").await.unwrap();
    erase_person(&fixture.db, &fixture.scope(), "jane", &key, &|_| ()).await.unwrap();
}

#[derive(QueryableByName)]
struct MetRow {
    #[diesel(sql_type = Bool)]
    met: bool,
}

#[tokio::test]
async fn nobody_but_the_platform_puts_triggers_out_of_use() {
    let mut fixture = Fixture::with("SELECT 1", "SELECT 1").await;
    let may = "SELECT bool_or(has_function_privilege(r, 'workspace_db_disable_triggers(regclass)', 'EXECUTE')) AS met
        FROM unnest(ARRAY['workspace_app', 'workspace_reader', 'public']) r";
    assert!(!diesel::sql_query(may).get_result::<MetRow>(&mut fixture.superuser).await.unwrap().met);
    let audit = fixture.db.across_workspaces("a test", async |conn| {
        conn.batch_execute("SELECT workspace_db_disable_triggers('audit_log')").await?;
        Ok::<_, workspace_db::Error>(())
    });
    assert!(audit.await.unwrap_err().to_string().contains("audit log"));
    drop(fixture.database);
}
