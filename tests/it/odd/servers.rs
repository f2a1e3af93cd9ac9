//! The right server, and the same answers whatever it is set to.

use std::fs;
use std::process::Command;

use diesel_async::SimpleAsyncConnection as _;
use rstest::rstest;
use workspace_db::db::connect;
use workspace_db::testing::TestDatabase;

use crate::cli::Shell;

#[rstest]
#[case::strings("standard_conforming_strings = off")]
#[case::identifiers("quote_all_identifiers = on")]
#[case::path("search_path = pg_catalog, public")]
#[case::iso_intervals("IntervalStyle = iso_8601")]
#[case::sql_intervals("IntervalStyle = sql_standard")]
#[case::german_dates("DateStyle = 'German, DMY'")]
#[case::serializable("default_transaction_isolation = serializable")]
#[case::zone("TimeZone = 'Pacific/Apia'")]
#[case::bytes("bytea_output = escape")]
#[case::row_security("row_security = off")]
#[tokio::test]
async fn no_setting_of_a_login_makes_drift(#[case] setting: &str) {
    let database = TestDatabase::new().await.unwrap();
    let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
    let set = format!(
        "DO $$ BEGIN EXECUTE format('ALTER ROLE %I IN DATABASE %I SET {}', (SELECT tableowner FROM pg_tables WHERE tablename = 'documents'), current_database()); END $$",
        setting.replace('\'', "''")
    );
    superuser.batch_execute(&set).await.expect(&set);
    let shell = Shell::of(&database);
    let status = shell.run(&["migrate", "status"]);
    assert_eq!(status.code, 0, "{} {}", status.out, status.err);
    assert!(!status.out.contains("drift"), "{}", status.out);
    let said = shell.run(&["doctor", "--json", "--quick"]);
    let said: serde_json::Value = serde_json::from_str(&said.out).expect(&said.err);
    for finding in said["findings"].as_array().unwrap() {
        let is_about_the_setting =
            ["logins", "default_privileges", "roles"].contains(&finding["check"].as_str().unwrap());
        assert!(finding["state"] != "fail" || is_about_the_setting, "{finding}");
        assert!(finding["check"] != "drift" || finding["state"] == "pass", "{finding}");
    }
}

#[tokio::test]
async fn a_schema_of_the_owners_name_hides_nothing() {
    let database = TestDatabase::new().await.unwrap();
    let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
    let schema = "DO $$ BEGIN EXECUTE format('CREATE SCHEMA %I', (SELECT tableowner FROM pg_tables WHERE tablename = 'documents')); END $$";
    superuser.batch_execute(schema).await.unwrap();
    let status = Shell::of(&database).run(&["migrate", "status"]);
    assert!(status.code == 0 && !status.out.contains("drift"), "{} {}", status.out, status.err);
}

#[test]
fn a_copy_of_a_data_folder_is_not_taken_for_the_original() {
    let (original, copy) = (Shell::new(), Shell::new());
    original.up();
    let copied = Command::new("cp").arg("-a").arg(original.data()).arg(copy.data()).status().unwrap();
    assert!(copied.success());
    let said = copy.succeed(&["status"]);
    assert!(said.contains("stopped"), "{said}");
    let said = copy.run(&["down"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(original.succeed(&["status"]).contains("running"), "the original was stopped by its copy");
    // Its number is of a process that lives, and which is another's server.
    copy.up();
    assert!(copy.succeed(&["status"]).contains("running") && original.succeed(&["status"]).contains("running"));
    copy.succeed(&["workspace", "create", "only-in-the-copy"]);
    assert!(!original.succeed(&["workspace", "list"]).contains("only-in-the-copy"));
}

#[test]
fn a_stale_file_whose_number_lives_on_keeps_no_server_from_starting() {
    let shell = Shell::new();
    shell.up();
    shell.succeed(&["down"]);
    let data = fs::canonicalize(shell.data().join("pgdata")).unwrap();
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    let stale = format!("{}\n{}\n1700000000\n54320\n.\n\n  1 2\nready   \n", other.id(), data.display());
    fs::write(data.join("postmaster.pid"), stale).unwrap();
    assert!(shell.succeed(&["status"]).contains("stopped"));
    shell.up();
    assert!(shell.succeed(&["status"]).contains("running"));
    other.kill().unwrap();
    other.wait().unwrap();
}

#[rstest]
#[case::a_dollar("do$HOME-lar")]
#[case::a_command("$(touch x)")]
#[case::backticks("`touch x`")]
#[case::a_quote("a\"b")]
#[case::a_space_and_an_apostrophe("it's a folder")]
#[case::a_backslash("a\\b")]
#[case::other_letters("d\u{e4}ta \u{65e5}\u{672c}")]
fn a_data_folder_of_any_name_has_its_server(#[case] name: &str) {
    let shell = Shell::new();
    let folder = shell.path(name);
    let folder = folder.to_str().unwrap();
    let said = shell.run(&["--data-dir", folder, "up"]);
    assert_eq!(said.code, 0, "{name}: {}", said.err);
    assert!(shell.succeed(&["--data-dir", folder, "status"]).contains("running"));
    shell.succeed(&["--data-dir", folder, "down"]);
    assert!(!shell.path("x").exists() && !shell.path(name).join("x").exists(), "a shell has run it");
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused_by_name() {
    let database = TestDatabase::unmigrated().await.unwrap();
    let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
    let name = format!("latin_{}", std::process::id());
    let create = format!("CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    superuser.batch_execute(&create).await.unwrap();
    let url = database.superuser_url().unwrap().with_database(&name);
    let said = Shell::new().with("DATABASE_URL", url.expose()).run(&["migrate", "run"]);
    superuser.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    assert_eq!(said.code, 5, "{}", said.err);
    assert!(said.err.contains("LATIN1") && said.err.contains("UTF8"), "{}", said.err);
}
