//! Prints the tables of docs/figures.md: `cargo run --release -p bench-transfer`, and the same with `-- adopt`.
//!
//! `CHUNKS` is how many chunks the workspace has. Every import and every restore has a fresh, migrated database, on one
//! server; each side of ours runs in a process of its own, whose peak memory is told. With `MEMORY` set there is one round
//! of ours alone, in databases without the IVFFlat index, which at a million chunks has as many gigabytes as they have.
#![expect(clippy::expect_used, reason = "a benchmark ends by panicking")]

mod adopt;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use dataset::Dataset;
use futures_util::stream;
use workspace_db::config::{Config, DatabaseUrl};
use workspace_db::id::WorkspaceId;
use workspace_db::load::{LoadOptions, Passage, SourceDocument, load};
use workspace_db::models::NewDocument;
use workspace_db::sql_types::Embedding;
use workspace_db::tenancy::{Database, PlatformScope, WorkspaceScope};
use workspace_db::transfer::{ImportOptions, ReceiptKey, erase, export, import};
use workspace_db_testing::{TestDatabase, seed};

/// Rounds, in each of which every side has its turn; odd, so that there is a median.
const ROUNDS: usize = 5;
/// Passages of a document.
const PASSAGES: usize = 50;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["adopt"] => adopt::compare().await,
        ["adopt", into, from, _] => adopt::child(into, from).await,
        [what, url, workspace, archive] => child(what, url, workspace, Path::new(archive)).await,
        _ => compare().await,
    }
}

/// One deed in a process of its own: prints its seconds and the process's peak memory in kB.
async fn child(what: &str, url: &str, workspace: &str, archive: &Path) {
    let config = Config { database_url: Some(url.parse().expect("a URL")), ..Config::default() };
    let db = Database::open(&config).await.expect("a database");
    let workspace: WorkspaceId = workspace.parse().expect("an id");
    let platform = PlatformScope::unchecked("a benchmark");
    let began = Instant::now();
    match what {
        "export" => {
            let scope = WorkspaceScope::unchecked_administer(workspace, "a benchmark");
            export(&db, &scope, archive, &|_| ()).await.expect("exported");
        }
        "import" => {
            import(&db, &platform, archive, ImportOptions::default(), &|_| ()).await.expect("imported");
        }
        _ => {
            let key = ReceiptKey::from_base64("q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=").expect("a key");
            erase(&db, &platform, workspace, &key, &|_| ()).await.expect("erased");
        }
    }
    println!("{} {}", began.elapsed().as_secs_f64(), peak_kb());
}

fn peak_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Seconds of each round, and the highest peak in MB.
#[derive(Default)]
struct Side {
    seconds: Vec<f64>,
    peak: f64,
}

impl Side {
    fn ours(&mut self, what: &str, database: &TestDatabase, workspace: WorkspaceId, archive: &Path) {
        self.child(what, &database.superuser_url().expect("a URL"), &workspace.to_string(), archive);
    }

    fn child(&mut self, what: &str, url: &DatabaseUrl, second: &str, archive: &Path) {
        let output = Command::new(env::current_exe().expect("this program"))
            .args([what, url.expose(), second])
            .arg(archive)
            .stderr(Stdio::inherit())
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{what} failed");
        let text = String::from_utf8(output.stdout).expect("text");
        let (seconds, peak) = text.trim().split_once(' ').expect("two numbers");
        self.seconds.push(seconds.parse().expect("seconds"));
        self.peak = self.peak.max(peak.parse::<f64>().expect("kB") / 1024.0);
    }

    fn theirs(&mut self, database: &TestDatabase, program: &str, arguments: &[&str]) {
        let url = database.superuser_url().expect("a URL");
        let began = Instant::now();
        let status = Command::new(database.install().program(program))
            .args(arguments)
            .args(["--dbname", url.expose()])
            .status()
            .expect("it runs");
        assert!(status.success(), "{program} failed");
        self.seconds.push(began.elapsed().as_secs_f64());
    }

    fn median(&self) -> f64 {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn row(&self, name: &str, than: Option<&Self>) {
        let (fastest, slowest) =
            (self.seconds.iter().copied().fold(f64::MAX, f64::min), self.seconds.iter().copied().fold(0.0, f64::max));
        let ratio = than.map_or_else(String::new, |than| format!("{:.2}", than.median() / self.median()));
        let peak = if self.peak > 0.0 { format!("{:.0} MB", self.peak) } else { String::new() };
        println!("| {name} | {:.1} s ({fastest:.1} to {slowest:.1}) | {ratio} | {peak} |", self.median());
    }
}

async fn compare() {
    let chunks: usize = env::var("CHUNKS").map_or(50_000, |chunks| chunks.parse().expect("a number"));
    let folder = env::temp_dir().join(format!("workspace-db-transfer-{}", std::process::id()));
    fs::create_dir(&folder).expect("a folder");
    let of_memory = env::var_os("MEMORY").is_some();
    let rounds = if of_memory { 1 } else { ROUNDS };
    let source = database(of_memory).await;
    let workspace = fill(&source, chunks).await;
    let [mut exports, mut dumps, mut plain, mut imports, mut restores, mut erasures] =
        [const { None }; 6].map(|_: Option<()>| Side::default());
    let file = |name: &str| -> PathBuf { folder.join(name) };
    let (archive, dump, raw) = (file("archive.tar"), file("dump"), file("raw"));
    for round in 0..rounds {
        eprintln!("round {round}");
        for path in [&archive, &dump, &raw] {
            let _ = fs::remove_file(path);
        }
        let to = |path: &Path| format!("--file={}", path.display());
        let same = ["--format=custom", "--data-only", "--exclude-table=__diesel_schema_migrations"];
        exports.ours("export", &source, workspace, &archive);
        if !of_memory {
            dumps.theirs(&source, "pg_dump", &[&same[..], &[&to(&dump)]].concat());
            plain.theirs(&source, "pg_dump", &[&same[..], &["--compress=0", &to(&raw)]].concat());
        }
        let target = database(of_memory).await;
        imports.ours("import", &target, workspace, &archive);
        erasures.ours("erase", &target, workspace, &archive);
        drop(target);
        if of_memory {
            continue;
        }
        let target = database(of_memory).await;
        let from = dump.to_str().expect("a path");
        restores.theirs(&target, "pg_restore", &["--data-only", from]);
    }
    println!(
        "{chunks} chunks; the archive has {} MB, the dump {} MB, without compression {} MB\n",
        mb(&archive),
        mb(&dump),
        mb(&raw)
    );
    println!("| | time | speed | peak memory |\n|---|---|---|---|");
    exports.row("export", Some(&dumps));
    dumps.row("pg_dump", None);
    plain.row("pg_dump --compress=0", Some(&dumps));
    imports.row("import", Some(&restores));
    restores.row("pg_restore", None);
    erasures.row("erase", None);
    fs::remove_dir_all(&folder).expect("the folder is gone");
}

fn mb(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len() >> 20)
}

async fn database(of_memory: bool) -> TestDatabase {
    let database = TestDatabase::new().await.expect("a database");
    if of_memory {
        let psql = database.install().program("psql");
        let url = database.superuser_url().expect("a URL");
        let drop = ["--quiet", "--command", "DROP INDEX document_chunks_vector_idx", url.expose()];
        assert!(Command::new(psql).args(drop).status().expect("it runs").success(), "the index is there still");
    }
    database
}

/// One workspace with that many chunks, by real embeddings.
async fn fill(database: &TestDatabase, chunks: usize) -> WorkspaceId {
    let mut conn = database.connect().await.expect("a connection");
    let seeded = seed(&mut conn, "a").await.expect("seeded");
    let db = database.open(2).await.expect("a database");
    let dataset = Dataset::read();
    let mut random = fastrand::Rng::with_seed(7);
    let scope = WorkspaceScope::unchecked(seeded.workspace, "a benchmark");
    let mut left = chunks;
    let mut number = 0;
    while left > 0 {
        let some = left.min(5_000);
        let vectors = dataset.many(some, &mut random);
        let documents = vectors.chunks(PASSAGES).map(|vectors| {
            number += 1;
            let passages = vectors.iter().enumerate().map(|(at, vector)| {
                let vector: [f32; 1536] = dataset.embed(vector).try_into().expect("1536");
                let words: String =
                    (0..150).map(|word| format!("word{} ", (word * 7 + at * 13 + number) % 5_000)).collect();
                Passage::new(words, Embedding::try_from(vector).expect("no NaN"))
            });
            let document = NewDocument { external_id: Some(format!("d{number}")), ..NewDocument::new("A document") };
            Ok(SourceDocument { document, model: "text-embedding-3-large".to_owned(), passages: passages.collect() })
        });
        let documents: Vec<_> = documents.collect();
        load(&db, &scope, &LoadOptions::new(seeded.datasource), stream::iter(documents), &|_| ())
            .await
            .expect("loaded");
        left -= some;
    }
    seeded.workspace
}
