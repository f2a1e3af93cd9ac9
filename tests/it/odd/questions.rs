//! What people type into a search field: nothing of it fails, and a minus excludes in every reading.

use proptest::strategy::{Strategy as _, ValueTree as _};
use rstest::rstest;
use workspace_db::embeddings::FeatureHashing;
use workspace_db::ingest::{IngestOptions, ingest};
use workspace_db::tenancy::{Database, WorkspaceScope};
use workspace_db::testing::{TestDatabase, workspace};

use crate::cli::Shell;
use crate::folder::Folder;

struct Scene {
    database: TestDatabase,
    _db: Database,
    _folder: Folder,
}

impl Scene {
    async fn with(files: &[(&str, &str)]) -> Self {
        let database = TestDatabase::new().await.unwrap();
        let mut conn = database.connect().await.unwrap();
        let a = workspace(&mut conn, "a").await.unwrap().id;
        let folder = Folder::new();
        for (name, text) in files {
            folder.write(name, text);
        }
        let (db, scope) = (database.open(2).await.unwrap(), WorkspaceScope::vouched_for(a, "a test"));
        let options = IngestOptions::new([folder.path().to_owned()]);
        ingest(&db, &scope, &options, &FeatureHashing, &|_| ()).await.unwrap();
        Self { database, _db: db, _folder: folder }
    }

    /// The names of the documents that are found.
    fn found(&self, question: &str, more: &[&str]) -> Vec<String> {
        let mut command = vec!["search", "--json", "-w", "a"];
        command.extend(more);
        command.extend(["--", question]);
        let said = Shell::of(&self.database).run(&command);
        assert_eq!(said.code, 0, "{question:?}: {}", said.err);
        let said: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let hits = said["hits"].as_array().expect("a list of hits");
        hits.iter().map(|hit| hit["external_id"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

const DOGS: (&str, &str) = ("dogs.txt", "The red house has a garden and two dogs.");
const NONE: (&str, &str) = ("none.txt", "The red house has a garden and no animals.");

#[rstest]
#[case::a_word("garden -dogs")]
#[case::its_stem("garden -dog")]
#[case::a_word_of_another_number("gardens -dogs")]
#[case::a_phrase("garden -\"two dogs\"")]
#[case::one_of_two("garden -cats -dogs")]
#[case::before("-dogs garden")]
#[case::beside_any("house or garden -dogs")]
#[tokio::test]
async fn a_minus_excludes_in_every_reading(#[case] question: &str) {
    let scene = Scene::with(&[DOGS, NONE]).await;
    // Word for word, where the passages have no language: then the singular is another word.
    if question != "garden -dog" {
        let found = scene.found(question, &["--by", "words"]);
        assert!(!found.contains(&"dogs.txt".to_owned()), "{question}: {found:?}");
    }
    let mut conn = scene.database.connect().await.unwrap();
    diesel_async::SimpleAsyncConnection::batch_execute(&mut conn, "UPDATE document_chunks SET language = 'en'")
        .await
        .unwrap();
    let found = scene.found(question, &["--by", "words"]);
    assert_eq!(found, ["none.txt"], "{question}");
}

#[tokio::test]
async fn no_question_fails() {
    let scene = Scene::with(&[DOGS, NONE]).await;
    let table = "| Application | Version |\n|--------------------------------------------|---|\n| dogs | 1 |";
    let dashes = |count| format!("dogs {}", "-".repeat(count));
    let mut questions: Vec<String> = [
        table,
        "dogs ----",
        "dogs \u{2014}\u{2014}",
        "\"dogs",
        "dogs\"",
        "\"\"",
        "-\"dogs",
        "dogs -",
        "- dogs",
        "--dogs",
        "dogs ! & | ( ) <-> :*",
        "'dogs'",
        "dogs\\",
        "dogs:*",
        "!dogs",
        "dogs & !",
        "<b>dogs</b>",
        "a/b/dogs.txt",
        "dogs@example.com",
        "-",
        "---",
        "\t\n",
        "d\u{f6}gs",
        "or",
        "or dogs",
        "dogs or",
        "and or not",
        "%",
        "_",
        "$1",
        "{}",
        "\u{202e}dogs",
    ]
    .map(str::to_owned)
    .into();
    questions.extend([
        dashes(31),
        dashes(32),
        dashes(9_000),
        "-".repeat(9_000) + "dogs",
        "dogs ".repeat(1_500),
        "-dogs ".repeat(1_500),
    ]);
    questions.push("-dogs garden".to_owned() + &" -x".repeat(60));
    let seed: u64 = std::env::var("WORKSPACE_DB_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_129);
    println!("seed {seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = proptest::test_runner::TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &bytes);
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(proptest::test_runner::Config::default(), random);
    for _ in 0..30 {
        questions.push("[-\"'|&!<>():* a-zA-Z\u{e4}\u{6570}\\\\]{0,60}".new_tree(&mut runner).unwrap().current());
    }
    for question in questions.iter().filter(|question| !question.contains('\0')) {
        let short: String = question.chars().take(60).collect();
        let mut command = vec!["search", "--json", "-w", "a", "--by", "words"];
        command.extend(["--", question]);
        let said = Shell::of(&scene.database).run(&command);
        // What has no words at all is refused as wrong input, and nothing is the database's fault.
        assert!(matches!(said.code, 0 | 2), "{short:?}: {} {}", said.code, said.err);
        assert!(!said.err.contains("the database says"), "{short:?}: {}", said.err);
    }
}

#[tokio::test]
async fn metadata_that_a_document_has_is_found_and_no_json_is_refused() {
    let scene = Scene::with(&[DOGS, NONE]).await;
    for metadata in ["{}", r#"{"ingest_archived": false}"#] {
        assert_eq!(scene.found("garden", &["--metadata", metadata]).len(), 2, "{metadata}");
    }
    assert_eq!(scene.found("garden", &["--metadata", r#"{"ingest_archived": true}"#]).len(), 0);
    let said = Shell::of(&scene.database).run(&["search", "garden", "-w", "a", "--metadata", "{"]);
    assert_eq!(said.code, 2, "{}", said.err);
}
