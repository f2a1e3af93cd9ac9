//! The right server, and the same answers whatever it is set to.

use std::fs;
use std::process::Command;

use diesel_async::SimpleAsyncConnection as _;
use rstest::rstest;
use workspace_db::db::connect;
use workspace_db::tenancy::TENANT_TABLES;
use workspace_db_testing::{TestDatabase, conformance, seed, workspace};

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
    let shell = Shell::for_database(&database);
    let status = shell.run(&["migrate", "status"]);
    assert_eq!(status.code, 0, "{} {}", status.out, status.err);
    assert!(!status.out.contains("drift"), "{}", status.out);
    let said = shell.run(&["doctor", "--json", "--quick"]);
    let said: serde_json::Value = serde_json::from_str(&said.out).expect(&said.err);
    for finding in said["findings"].as_array().unwrap() {
        let is_about_the_setting =
            ["logins", "default_privileges", "roles"].contains(&finding["check"].as_str().unwrap());
        assert!(finding["status"] != "fail" || is_about_the_setting, "{finding}");
        assert!(finding["check"] != "drift" || finding["status"] == "pass", "{finding}");
    }
}

/// What each command does on a database that takes no writes: those that read go on, the others say why not.
#[tokio::test]
async fn a_read_only_database_is_read_and_says_that_it_takes_no_writes() {
    let database = TestDatabase::new().await.unwrap();
    workspace(&mut database.connect().await.unwrap(), "acme").await.unwrap();
    let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
    let set = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$";
    superuser.batch_execute(set).await.unwrap();
    let shell = Shell::for_database(&database);
    std::fs::write(shell.path("a.txt"), "some words").unwrap();
    for command in [
        &["search", "words", "-w", "acme"][..],
        &["migrate", "status"],
        &["workspace", "list"],
        &["jobs", "stats"],
        &["jobs", "list"],
        &["audit"],
    ] {
        shell.succeed(command);
    }
    for command in [
        &["migrate", "run"][..],
        &["ingest", "a.txt", "-w", "acme"],
        &["workspace", "export", "acme"],
        &["jobs", "work", "--until-empty"],
        &["retention"],
    ] {
        let said = shell.run(command);
        assert!(said.code != 0 && said.err.contains("read-only"), "{command:?}: {} {}", said.code, said.err);
        assert!(said.err.contains("primary"), "{command:?}: {}", said.err);
    }
    let doctor = shell.run(&["doctor", "--quick", "--json"]);
    let findings: serde_json::Value = serde_json::from_str(&doctor.out).expect(&doctor.err);
    let failed = |one: &&serde_json::Value| one["status"] == "fail";
    let failures: Vec<_> = findings["findings"].as_array().unwrap().iter().filter(failed).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

/// The application under settings that a login or database may have: it reads, writes and finds the same.
#[rstest]
#[case::strings("standard_conforming_strings = off")]
#[case::identifiers("quote_all_identifiers = on")]
#[case::path("search_path = pg_catalog, public")]
#[case::intervals("IntervalStyle = iso_8601")]
#[case::dates("DateStyle = 'SQL, DMY'")]
#[case::serializable("default_transaction_isolation = serializable")]
#[case::zone("TimeZone = 'Pacific/Apia'")]
#[case::bytes("bytea_output = escape")]
#[case::text_search("default_text_search_config = 'pg_catalog.german'")]
#[case::nulls("transform_null_equals = on")]
#[case::arrays("array_nulls = off")]
#[case::floats("extra_float_digits = -15")]
#[case::xml("xmloption = document")]
#[case::client("client_encoding = 'LATIN1'")]
#[case::deferred("default_transaction_deferrable = on")]
#[case::functions("check_function_bodies = off")]
#[tokio::test]
async fn the_application_is_the_same_under_every_setting(#[case] setting: &str) {
    let database = TestDatabase::new().await.unwrap();
    workspace(&mut database.connect().await.unwrap(), "acme").await.unwrap();
    let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
    let set = format!(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {}', current_database()); END $$",
        setting.replace('\'', "''")
    );
    superuser.batch_execute(&set).await.expect(&set);
    let shell =
        Shell::for_database(&database).with("WORKSPACE_DB_RECEIPT_KEY", "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=");
    std::fs::write(shell.path("b.txt"), "Another matter, of which nobody asks.").unwrap();
    shell.succeed(&["ingest", "b.txt", "-w", "acme"]);
    std::fs::write(shell.path("a.txt"), "The g\u{e4}nse's hours: \\ '1e3' \u{6570}\u{636e}\u{5e93}").unwrap();
    shell.succeed(&["ingest", "a.txt", "-w", "acme"]);
    shell.succeed(&["ingest", "a.txt", "-w", "acme", "--background"]);
    for question in ["hours", "G\u{c4}NSE", "\u{636e}\u{5e93}", "'1e3'"] {
        // Both lists are each of the two as well.
        for by in if crate::is_long() { &["words", "vector", "both"][..] } else { &["both"] } {
            let found = shell.json(&["search", question, "-w", "acme", "--by", by]);
            assert_eq!(found["hits"][0]["external_id"], "a.txt", "{question} by {by}: {found}");
        }
    }
    shell.succeed(&["workspace", "export", "acme"]);
    shell.succeed(&["workspace", "erase", "acme", "--receipt", "r.json", "--reason", "a test"]);
    let imported = shell.json(&["workspace", "import", "acme.tar", "--with-jobs"]);
    assert_eq!(imported["slug"], "acme");
    let found = shell.json(&["search", "g\u{e4}nse", "-w", "acme", "--by", "words"]);
    assert_eq!(found["hits"][0]["external_id"], "a.txt", "{found}");
    let db = database.open(2).await.unwrap();
    let fit = workspace_db::doctor::fit_to_serve(&db).await;
    assert!(fit.is_ok(), "{fit:?}");
    let mut conn = database.connect().await.unwrap();
    for slug in ["a", "b"] {
        seed(&mut conn, slug).await.unwrap();
    }
    let violations = conformance::violations(&database.config().unwrap(), TENANT_TABLES).await.unwrap();
    assert_eq!(violations, []);
}

#[tokio::test]
async fn a_schema_of_the_owners_name_hides_nothing() {
    let database = TestDatabase::new().await.unwrap();
    let mut superuser = connect(&database.superuser_url().unwrap()).await.unwrap();
    let schema = "DO $$ BEGIN EXECUTE format('CREATE SCHEMA %I', (SELECT tableowner FROM pg_tables WHERE tablename = 'documents')); END $$";
    superuser.batch_execute(schema).await.unwrap();
    let status = Shell::for_database(&database).run(&["migrate", "status"]);
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
