//! Migrations as editors, `pg_dump` and other tools leave them: what Diesel's runner takes is taken, the rest refused by name.

use std::fs;

use rstest::rstest;
use workspace_db::config::Environment;
use workspace_db::db::migrations::{Migrator, RevertCount};
use workspace_db_testing::TestDatabase;

use crate::folder::Folder;

const NAME: &str = "2999-01-01-000000_odd";
const DOWN: &[u8] = b"SELECT 1;";

fn folder(files: &[(&str, &[u8])]) -> Folder {
    let folder = Folder::new();
    for (file, bytes) in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

const LIFE: &[u8] = b"CREATE TABLE life (id integer PRIMARY KEY);\n";
const VIEW: &[u8] = b"CREATE MATERIALIZED VIEW odd AS SELECT 1 AS n; CREATE UNIQUE INDEX ON odd (n);
    REFRESH MATERIALIZED VIEW CONCURRENTLY odd; DROP MATERIALIZED VIEW odd; CREATE TABLE life (id integer PRIMARY KEY)";

/// What becomes of a folder of migrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunResult {
    Runs,
    Fails,
}
use RunResult::{Fails, Runs};

/// A folder through Diesel's own runner, over a connection of its own.
async fn by_diesel(database: &TestDatabase, folder: &std::path::Path) -> RunResult {
    use diesel::Connection as _;
    use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
    use diesel_migrations::{FileBasedMigrations, MigrationHarness as _};
    let (url, folder) = (database.url().unwrap(), folder.to_owned());
    let ran = tokio::task::spawn_blocking(move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let migrations = FileBasedMigrations::from_path(folder)?;
        let mut conn = AsyncConnectionWrapper::<diesel_async::AsyncPgConnection>::establish(url.expose())?;
        // Ours stand in the table already; pending are those of the folder alone.
        for migration in conn.pending_migrations(migrations)? {
            conn.run_migration(&migration)?;
        }
        Ok(())
    });
    if ran.await.unwrap().is_ok() { Runs } else { Fails }
}

async fn by_ours(database: &TestDatabase, folder: &std::path::Path) -> RunResult {
    match Migrator::new(&database.url().unwrap(), Environment::Development).with_folder(folder) {
        Ok(migrator) if migrator.run(|_| ()).await.is_ok() => Runs,
        _ => Fails,
    }
}

/// A folder's files with their texts, and what becomes of them by Diesel's runner and by ours.
type Case = (&'static str, Files, RunResult, RunResult);
type Files = Vec<(&'static str, &'static str)>;

const TABLE: &str = "CREATE TABLE life (id integer)";

fn up(text: &'static str) -> Files {
    vec![("2999-01-01-000000_odd/up.sql", text)]
}

fn with(text: &'static str, more: &[(&'static str, &'static str)]) -> Files {
    [up(text), more.to_vec()].concat()
}

fn metadata(text: &'static str) -> Files {
    with(TABLE, &[("2999-01-01-000000_odd/metadata.toml", text)])
}

fn texts() -> Vec<Case> {
    vec![
        ("no way back", up(TABLE), Runs, Runs),
        ("no semicolon and no line end", up("CREATE TABLE life (id integer)  "), Runs, Runs),
        ("statements on one line", up("CREATE TABLE life (id integer); CREATE INDEX ON life (id); ;;"), Runs, Runs),
        ("line ends of Windows", up("CREATE TABLE life (\r\n id integer\r\n);\r\n"), Runs, Runs),
        ("line ends of the first Mac", up("CREATE TABLE life (\r id integer\r);\r"), Runs, Runs),
        ("blanks of every kind", up("\n\t\u{c}CREATE\tTABLE \x0c life (id integer)"), Runs, Runs),
        ("nested comments", up("/* a /* b */ ; c */ CREATE TABLE life (id integer) -- end;"), Runs, Runs),
        (
            "a semicolon in a text",
            up("CREATE TABLE life (id text DEFAULT ';', \"a;b\" text DEFAULT E'\\';')"),
            Runs,
            Runs,
        ),
        (
            "dollars in dollars",
            up("DO $a$ BEGIN EXECUTE $b$ CREATE TABLE life (id integer); $b$; END $a$;"),
            Runs,
            Runs,
        ),
        (
            "a body in standard SQL",
            up(
                "CREATE TABLE life (id integer); CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END;",
            ),
            Runs,
            Runs,
        ),
        (
            "a procedure that begins",
            up("CREATE TABLE life (id integer); CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN NULL; END'"),
            Runs,
            Runs,
        ),
        (
            "a rule with two commands",
            up("CREATE TABLE life (id integer); CREATE RULE r AS ON INSERT TO life DO ALSO (SELECT 1; SELECT 2)"),
            Runs,
            Runs,
        ),
        (
            "names beyond ASCII",
            up("CREATE TABLE life (id integer, \"gr\u{f6}\u{df}e\" text); COMMENT ON TABLE life IS '\u{1f600}'"),
            Runs,
            Runs,
        ),
        (
            "a percent sign and a question mark",
            up("CREATE TABLE life (id integer CHECK (id % 2 = 0)); SELECT '{}'::jsonb ? 'a', '$1'"),
            Runs,
            Runs,
        ),
        ("a search path of its own", up("SET search_path = public; CREATE TABLE life (id integer)"), Runs, Runs),
        (
            "an empty search path",
            up("CREATE TABLE public.life (id integer); SELECT pg_catalog.set_config('search_path', '', false);"),
            Fails,
            Runs,
        ),
        (
            "quotes without escapes",
            up(
                "SET standard_conforming_strings = off; CREATE TABLE life (id integer); COMMENT ON TABLE life IS 'a\\'b;'",
            ),
            Fails,
            Fails,
        ),
    ]
}

fn folders() -> Vec<Case> {
    vec![
        ("a name that is a number", vec![("00000000000000_diesel_initial_setup/up.sql", TABLE)], Runs, Runs),
        ("a name without a description", vec![("2999-01-01-000000/up.sql", TABLE)], Runs, Runs),
        ("a name without a number", vec![("later_odd/up.sql", TABLE)], Runs, Runs),
        ("blanks in a name", vec![("2999-01-01-000000_odd name/up.sql", TABLE)], Runs, Runs),
        (
            "two in order",
            vec![("2999-01-01-000000_b/up.sql", TABLE), ("2999-01-02-000000_a/up.sql", "ALTER TABLE life ADD x text")],
            Runs,
            Runs,
        ),
        (
            "hidden folders and files beside",
            with(
                TABLE,
                &[
                    (".git/HEAD", "x"),
                    (".DS_Store", "x"),
                    ("README.md", "x"),
                    ("2999-01-01-000000_odd/notes.txt", "x"),
                    ("2999-01-01-000000_odd/.up.sql.swp", "x"),
                ],
            ),
            Runs,
            Runs,
        ),
        ("metadata: a comment", metadata("run_in_transaction = true # yes"), Runs, Runs),
        ("metadata: quoted", metadata("'run_in_transaction' = true"), Runs, Runs),
        ("metadata: other keys", metadata("run_in_transaction = true\nauthor = 'me'\n[a.b]\nc = [1]"), Runs, Runs),
        // Diesel takes a key that is missing for false, and so do we.
        (
            "metadata: nothing",
            with("CREATE TABLE IF NOT EXISTS life (id integer)", &[("2999-01-01-000000_odd/metadata.toml", "")]),
            Runs,
            Runs,
        ),
        (
            "metadata: no transaction",
            with(
                "CREATE TABLE IF NOT EXISTS life (id integer)",
                &[("2999-01-01-000000_odd/metadata.toml", "run_in_transaction = false")],
            ),
            Runs,
            Runs,
        ),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        // Diesel runs it as if there were no such file, and we say that it can't be read.
        ("metadata: no TOML", metadata("run_in_transaction: true"), Runs, Fails),
        ("metadata: no boolean", metadata("run_in_transaction = 1"), Runs, Fails),
        ("wrong SQL", up("CREATE TABEL life"), Fails, Fails),
        ("wrong at the end", up("CREATE TABLE life (id integer); SELECT 1/0"), Fails, Fails),
        ("rows that follow", up("CREATE TABLE life (id integer);\nCOPY life FROM stdin;\n1\n\\.\n"), Fails, Fails),
        ("a NUL", up("CREATE TABLE life (id integer);\0"), Fails, Fails),
        ("a command of psql", up("\\set x 1\nCREATE TABLE life (id integer)"), Fails, Fails),
        ("no up.sql", vec![("2999-01-01-000000_odd/down.sql", "SELECT 1")], Fails, Fails),
        // Diesel runs one of them and passes over the other.
        (
            "one version twice",
            vec![("2999-01-01-000000_a/up.sql", TABLE), ("29990101000000_b/up.sql", TABLE)],
            Runs,
            Fails,
        ),
        ("VACUUM in a transaction", up("VACUUM"), Fails, Fails),
        ("nothing", up(""), Fails, Runs),
        ("a byte order mark", up("\u{feff}CREATE TABLE life (id integer)"), Fails, Runs),
        // By rules of ours, in migrations/README.md: what fails half-way could not be taken back.
        ("a transaction of its own", up("BEGIN; CREATE TABLE life (id integer); COMMIT;"), Runs, Fails),
        (
            "two statements without a transaction",
            with(
                "CREATE TABLE life (id integer); SELECT 1",
                &[("2999-01-01-000000_odd/metadata.toml", "run_in_transaction = false")],
            ),
            Runs,
            Fails,
        ),
    ]
}

#[tokio::test]
async fn diesels_runner_and_ours_do_the_same_with_a_corpus() {
    let corpus = [texts(), folders(), refused()].concat();
    let mut wrong = Vec::new();
    for (case, files, diesel, ours) in corpus {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        let folder = folder(&files);
        let (theirs, own) = (TestDatabase::new().await.unwrap(), TestDatabase::new().await.unwrap());
        let ran = (by_diesel(&theirs, folder.path()).await, by_ours(&own, folder.path()).await);
        if ran != (diesel, ours) {
            wrong.push(format!("{case}: {ran:?}"));
        }
        if ran == (Runs, Runs) {
            let (theirs, own) = (life(&theirs).await, life(&own).await);
            assert_eq!(theirs, own, "{case}");
            assert!(own.contains("life"), "{case}: {own}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What a migration left: the table with its columns and comment, and which versions are recorded.
async fn life(database: &TestDatabase) -> String {
    use diesel_async::RunQueryDsl as _;
    #[derive(diesel::QueryableByName)]
    struct SchemaText {
        #[diesel(sql_type = diesel::sql_types::Text)]
        said: String,
    }
    let query = "SELECT concat_ws(' ', c.relname, obj_description(c.oid), (SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0), (SELECT max(version) FROM __diesel_schema_migrations),
            (SELECT count(*) FROM __diesel_schema_migrations)) AS said
        FROM pg_class AS c WHERE relname = 'life'";
    let mut conn = database.connect().await.unwrap();
    let said: SchemaText = diesel::sql_query(query).get_result(&mut conn).await.unwrap();
    said.said
}

#[tokio::test]
async fn one_without_a_way_back_is_not_reverted() {
    let database = TestDatabase::new().await.unwrap();
    let folder = folder(&[
        ("2999-01-01-000000_odd/up.sql", LIFE),
        ("2999-01-02-000000_even/up.sql", b"SELECT 1"),
        ("2999-01-02-000000_even/down.sql", DOWN),
    ]);
    let migrator =
        Migrator::new(&database.url().unwrap(), Environment::Development).with_folder(folder.path()).unwrap();
    assert_eq!(migrator.run(|_| ()).await.unwrap().len(), 2);
    let error = migrator.revert(RevertCount::Last(2)).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains(NAME), "{error}");
    assert_eq!(
        migrator.revert(RevertCount::Last(1)).await.unwrap(),
        ["2999-01-02-000000_even"],
        "nothing had been reverted"
    );
}

#[tokio::test]
async fn ends_of_lines_are_told_from_other_changes() {
    let database = TestDatabase::new().await.unwrap();
    let run = async |up: &str| {
        let folder = folder(&[("2999-01-01-000000_odd/up.sql", up.as_bytes())]);
        let migrator =
            Migrator::new(&database.url().unwrap(), Environment::Development).with_folder(folder.path()).unwrap();
        migrator.run(|_| ()).await
    };
    run("CREATE TABLE life (\n id integer\n);\n").await.unwrap();
    let error = run("CREATE TABLE life (\r\n id integer\r\n);\r\n").await.unwrap_err();
    assert!(error.is_conflict() && error.to_string().contains("only the line endings differ"), "{error}");
    let error = run("CREATE TABLE life (\n id bigint\n);\n").await.unwrap_err();
    assert!(error.is_conflict() && !error.to_string().contains("line endings"), "{error}");
}

#[rstest]
#[case::a_mark_before_the_text("\u{feff}CREATE TABLE life (id integer PRIMARY KEY)".as_bytes(), None)]
#[case::line_ends_of_windows(b"CREATE TABLE life (\r\n  id integer PRIMARY KEY\r\n);\r\n", None)]
#[case::a_comment_in_the_metadata(LIFE, Some("run_in_transaction = true # as always\n"))]
#[case::a_quoted_key(LIFE, Some("\"run_in_transaction\" = true"))]
#[case::a_table_beside_it(LIFE, Some("run_in_transaction = true\n[other]\nx = 1\n"))]
#[case::a_mark_before_the_metadata(LIFE, Some("\u{feff}run_in_transaction = true\r\n"))]
#[case::an_empty_path_is_left(
    b"CREATE TABLE public.life (id integer PRIMARY KEY); SELECT pg_catalog.set_config('search_path', '', false);",
    None
)]
#[case::another_path_is_left(
    b"CREATE TABLE life (id integer PRIMARY KEY); CREATE SCHEMA other; SET search_path = other;",
    None
)]
#[case::a_refresh_concurrently(VIEW, None)]
#[case::a_function_in_dollars(b"CREATE FUNCTION odd() RETURNS text LANGUAGE sql AS $x$ SELECT 'COPY t FROM stdin;' $x$; CREATE TABLE life (id integer PRIMARY KEY)", None)]
#[case::a_copy_to_stdout_in_a_comment(b"-- COPY life FROM stdin;\nCREATE TABLE life (id integer PRIMARY KEY)", None)]
#[tokio::test]
async fn it_runs_and_goes_back(#[case] up: &[u8], #[case] metadata: Option<&str>) {
    let mut files = vec![
        ("2999-01-01-000000_odd/up.sql", up),
        ("2999-01-01-000000_odd/down.sql", b"DROP TABLE IF EXISTS public.life".as_slice()),
        (".git/HEAD", b"ref: refs/heads/main"),
        (".idea/x.xml", b"<x/>"),
        ("README.md", b"# Migrations"),
    ];
    files.extend(metadata.map(|text| ("2999-01-01-000000_odd/metadata.toml", text.as_bytes())));
    let (database, folder) = (TestDatabase::new().await.unwrap(), folder(&files));
    let migrator =
        Migrator::new(&database.url().unwrap(), Environment::Development).with_folder(folder.path()).unwrap();
    assert_eq!(migrator.run(|_| ()).await.unwrap(), [NAME]);
    assert_eq!(migrator.run(|_| ()).await.unwrap(), [""; 0], "it was not recorded");
    let mut conn = database.connect().await.unwrap();
    crate::until(&mut conn, "SELECT to_regclass('public.life') IS NOT NULL AS met").await;
    assert_eq!(migrator.revert(RevertCount::Last(1)).await.unwrap(), [NAME]);
    crate::until(&mut conn, "SELECT to_regclass('public.life') IS NULL AS met").await;
}

#[rstest]
#[case::rows_that_follow(
    b"CREATE TABLE life (id integer);\nCOPY life (id) FROM stdin;\n1\n\\.\n",
    "line 2 is COPY FROM STDIN"
)]
#[case::rows_that_follow_in_capitals(b"COPY public.life FROM STDIN WITH (FORMAT csv);\n1\n", "is COPY FROM STDIN")]
#[case::a_nul(b"SELECT 1;\0", "contains the character NUL")]
#[case::a_command_of_psql(b"\\set x 1\nSELECT 1;", "is a psql command")]
#[case::utf_16(b"\xff\xfeS\0E\0L\0E\0C\0T\0", "is not encoded in UTF-8")]
#[case::latin_1(b"COMMENT ON TABLE life IS 'caf\xe9'", "is not encoded in UTF-8")]
#[test]
fn it_is_refused_by_name(#[case] up: &[u8], #[case] said: &str) {
    let folder = folder(&[("2999-01-01-000000_odd/up.sql", up), ("2999-01-01-000000_odd/down.sql", DOWN)]);
    let url = "postgres://nobody@localhost/nowhere".parse().unwrap();
    let error = Migrator::new(&url, Environment::Development).with_folder(folder.path()).unwrap_err();
    assert!(error.is_invalid_input(), "{error:?}");
    assert!(error.to_string().contains(said) && error.to_string().contains(NAME), "{error}");
}
