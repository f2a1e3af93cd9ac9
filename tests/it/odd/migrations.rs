//! Migrations as editors, `pg_dump` and other tools leave them: what Diesel's runner takes is taken, the rest refused by name.

use std::fs;

use rstest::rstest;
use workspace_db::config::Environment;
use workspace_db::db::migrations::{Migrator, Revert};
use workspace_db::testing::TestDatabase;

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
    assert_eq!(migrator.revert(Revert::Last(1)).await.unwrap(), [NAME]);
    crate::until(&mut conn, "SELECT to_regclass('public.life') IS NULL AS met").await;
}

#[rstest]
#[case::rows_that_follow(
    b"CREATE TABLE life (id integer);\nCOPY life (id) FROM stdin;\n1\n\\.\n",
    "line 2 is COPY FROM STDIN"
)]
#[case::rows_that_follow_in_capitals(b"COPY public.life FROM STDIN WITH (FORMAT csv);\n1\n", "is COPY FROM STDIN")]
#[case::a_nul(b"SELECT 1;\0", "has the character NUL")]
#[case::a_command_of_psql(b"\\set x 1\nSELECT 1;", "is a command of psql")]
#[case::utf_16(b"\xff\xfeS\0E\0L\0E\0C\0T\0", "is not written in UTF-8")]
#[case::latin_1(b"COMMENT ON TABLE life IS 'caf\xe9'", "is not written in UTF-8")]
#[test]
fn it_is_refused_by_name(#[case] up: &[u8], #[case] said: &str) {
    let folder = folder(&[("2999-01-01-000000_odd/up.sql", up), ("2999-01-01-000000_odd/down.sql", DOWN)]);
    let url = "postgres://nobody@localhost/nowhere".parse().unwrap();
    let error = Migrator::new(&url, Environment::Development).with_folder(folder.path()).unwrap_err();
    assert!(error.is_invalid_input(), "{error:?}");
    assert!(error.to_string().contains(said) && error.to_string().contains(NAME), "{error}");
}
