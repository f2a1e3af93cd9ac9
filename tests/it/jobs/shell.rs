//! Jobs at the shell: files are ingested in the background, and an operator steers it.

use std::fs;

use workspace_db_testing::TestDatabase;

use crate::cli::Shell;

struct Handbook {
    shell: Shell,
    _database: TestDatabase,
}

impl Handbook {
    async fn new() -> Self {
        let database = TestDatabase::new().await.unwrap();
        let shell = Shell::for_database(&database);
        for (name, text) in [
            ("hours.md", "# Opening hours\n\nFrom nine to five."),
            ("prices.md", "Bread is cheap."),
            ("none.bin", "\0"),
        ] {
            fs::create_dir_all(shell.path("handbook")).unwrap();
            fs::write(shell.path("handbook").join(name), text).unwrap();
        }
        shell.succeed(&["workspace", "create", "acme"]);
        Self { shell, _database: database }
    }

    fn titles(&self) -> Vec<String> {
        let found = self.shell.json(&["search", "bread hours", "--by", "vector"]);
        let mut titles: Vec<String> =
            found["hits"].as_array().unwrap().iter().map(|hit| hit["title"].as_str().unwrap().to_owned()).collect();
        titles.sort_unstable();
        titles
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_ingested_in_the_background_once() {
    let handbook = Handbook::new().await;
    let shell = &handbook.shell;
    let first = shell.json(&["ingest", "--background", "handbook"]);
    assert_eq!((&first["enqueued"], &first["waiting"]), (&3.into(), &0.into()));
    let again = shell.json(&["ingest", "--background", "handbook"]);
    assert_eq!((&again["enqueued"], &again["waiting"]), (&0.into(), &3.into()), "one job for a file");
    let stats = shell.json(&["jobs", "stats"]);
    assert_eq!((&stats[0]["kind"], &stats[0]["due"]), (&"ingest_file".into(), &3.into()));
    shell.succeed(&["jobs", "work", "--until-empty", "--files", "acme=handbook"]);
    assert_eq!(handbook.titles(), ["Opening hours", "prices.md"]);
    let results = shell.json(&["jobs", "list", "--status", "completed"]);
    let mut results: Vec<String> = results.as_array().unwrap().iter().map(|job| job["result"].to_string()).collect();
    results.sort_unstable();
    assert_eq!(results, [r#"{"chunks":1}"#, r#"{"chunks":1}"#, r#"{"skipped":"binary"}"#]);

    // What has changed is replaced, what has gone is archived, what is as it was is left.
    fs::write(shell.path("handbook/hours.md"), "# Closing hours\n\nFrom five to nine.").unwrap();
    fs::remove_file(shell.path("handbook/prices.md")).unwrap();
    let later = shell.json(&["ingest", "--background", "handbook"]);
    assert_eq!((&later["enqueued"], &later["archived"]), (&2.into(), &1.into()));
    fs::write(shell.path("handbook/none.bin"), "text by now").unwrap();
    shell.succeed(&["jobs", "work", "--until-empty", "--files", "acme=handbook"]);
    assert_eq!(handbook.titles(), ["Closing hours", "none.bin"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_reads_nothing_outside_of_what_it_may() {
    let handbook = Handbook::new().await;
    let shell = &handbook.shell;
    shell.succeed(&["ingest", "--background", "handbook"]);
    fs::create_dir(shell.path("elsewhere")).unwrap();
    shell.succeed(&["jobs", "work", "--until-empty", "--files", "acme=elsewhere"]);
    let waiting = shell.json(&["jobs", "list", "--queue", "ingest"]);
    for job in waiting.as_array().unwrap() {
        assert_eq!(job["status"], "queued");
        assert!(job["last_error"].as_str().unwrap().contains("this worker may not read"), "{job}");
    }
    assert_eq!(handbook.titles(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_pauses_cancels_retries_and_looks() {
    let handbook = Handbook::new().await;
    let shell = &handbook.shell;
    shell.succeed(&["ingest", "--background", "handbook"]);
    assert!(shell.succeed(&["jobs", "pause", "ingest"]).starts_with("paused"));
    assert!(shell.succeed(&["jobs", "stats"]).ends_with("PAUSED\n"));
    shell.succeed(&["jobs", "work", "--until-empty"]);
    let waiting = shell.json(&["jobs", "list", "--status", "queued", "--workspace", "acme", "--kind", "ingest_file"]);
    assert_eq!(waiting.as_array().unwrap().len(), 3, "a paused queue is left alone");
    let id = waiting[0]["id"].as_str().unwrap();
    assert_eq!(shell.json(&["jobs", "cancel", id])["status"], "cancelled");
    assert_eq!(shell.json(&["jobs", "limit", "ingest", "1"])["max_running_per_workspace"], 1);
    assert!(shell.succeed(&["jobs", "resume", "ingest"]).contains("at most 1"));
    shell.succeed(&["jobs", "work", "--until-empty", "--concurrency", "2", "--files", "acme=handbook"]);
    assert_eq!(shell.json(&["jobs", "list", "--status", "completed"]).as_array().unwrap().len(), 2);
    assert_eq!(shell.json(&["jobs", "retry", id])["status"], "queued");
    shell.succeed(&["jobs", "work", "--until-empty", "--files", "acme=handbook"]);
    assert!(shell.succeed(&["jobs", "show", id]).contains("completed_at"));
    assert!(shell.fails(&["jobs", "retry", id], 7).contains("is completed"));
    let unknown = shell.fails(&["jobs", "show", "00000000-0000-7000-8000-000000000001"], 3);
    assert!(unknown.contains("there is no job"), "{unknown}");
}
