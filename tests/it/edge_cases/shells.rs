//! A shell as it happens to be: variables that are empty, readers that go away, passwords with every character.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection as _;
use rstest::rstest;
use workspace_db::config::DatabaseUrl;
use workspace_db_testing::{TestDatabase, workspace};

use crate::cli::Shell;

#[rstest]
#[case("postgres://admin:12/Qx7secret@127.0.0.1:5999/db")]
#[case("postgres://admin:/Qx7secret@127.0.0.1:5999/db")]
#[case("postgres://admin:#Qx7secret@127.0.0.1:5999/db")]
#[case("postgres://admin:?Qx7secret@127.0.0.1:5999/db")]
#[case("postgres://admin:77/Qx7secret@127.0.0.1/db")]
#[case("postgres://admin:1#Qx7secret@127.0.0.1/db")]
#[case("postgres://admin:1?Qx7secret@127.0.0.1/db")]
#[case("postgres://admin/Qx7secret@127.0.0.1/db")]
#[case("postgres://admin:Qx7secret/@127.0.0.1/db")]
#[case("postgres://admin:Qx7 secret@127.0.0.1:port/db")]
fn no_password_is_printed_whatever_its_characters(#[case] url: &str) {
    if let Ok(url) = url.parse::<DatabaseUrl>() {
        assert!(!format!("{url} {url:?}").contains("Qx7"), "{url}");
    }
    for (shell, command) in [
        (Shell::new().with("DATABASE_URL", url), &["migrate", "status"][..]),
        (Shell::new().with("DATABASE_URL", url), &["env"]),
        (Shell::new().with("WORKSPACE_DB_ADOPT_FROM", url), &["adopt", "--plan"]),
        (Shell::new(), &["adopt", "--from", url, "--plan"]),
    ] {
        let said = shell.run(command);
        assert_ne!(said.code, 0);
        assert!(!said.err.contains("Qx7") && !said.out.contains("Qx7"), "{command:?}: {} {}", said.out, said.err);
    }
}

async fn with_acme() -> TestDatabase {
    let database = TestDatabase::new().await.unwrap();
    workspace(&mut database.connect().await.unwrap(), "acme").await.unwrap();
    database
}

#[tokio::test]
async fn an_empty_variable_is_none() {
    let database = with_acme().await;
    let shell = [
        "WORKSPACE_DB_DATA_DIR",
        "WORKSPACE_DB_EMBEDDINGS_URL",
        "WORKSPACE_DB_EMBEDDINGS_MODEL",
        "WORKSPACE_DB_EMBEDDINGS_KEY",
        "WORKSPACE_DB_WORKSPACE",
        "WORKSPACE_DB_ADOPT_FROM",
        "WORKSPACE_DB_MOVE_TO",
        "WORKSPACE_DB_SECRET_KEY",
        "WORKSPACE_DB_RECEIPT_KEY",
        "WORKSPACE_DB_LOG",
        "WORKSPACE_DB_ENV",
        "WORKSPACE_DB_POOL_SIZE",
    ]
    .into_iter()
    .fold(Shell::for_database(&database), |shell, name| shell.with(name, ""));
    for command in [&["search", "words"][..], &["workspace", "list"], &["jobs", "stats"], &["migrate", "status"]] {
        let said = shell.run(command);
        assert_eq!(said.code, 0, "{command:?}: {}", said.err);
    }
}

#[tokio::test]
async fn a_verdict_stands_also_where_nobody_reads_why() {
    let database = TestDatabase::new().await.unwrap();
    let mut superuser = workspace_db::db::connect(&database.superuser_url().unwrap()).await.unwrap();
    superuser.batch_execute("ALTER TABLE documents DISABLE ROW LEVEL SECURITY").await.unwrap();
    let shell = Shell::for_database(&database);
    let mut doctor = shell.command(&["doctor", "--quick"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(doctor.stdout.take());
    assert_eq!(doctor.wait().unwrap().code(), Some(11));
}

#[tokio::test]
async fn every_command_prints_json_where_it_is_asked_for() {
    let database = with_acme().await;
    let shell =
        Shell::for_database(&database).with("WORKSPACE_DB_RECEIPT_KEY", "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=");
    for command in [
        &["roles"][..],
        &["migrate", "catalog"],
        &["workspace", "receipt-key"],
        &["jobs", "stats"],
        &["audit"],
        &["jobs", "work", "--until-empty"],
    ] {
        let said = shell.run(&[command, &["--json"]].concat());
        assert_eq!(said.code, 0, "{command:?}: {}", said.err);
        serde_json::from_str::<serde_json::Value>(&said.out).expect(&said.out);
    }
    let said = shell.run(&["workspace", "export", "acme", "--to", "-"]);
    assert_eq!(said.code, 2, "{}", said.err);
}

#[tokio::test]
async fn psql_keeps_the_options_of_the_url() {
    let database = with_acme().await;
    let url = format!("{}?options=-c%20work_mem%3D7MB", database.url().unwrap().expose());
    let shell = Shell::for_database(&database).with("DATABASE_URL", &url);
    let said = shell.run(&["psql", "--owner", "--", "-AtXc", "SHOW work_mem"]);
    assert_eq!(said.out.trim(), "7MB", "{}", said.err);
    // Also where no URL of its own says which role it is to be.
    let shell = shell.with("DATABASE_PLATFORM_URL", "");
    let said = shell.run(&["psql", "--", "-AtXc", "SELECT current_setting('work_mem') || ' ' || current_user"]);
    assert_eq!(said.out.trim(), "7MB workspace_platform", "{}", said.err);
}

#[tokio::test]
async fn standard_input_without_a_secret_is_told() {
    let database = with_acme().await;
    let shell = Shell::for_database(&database);
    for input in ["", "\n", "secret\n", "secret\n\n"] {
        let mut command = shell.command(&["admin", "set-password"]);
        let mut setting = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        setting.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let said = setting.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&said.stderr);
        assert!(stderr.contains("standard input has no secret or no password"), "{input:?}: {stderr}");
        assert_eq!(said.status.code(), Some(2), "{input:?}");
    }
}

/// As people copy an archive: unpacked and packed again, compressed, through a pipe.
#[tokio::test]
async fn an_archive_is_read_however_it_was_packed_or_it_is_said_what_to_do() {
    let database = with_acme().await;
    let shell = Shell::for_database(&database);
    shell.succeed(&["workspace", "export", "acme", "--to", "acme.tar"]);
    let sh = |script: &str| {
        let ran =
            std::process::Command::new("sh").arg("-ec").arg(script).current_dir(shell.path(".")).output().unwrap();
        assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
    };
    sh("mkdir folder && tar -xf acme.tar -C folder");
    sh("tar -cf by-name.tar -C folder $(ls folder) && tar -cf by-dot.tar -C folder .");
    sh("gzip -k acme.tar && mkfifo pipe");
    for archive in ["by-name.tar", "by-dot.tar"] {
        assert_eq!(shell.json(&["workspace", "inspect", archive])["slug"], "acme", "{archive}");
    }
    assert!(shell.fails(&["workspace", "import", "acme.tar.gz"], 2).contains("unpack it with `gunzip` first"));
    assert!(shell.fails(&["workspace", "import", "pipe"], 2).contains("write the output of the pipe to a file first"));
    assert!(shell.fails(&["workspace", "inspect", "folder"], 2).contains("pack it with `tar"));
}

/// A worker whose log nobody reads any more goes on, and ends when it is told to, whatever its job waits for.
#[rstest]
#[case::its_reader_has_gone(true)]
#[case::its_disk_is_full(false)]
#[tokio::test]
async fn a_worker_outlives_its_log_and_ends_in_time(#[case] reader_goes: bool) {
    let database = with_acme().await;
    // An endpoint that takes a request and never answers.
    let endpoint = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", endpoint.local_addr().unwrap());
    let shell = Shell::for_database(&database);
    let folder = shell.path("docs");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.txt"), "some words").unwrap();
    let folder = folder.to_str().unwrap().to_owned();
    shell.succeed(&[
        "ingest",
        &folder,
        "-w",
        "acme",
        "--background",
        "--embeddings-url",
        &address,
        "--embeddings-key",
        "k",
    ]);
    // Schedules that can't be read make lines in the log.
    let mut superuser = workspace_db::db::connect(&database.superuser_url().unwrap()).await.unwrap();
    let bad = "INSERT INTO job_schedules (workspace_id, name, cron, time_zone, job_type, queue, next_at)
        SELECT w.id, 'bad ' || n, '* * * * *', 'nowhere', 'x', 'default', now() FROM workspaces w, generate_series(1, 20) n";
    superuser.batch_execute(bad).await.unwrap();
    let files = format!("acme={folder}");
    let work =
        ["jobs", "work", "--files", &files, "--grace", "1", "--embeddings-url", &address, "--embeddings-key", "k"];
    let mut worker = shell.command(&work);
    if reader_goes {
        worker.stderr(Stdio::piped());
    } else {
        worker.stderr(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    }
    let mut worker = worker.stdout(Stdio::null()).spawn().unwrap();
    if let Some(log) = worker.stderr.take() {
        let mut line = String::new();
        BufReader::new(log).read_line(&mut line).unwrap();
        assert!(line.contains("schedule"), "{line}");
    }
    // It has the job, and waits for the endpoint.
    let (mut request, _) = tokio::task::spawn_blocking(move || endpoint.accept().unwrap()).await.unwrap();
    let mut first = [0; 1];
    request.read_exact(&mut first).unwrap();
    assert!(worker.try_wait().unwrap().is_none(), "it ended with its log");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(worker.id().cast_signed()), nix::sys::signal::SIGTERM).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let ended = loop {
        if let Some(ended) = worker.try_wait().unwrap() {
            break ended;
        }
        assert!(Instant::now() < deadline, "it does not end");
        tokio::task::yield_now().await;
    };
    assert_eq!(ended.code(), Some(0));
    let given_back = "SELECT status = 'queued' AS met FROM jobs WHERE job_type = 'ingest_file'";
    crate::until(&mut superuser, given_back).await;
}
