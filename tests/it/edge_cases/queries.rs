//! What people type into a search field: nothing of it fails, and a minus excludes in every reading.

use proptest::strategy::{Strategy as _, ValueTree as _};
use rstest::rstest;
use workspace_db::embeddings::FeatureHashing;
use workspace_db::schema::document_chunks;
use workspace_db::search::SearchChunks as _;
use workspace_db::tenancy::{Database, InWorkspace as _, WorkspaceScope};
use workspace_db_ingest::{IngestOptions, ingest};
use workspace_db_testing::{TestDatabase, workspace};

use crate::cli::Shell;
use crate::folder::Folder;

struct Fixture {
    database: TestDatabase,
    db: Database,
    scope: WorkspaceScope,
    _folder: Folder,
}

impl Fixture {
    async fn with(files: &[(&str, &str)]) -> Self {
        let database = TestDatabase::new().await.unwrap();
        let mut conn = database.connect().await.unwrap();
        let a = workspace(&mut conn, "a").await.unwrap().id;
        let folder = Folder::new();
        for (name, text) in files {
            folder.write(name, text);
        }
        let (db, scope) = (database.open(2).await.unwrap(), WorkspaceScope::unchecked(a, "a test"));
        let options = IngestOptions::new([folder.path().to_owned()]);
        ingest(&db, &scope, &options, &FeatureHashing, &|_| ()).await.unwrap();
        Self { database, db, scope, _folder: folder }
    }

    /// The names of the documents that a search by words finds.
    async fn full_text(&self, question: &str) -> workspace_db::Result<Vec<String>> {
        let mut ws = self.db.workspace(&self.scope).await.unwrap();
        let answer = document_chunks::table.in_workspace(&self.scope).full_text(question, 10).run(&mut ws).await?;
        Ok(answer.hits.into_iter().filter_map(|hit| hit.external_id).collect())
    }

    /// As [`matching`](Self::matching), by the command line.
    fn found(&self, question: &str, more: &[&str]) -> Vec<String> {
        let mut command = vec!["search", "--json", "-w", "a"];
        command.extend(more);
        command.extend(["--", question]);
        let said = Shell::for_database(&self.database).run(&command);
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
    let fixture = Fixture::with(&[DOGS, NONE]).await;
    // Word for word, where the passages have no language: then the singular is another word.
    if question != "garden -dog" {
        let found = fixture.found(question, &["--by", "words"]);
        assert!(!found.contains(&"dogs.txt".to_owned()), "{question}: {found:?}");
    }
    let mut conn = fixture.database.connect().await.unwrap();
    diesel_async::SimpleAsyncConnection::batch_execute(&mut conn, "UPDATE document_chunks SET language = 'en'")
        .await
        .unwrap();
    let found = fixture.found(question, &["--by", "words"]);
    assert_eq!(found, ["none.txt"], "{question}");
}

#[tokio::test]
async fn no_question_fails() {
    let fixture = Fixture::with(&[DOGS, NONE]).await;
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
    questions.extend([
        "\u{6570}\u{636e}\u{5e93}".repeat(3_000),
        "\u{e41}\u{e21}\u{e27}".repeat(3_000),
        "aB".repeat(4_000),
        "a/".repeat(4_000),
        "\u{fdfa}".repeat(10_000),
        "\u{ff76}\u{ff9e}".repeat(5_000),
        "\u{f900}".repeat(10_000),
        "\u{1100}\u{1161}".repeat(5_000),
        format!("e{}", "\u{301}\u{323}".repeat(4_999)),
        format!("e{}", "\u{301}\u{323} -".repeat(3_000)),
    ]);
    questions.push("-dogs garden".to_owned() + &" -x".repeat(60));
    let mut runner = crate::generator(20_261_129, 1);
    for _ in 0..30 {
        questions.push("[-\"'|&!<>():* a-zA-Z\u{e4}\u{6570}\\\\]{0,60}".new_tree(&mut runner).unwrap().current());
    }
    for question in questions.iter().filter(|question| !question.contains('\0')) {
        let short: String = question.chars().take(60).collect();
        // A question without words is invalid input. No question causes an error of the database.
        if let Err(error) = fixture.full_text(question).await {
            assert!(error.is_invalid_input(), "{short:?}: {error}");
        }
        if !crate::is_long() {
            continue;
        }
        let mut command = vec!["search", "--json", "-w", "a", "--by", "words"];
        command.extend(["--", question]);
        let said = Shell::for_database(&fixture.database).run(&command);
        assert!(matches!(said.code, 0 | 2), "{short:?}: {} {}", said.code, said.err);
        assert!(!said.err.contains("the database reported"), "{short:?}: {}", said.err);
    }
}

const CODE: &str = "let request = HttpRequestParser.fromText(rawText); // src/search/words.rs\nVec<String> user_input \
    parseHTTPHeader https://docs.example.com/guide/install.html#section v1.2.3-rc.1 jane@example.com C:\\logs\\app.log utf8String";
const SCRIPTS: &str = "\u{6570}\u{636e}\u{5e93}\u{7cfb}\u{7edf}\u{662f}\u{7ba1}\u{7406}\u{6570}\u{636e}\u{7684}\u{8f6f}\u{4ef6}\u{3002}\
    PostgreSQL\u{6570}\u{636e}\u{5e93}\u{3002}\u{6211}\u{7231}\u{732b}\u{54aa}\u{3002} \u{691c}\u{7d22}\u{30a8}\u{30f3}\u{30b8}\u{306f}\u{901f}\u{3044} \
    \u{e41}\u{e21}\u{e27}\u{e19}\u{e2d}\u{e19}\u{e1a}\u{e19}\u{e40}\u{e2a}\u{e37}\u{e48}\u{e2d} \u{b370}\u{c774}\u{d130}\u{bca0}\u{c774}\u{c2a4}\u{b97c}";
const LETTERS: &str = "Cafe\u{301} Stra\u{df}e \u{ff21}\u{ff30}\u{ff29} o\u{fb00}ice \u{39f}\u{394}\u{39f}\u{3a3} data\u{ad}base KAPIT\u{c4}N na\u{ef}ve \u{2460} zero\u{200b}width";

/// What people type, and the passage that has it in another form.
#[rstest]
#[case::identifiers_and_paths(CODE, &[
    "HttpRequestParser", "fromText", "rawText", "HttpRequestParser.fromText", "HttpRequestParser.fromText(rawText)",
    "httprequestparser", "request parser", "RequestParser", "parser", "http", "words.rs", "search/words.rs", "src/search", "words",
    "./words.rs", "Vec<String>", "String", "user_input", "user input", "parseHTTPHeader", "http header", "install.html",
    "docs.example.com", "https://docs.example.com/guide/install.html", "install", "section", "2.3", "v1.2.3", "rc.1",
    "jane@example.com", "jane", "example.com", "app.log", "C:\\logs\\app.log", "logs", "utf8String", "string -missing.rs",
    "\"words rs\"", "guide/install",
], &["words.py", "search/files.rs", "TextParser", "textParse", "1.2.4", "john@example.com", "from -fromText", "http -words.rs", "parser -RequestParser"])]
#[case::languages_without_blanks(SCRIPTS, &[
    "\u{6570}\u{636e}\u{5e93}", "\u{7cfb}\u{7edf}", "\u{6570}\u{636e}\u{5e93}\u{7cfb}\u{7edf}\u{662f}\u{7ba1}\u{7406}\u{6570}\u{636e}\u{7684}\u{8f6f}\u{4ef6}", "\"\u{6570}\u{636e}\u{5e93}\"", "PostgreSQL", "\u{732b}",
    "\u{732b}\u{54aa}", "PostgreSQL\u{6570}\u{636e}\u{5e93}", "postgresql \u{6570}\u{636e}\u{5e93}", "\u{691c}\u{7d22}", "\u{30a8}\u{30f3}\u{30b8}", "\u{ff74}\u{ff9d}\u{ff7c}\u{ff9e}", "\u{901f}\u{3044}", "\u{e41}\u{e21}\u{e27}", "\u{e19}\u{e2d}\u{e19}",
    "\u{b370}\u{c774}\u{d130}", "\u{bca0}\u{c774}\u{c2a4}", "\u{1103}\u{1166}\u{110b}\u{1175}\u{1110}\u{1165}",
], &["\u{72d7}", "\u{5e93}\u{6570}", "\u{7cfb}\u{7edf} -\u{6570}\u{636e}\u{5e93}", "\u{e2b}\u{e21}\u{e32}"])]
#[case::forms_of_letters(LETTERS, &[
    "caf\u{e9}", "cafe\u{301}", "CAF\u{c9}", "strasse", "STRASSE", "stra\u{df}e", "api", "\u{ff21}\u{ff30}\u{ff29}", "office", "o\u{fb00}ice", "\u{3bf}\u{3b4}\u{3bf}\u{3c2}",
    "database", "data\u{ad}base", "kapit\u{e4}n", "Kapita\u{308}n", "NAI\u{308}VE", "1", "zerowidth", "zero\u{200b}width", "\u{feff}api",
], &["cafes", "api -office"])]
#[tokio::test]
async fn words_are_found_however_they_are_written(
    #[case] passage: &str,
    #[case] found: &[&str],
    #[case] not_found: &[&str],
) {
    let fixture = Fixture::with(&[("it.txt", passage), NONE]).await;
    for language in ["NULL", "'en'", "'th'"] {
        let mut conn = fixture.database.connect().await.unwrap();
        diesel_async::SimpleAsyncConnection::batch_execute(
            &mut conn,
            &format!("UPDATE document_chunks SET language = {language}"),
        )
        .await
        .unwrap();
        for question in found {
            let names = fixture.full_text(question).await.unwrap();
            assert_eq!(names.first().map(String::as_str), Some("it.txt"), "{question:?} in {language}");
        }
        for question in not_found {
            let names = fixture.full_text(question).await.unwrap();
            assert!(!names.contains(&"it.txt".to_owned()), "{question:?} in {language}");
        }
    }
}

#[tokio::test]
async fn metadata_that_a_document_has_is_found_and_no_json_is_refused() {
    let fixture = Fixture::with(&[DOGS, NONE]).await;
    for metadata in ["{}", r#"{"ingest_archived": false}"#] {
        assert_eq!(fixture.found("garden", &["--metadata", metadata]).len(), 2, "{metadata}");
    }
    assert_eq!(fixture.found("garden", &["--metadata", r#"{"ingest_archived": true}"#]).len(), 0);
    let said = Shell::for_database(&fixture.database).run(&["search", "garden", "-w", "a", "--metadata", "{"]);
    assert_eq!(said.code, 2, "{}", said.err);
}
