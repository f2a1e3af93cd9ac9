//! Folders into workspaces: what is taken, what is left, and what a second run makes of a change.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rstest::rstest;
use serde_json::json;
use tokio::sync::Notify;
use workspace_db::embeddings::{Embedder, FeatureHashing, OpenAiEmbeddings, OpenAiSettings};
use workspace_db::id::{DocumentChunkId, DocumentId, WorkspaceId};
use workspace_db::jobs::Worker;
use workspace_db::models::*;
use workspace_db::schema::*;
use workspace_db::sql_types::*;
use workspace_db::tenancy::{Database, WorkspaceScope};
use workspace_db_ingest::*;
use workspace_db_testing::TestDatabase;

use crate::folder::Folder;
use crate::skipped;

struct Fixture {
    database: TestDatabase,
    conn: AsyncPgConnection,
    db: Database,
    workspace: WorkspaceId,
    scope: WorkspaceScope,
    folder: Folder,
}

impl Fixture {
    async fn new() -> Self {
        let database = TestDatabase::new().await.unwrap();
        let mut conn = database.connect().await.unwrap();
        let workspace = workspace_db_testing::workspace(&mut conn, "a").await.unwrap().id;
        let scope = WorkspaceScope::unchecked(workspace, "a test");
        Self { db: database.open(4).await.unwrap(), database, conn, workspace, scope, folder: Folder::new() }
    }

    fn options(&self) -> IngestOptions {
        IngestOptions::new([self.folder.path().to_owned()])
    }

    async fn ingest(&self) -> IngestReport {
        ingest(&self.db, &self.scope, &self.options(), &FeatureHashing, &|_| ()).await.unwrap()
    }

    async fn documents(&mut self) -> Vec<Document> {
        Document::query()
            .filter(documents::workspace_id.eq(self.workspace))
            .order(documents::external_id)
            .load(&mut self.conn)
            .await
            .unwrap()
    }

    async fn chunks(&mut self) -> Vec<DocumentChunk> {
        DocumentChunk::query()
            .filter(document_chunks::workspace_id.eq(self.workspace))
            .order((document_chunks::document_id, document_chunks::chunk_index))
            .load(&mut self.conn)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_folder_becomes_a_datasource_its_files_documents_their_passages_chunks() {
    let mut fixture = Fixture::new().await;
    fixture.folder.write("guide/intro.md", "Some words.\n\n# The guide\n\nMore words.\n");
    fixture.folder.write("code/main.rs", "fn main() { println!(\"hello\"); }\n");
    fixture.folder.write(".hidden/secret.txt", "not taken");
    fixture.folder.write(".gitignore", "target/\n");
    fixture.folder.write("target/output.txt", "not taken");
    std::os::unix::fs::symlink("guide/intro.md", fixture.folder.path().join("link.md")).unwrap();
    let report = fixture.ingest().await;
    assert_eq!((report.added, report.chunks, report.skipped.len()), (2, 2, 0));

    let source = Datasource::query().first(&mut fixture.conn).await.unwrap();
    assert_eq!((source.type_, source.sync_status), (DatasourceType::File, DatasourceSyncStatus::Completed));
    assert!(source.last_synced_at.is_some() && source.error_message.is_none());
    let documents = fixture.documents().await;
    let names: Vec<_> = documents.iter().map(|d| (d.external_id.as_deref().unwrap(), d.title.as_str())).collect();
    assert_eq!(names, [("code/main.rs", "code/main.rs"), ("guide/intro.md", "The guide")]);
    assert!(documents.iter().all(|d| d.status == DocumentStatus::Ready && d.datasource_id == Some(source.id)));
    let chunks = fixture.chunks().await;
    assert!(chunks.iter().all(|c| c.token_count.unwrap() > 0 && c.embedding_model == FeatureHashing.model()));
}

/// The texts that the embedder got.
#[derive(Default)]
struct Recording(Mutex<Vec<String>>);

impl Embedder for Recording {
    fn model(&self) -> &'static str {
        "recording"
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, workspace_db::Result<Vec<Embedding>>> {
        self.0.lock().unwrap().extend_from_slice(texts);
        FeatureHashing.embed(texts)
    }
}

#[tokio::test]
async fn a_passage_knows_its_title_its_headings_and_its_place() {
    let mut fixture = Fixture::new().await;
    let words = "Remove the folder of modules and install what the lock file says. ".repeat(20);
    let text = format!(
        "---\ntitle: npm-ci\nsection: 1\ndescription: Clean install\n---\n\n### Synopsis\n\nnpm ci\n\n## Usage\n\n{words}\n\n\
         ### With a cache\n\n{words}\n"
    );
    fixture.folder.write("npm-ci.md", &text);
    let recording = Recording::default();
    ingest(&fixture.db, &fixture.scope, &fixture.options(), &recording, &|_| ()).await.unwrap();

    let document = fixture.documents().await.remove(0);
    assert_eq!((document.title.as_str(), document.summary.as_deref()), ("npm-ci", Some("Clean install")));
    let chunks = fixture.chunks().await;
    assert_eq!(chunks.len(), 2);
    assert!(chunks[0].content.starts_with("### Synopsis"), "front matter in a passage: {:?}", chunks[0].content);
    let headings: Vec<_> = chunks.iter().map(|chunk| &chunk.metadata["headings"]).collect();
    assert_eq!(headings, [&json!(["Synopsis"]), &json!(["Usage", "With a cache"])]);
    let lines: Vec<&str> = text.lines().collect();
    for chunk in &chunks {
        let place = |key: &str, at: usize| usize::try_from(chunk.metadata[key][at].as_u64().unwrap()).unwrap();
        assert_eq!(&text[place("bytes", 0)..place("bytes", 1)], chunk.content);
        assert_eq!(lines[place("lines", 0) - 1..place("lines", 1)].join("\n").trim_end(), chunk.content);
    }
    let embedded = recording.0.into_inner().unwrap();
    assert_eq!(embedded[0], format!("npm-ci\nSynopsis\nClean install\n\n{}", chunks[0].content));
    assert_eq!(embedded[1], format!("npm-ci\nUsage\nWith a cache\n\n{}", chunks[1].content));
}

#[tokio::test]
async fn pages_and_notebooks_are_read_as_people_see_them() {
    let mut fixture = Fixture::new().await;
    fixture.folder.write(
        "hours.html",
        "<html lang=nl><head><title>Hours</title><meta name=description content='When we are open'>\n\
         <script>var secret = 1;</script></head>\n<body><nav>Home | Contact</nav>\n<h1>Hours</h1>\n<h2>Weekdays</h2>\n\
         <p>From <b>nine</b> to five.</p></body></html>",
    );
    fixture.folder.write(
        "load.ipynb",
        r##"{"nbformat": 4, "metadata": {"kernelspec": {"language": "python"}}, "cells": [
            {"cell_type": "markdown", "source": ["# Load the data\n", "Into a frame."]},
            {"cell_type": "code", "source": "frame = load()", "outputs": [{"text": "PRINTED"}]}]}"##,
    );
    fixture.folder.write(
        "odd.ipynb",
        r#"{"metadata": null, "cells": [{"cell_type": "markdown", "source": "---\n## Intro\nwith\u0000nul"},
            {"cell_type": "markdown", "source": "---\nEnd"}]}"#,
    );
    fixture.folder.write("old.ipynb", "{\"worksheets\": []}");
    fixture.folder.write("broken.ipynb", "{\"cells\": ");
    let report = fixture.ingest().await;
    assert_eq!(report.added, 4, "what is no notebook is read as it is");
    assert_eq!(report.skipped[0].reason, SkipReason::Unsupported { format: "a notebook of format 3" });
    let documents = fixture.documents().await;
    let of: Vec<_> = documents.iter().map(|document| (document.title.as_str(), document.summary.as_deref())).collect();
    assert_eq!(
        of,
        [("broken.ipynb", None), ("Hours", Some("When we are open")), ("Load the data", None), ("Intro", None)]
    );
    let chunks = fixture.chunks().await;
    let chunk = |at: usize| chunks.iter().find(|chunk| chunk.document_id == documents[at].id).unwrap();
    let (page, notebook) = (chunk(1), chunk(2));
    assert_eq!(page.content, "# Hours\n\n## Weekdays\n\nFrom nine to five.");
    assert_eq!(page.metadata, json!({ "headings": ["Hours"], "lines": [4, 6] }));
    assert_eq!(page.language.as_ref().unwrap().as_str(), "nl");
    assert_eq!(notebook.content, "# Load the data\nInto a frame.\n\n```python\nframe = load()\n```");
    assert_eq!(chunk(3).content, "---\n## Intro\nwith\u{fffd}nul\n\n---\nEnd");
    assert_eq!(notebook.metadata, json!({ "headings": ["Load the data"], "cells": [1, 2] }));
}

#[tokio::test]
async fn each_file_has_its_language() {
    let mut fixture = Fixture::new().await;
    let german =
        "Das Haus steht in einer kleinen Straße, und niemand weiß, wem es gehört. Der Garten verwildert seit Jahren.";
    fixture
        .folder
        .write("german.md", format!("# Häuser\n\n{german}\n\n```rust\nlet the_house = is_in(the_street);\n```\n"));
    fixture.folder.write("named.md", format!("---\nlang: nl\n---\n{german}\n"));
    fixture.folder.write("odd.md", format!("---\nlang: not a tag!\n---\n{german}\n"));
    fixture.folder.write("short.txt", "npm ci");
    let languages = async |fixture: &mut Fixture| {
        let names: Vec<_> =
            fixture.documents().await.into_iter().map(|document| (document.id, document.external_id)).collect();
        let chunks = fixture.chunks().await;
        let of = |id: DocumentId| chunks.iter().find(|chunk| chunk.document_id == id).unwrap().language.clone();
        names.into_iter().map(|(id, name)| (name.unwrap(), String::from(of(id).unwrap()))).collect::<Vec<_>>()
    };
    let expected = |of: [&str; 4]| {
        ["german.md", "named.md", "odd.md", "short.txt"]
            .into_iter()
            .zip(of)
            .map(|(name, tag)| (name.to_owned(), tag.to_owned()))
            .collect::<Vec<_>>()
    };
    fixture.ingest().await;
    assert_eq!(languages(&mut fixture).await, expected(["de", "nl", "de", "en"]), "en is the workspace's default");

    let options = IngestOptions { language: Some("fr".parse().unwrap()), ..fixture.options() };
    let report = ingest(&fixture.db, &fixture.scope, &options, &FeatureHashing, &|_| ()).await.unwrap();
    assert_eq!(report.replaced, 4, "another language replaces the documents");
    assert_eq!(languages(&mut fixture).await, expected(["fr", "nl", "fr", "fr"]));

    // A workspace that offers no German has none.
    diesel::insert_into(workspace_settings::table)
        .values((
            workspace_settings::workspace_id.eq(fixture.workspace),
            workspace_settings::languages.eq(LanguageTags::try_from(vec!["nl".parse().unwrap()]).unwrap()),
        ))
        .execute(&mut fixture.conn)
        .await
        .unwrap();
    fixture.ingest().await;
    assert!(languages(&mut fixture).await.iter().all(|(_, tag)| tag == "en" || tag == "nl"));
}

#[rstest]
#[case::no_maximum(1, 0)]
#[case::a_maximum_below_the_minimum(200, 100)]
#[case::longer_than_a_model_reads(100, 10_000)]
#[tokio::test]
async fn sizes_of_which_there_are_no_passages_are_refused(#[case] min_tokens: usize, #[case] max_tokens: usize) {
    let fixture = Fixture::new().await;
    fixture.folder.write("a.txt", "words");
    let split_options = SplitOptions { min_tokens, max_tokens, ..SplitOptions::default() };
    let options = IngestOptions { split: split_options, ..fixture.options() };
    let error = ingest(&fixture.db, &fixture.scope, &options, &FeatureHashing, &|_| ()).await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains(&max_tokens.to_string()), "{error}");
    assert!(FileIngestion::new(Arc::new(FeatureHashing)).split(split_options).is_err());
    // The function can't fail: it takes the nearest sizes.
    assert!(!split("a.txt".as_ref(), &"words ".repeat(5_000), split_options).is_empty());
}

#[tokio::test]
async fn a_second_run_replaces_what_changed_and_archives_what_has_gone() {
    let mut fixture = Fixture::new().await;
    for name in ["same.txt", "changed.txt", "gone.txt"] {
        fixture.folder.write(name, format!("The first text of {name}."));
    }
    fixture.ingest().await;
    let before = fixture.chunks().await;
    let first = fixture.documents().await;

    fixture.folder.write("changed.txt", "Another text.");
    fs::remove_file(fixture.folder.path().join("gone.txt")).unwrap();
    let report = fixture.ingest().await;
    let counts = (report.added, report.replaced, report.unchanged, report.archived, report.chunks);
    assert_eq!(counts, (0, 1, 1, 1, 1));

    let second = fixture.documents().await;
    let statuses: Vec<_> = second.iter().map(|d| (d.external_id.as_deref().unwrap(), d.status)).collect();
    let expected = [
        ("changed.txt", DocumentStatus::Ready),
        ("gone.txt", DocumentStatus::Archived),
        ("same.txt", DocumentStatus::Ready),
    ];
    assert_eq!(statuses, expected);
    assert!(first.iter().zip(&second).all(|(a, b)| a.id == b.id), "a document was made anew");
    assert!(first[0].content_hash != second[0].content_hash && first[2] == second[2]);
    let after = fixture.chunks().await;
    let of = |chunks: &[DocumentChunk], document: DocumentId| -> Vec<(DocumentChunkId, String)> {
        chunks.iter().filter(|c| c.document_id == document).map(|c| (c.id, c.content.clone())).collect()
    };
    assert_eq!(of(&before, first[2].id), of(&after, first[2].id), "an unchanged file's chunks were written again");
    assert_eq!(of(&after, first[0].id)[0].1, "Another text.");

    fixture.folder.write("gone.txt", "The first text of gone.txt.");
    let report = fixture.ingest().await;
    assert_eq!((report.unchanged, report.archived, report.chunks), (3, 0, 0));
    assert_eq!(fixture.documents().await[1].status, DocumentStatus::Ready, "a file that is back is searched again");
}

#[rstest]
#[case::binary("bad.txt", b"ab\0cd".as_slice(), SkipReason::Binary)]
#[case::empty("bad.txt", b"".as_slice(), SkipReason::Empty)]
#[case::blank("bad.txt", b" \n\t\r\n".as_slice(), SkipReason::Empty)]
#[case::a_page_without_text("bad.html", b"<title>x</title>".as_slice(), SkipReason::Empty)]
#[case::front_matter_alone("bad.md", b"---\na: b\n---\n".as_slice(), SkipReason::Empty)]
#[case::pdf("bad.txt", b"%PDF-1.7\ntext".as_slice(), SkipReason::Unsupported { format: "PDF" })]
#[case::xlsx("bad.xlsx", b"PK\x03\x04\0".as_slice(), SkipReason::Unsupported { format: "XLSX" })]
#[case::broken_docx(
    "bad.docx",
    b"PK\x03\x04\0".as_slice(),
    SkipReason::Broken { error: "its archive can't be read: invalid Zip archive: Could not find EOCD".to_owned() },
)]
#[case::another_zip("bad.jar", b"PK\x03\x04\0".as_slice(), SkipReason::Binary)]
#[case::latin1("bad.txt", b"caf\xe9".as_slice(), SkipReason::NotUtf8)]
#[case::too_large("bad.txt", b"0123456789abcdef_".as_slice(), SkipReason::TooLarge { bytes: 17, max_bytes: 16 })]
#[tokio::test]
async fn a_file_that_is_no_text_is_skipped_counted_and_listed(
    #[case] name: &str,
    #[case] content: &[u8],
    #[case] reason: SkipReason,
) {
    let mut fixture = Fixture::new().await;
    fixture.folder.write("good.txt", "some words");
    fixture.folder.write(name, content);
    let options = IngestOptions { max_bytes: 16, ..fixture.options() };
    let report = ingest(&fixture.db, &fixture.scope, &options, &FeatureHashing, &|_| ()).await.unwrap();
    assert_eq!(report.added, 1);
    assert_eq!(report.skipped, [SkippedFile { name: name.to_owned(), reason }]);
    assert_eq!(fixture.documents().await.len(), 1);
}

#[tokio::test]
async fn a_document_whose_file_is_no_text_any_more_is_archived() {
    let mut fixture = Fixture::new().await;
    fixture.folder.write("a.txt", "some words");
    fixture.ingest().await;
    fixture.folder.write("a.txt", b"\0");
    assert_eq!(fixture.ingest().await.archived, 1);
    assert_eq!(fixture.documents().await[0].status, DocumentStatus::Archived);
}

/// What cannot be read now may be as it was: only what is known to have gone is archived.
#[tokio::test]
async fn a_folder_that_can_not_be_listed_archives_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut fixture = Fixture::new().await;
    fixture.folder.write("open.txt", "some words");
    fixture.folder.write("closed/a.txt", "other words");
    fixture.ingest().await;
    fs::remove_file(fixture.folder.path().join("open.txt")).unwrap();
    let closed = fixture.folder.path().join("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&closed).is_ok() {
        skipped("to root no folder is closed; the run from an unprivileged account has this test");
        return;
    }
    let report = fixture.ingest().await;
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(report.archived, 0);
    assert!(matches!(report.skipped[0].reason, SkipReason::Unreadable { .. }), "{:?}", report.skipped);
    assert!(fixture.documents().await.iter().all(|document| document.status == DocumentStatus::Ready));
}

#[tokio::test]
async fn a_name_that_is_not_utf8_is_skipped_and_listed() {
    use std::os::unix::ffi::OsStrExt as _;
    let fixture = Fixture::new().await;
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    if fs::write(fixture.folder.path().join(name), "some words").is_err() {
        skipped("this file system takes no such name");
        return;
    }
    let report = fixture.ingest().await;
    assert_eq!((report.added, &report.skipped[0].reason), (0, &SkipReason::NameNotUtf8));
}

#[tokio::test]
async fn what_people_changed_on_a_document_stays() {
    let mut fixture = Fixture::new().await;
    for name in ["draft.txt", "archived.txt", "tagged.txt"] {
        fixture.folder.write(name, format!("The first text of {name}."));
    }
    fixture.ingest().await;
    let change = async |conn: &mut AsyncPgConnection, name: &str, changes: DocumentChanges| {
        diesel::update(documents::table.filter(documents::external_id.eq(name)))
            .set(&changes)
            .execute(conn)
            .await
            .unwrap()
    };
    let status = |status| DocumentChanges { status: Some(status), ..Default::default() };
    change(&mut fixture.conn, "draft.txt", status(DocumentStatus::Draft)).await;
    change(&mut fixture.conn, "archived.txt", status(DocumentStatus::Archived)).await;
    let mut metadata = fixture.documents().await[2].metadata.clone();
    metadata["tags"] = serde_json::json!(["bicycles"]);
    change(&mut fixture.conn, "tagged.txt", DocumentChanges { metadata: Some(metadata), ..Default::default() }).await;
    for text in ["The first text of", "Another text of"] {
        for name in ["draft.txt", "archived.txt", "tagged.txt"] {
            fixture.folder.write(name, format!("{text} {name}."));
        }
        fixture.ingest().await;
        let documents = fixture.documents().await;
        let statuses: Vec<_> = documents.iter().map(|document| document.status).collect();
        assert_eq!(statuses, [DocumentStatus::Archived, DocumentStatus::Draft, DocumentStatus::Ready], "{text}");
        assert_eq!(documents[2].metadata["tags"], serde_json::json!(["bicycles"]));
    }
}

#[tokio::test]
async fn an_embedder_that_gives_too_few_vectors_stores_nothing() {
    struct TooFewVectors;
    impl Embedder for TooFewVectors {
        fn model(&self) -> &'static str {
            "fewer"
        }
        fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, workspace_db::Result<Vec<Embedding>>> {
            FeatureHashing.embed(&texts[1..])
        }
    }
    let mut fixture = Fixture::new().await;
    fixture.folder.write("a.txt", "some words");
    let error = ingest(&fixture.db, &fixture.scope, &fixture.options(), &TooFewVectors, &|_| ()).await.unwrap_err();
    assert!(error.is_embeddings_failure(), "{error}");
    assert!(fixture.documents().await.is_empty());
}

#[tokio::test]
async fn text_that_hurts_comes_back_as_it_was() {
    let mut fixture = Fixture::new().await;
    let text =
        "e\u{301} עברית \u{202e}right-to-left\u{202c} 🚲 \u{feff}in the middle, %s $1 '; DROP TABLE documents; --";
    fixture.folder.write("ü ' \" name.txt", format!("\u{feff}{text}"));
    assert_eq!(fixture.ingest().await.added, 1);
    assert_eq!(fixture.chunks().await[0].content, text);
    assert_eq!(fixture.documents().await[0].external_id.as_deref(), Some("ü ' \" name.txt"));
}

#[rstest]
#[case::markdown("long.md", "## Section\n\nA paragraph of several words about bicycles and their wheels.\n\n")]
#[case::rust(
    "long.rs",
    "/// Adds two numbers and says so.\nfn bicycles(left: u64, right: u64) -> u64 {\n    left + right\n}\n\n"
)]
#[case::text("long.txt", "A sentence of several words about bicycles. Another one about their wheels.\n\n")]
#[case::one_line("line.txt", "bicycles wheels and spokes ")]
#[tokio::test]
async fn a_long_file_is_split_within_the_bounds_and_nothing_is_lost(#[case] name: &str, #[case] piece: &str) {
    let mut fixture = Fixture::new().await;
    let text: String = (0..1000).map(|n| piece.replacen("bicycles", &format!("bicycles{n}"), 1)).collect();
    fixture.folder.write(name, &text);
    fixture.ingest().await;
    let chunks = fixture.chunks().await;
    assert!(chunks.len() > 5, "{} chunks", chunks.len());
    let tokens: Vec<_> = chunks.iter().map(|c| usize::try_from(c.token_count.unwrap()).unwrap()).collect();
    assert!(tokens.iter().all(|n| *n <= MAX_TOKENS), "{tokens:?}");
    assert!(tokens[..tokens.len() - 1].iter().all(|n| *n >= MIN_TOKENS - OVERLAP_TOKENS), "{tokens:?}");
    assert!(chunks.iter().enumerate().all(|(place, c)| usize::try_from(c.chunk_index).unwrap() == place));
    // Every piece has its number, so a chunk stands in the file once; between two there is white space at most.
    let mut reached = 0;
    for chunk in &chunks {
        let start = text.find(&chunk.content).unwrap();
        assert!(start <= reached || text[reached..start].trim().is_empty(), "lost: {:?}", &text[reached..start]);
        reached = start + chunk.content.len();
    }
    assert!(text[reached..].trim().is_empty());
}

#[tokio::test]
async fn the_same_folder_in_two_workspaces_is_two_datasources() {
    let mut fixture = Fixture::new().await;
    let other = workspace_db_testing::workspace(&mut fixture.conn, "b").await.unwrap().id;
    fixture.folder.write("a.txt", "some words");
    fixture.ingest().await;
    let report =
        ingest(&fixture.db, &WorkspaceScope::unchecked(other, "a test"), &fixture.options(), &FeatureHashing, &|_| ())
            .await
            .unwrap();
    assert_eq!((report.added, report.unchanged), (1, 0), "one workspace's document was taken for the other's");
    fs::remove_file(fixture.folder.path().join("a.txt")).unwrap();
    fixture.folder.write("b.txt", "other words");
    fixture.ingest().await;
    let theirs: Vec<DocumentStatus> = documents::table
        .filter(documents::workspace_id.eq(other))
        .select(documents::status)
        .load(&mut fixture.conn)
        .await
        .unwrap();
    assert_eq!(theirs, [DocumentStatus::Ready], "a run in one workspace archived the other's document");
}

#[tokio::test]
async fn two_runs_at_once_leave_each_document_once() {
    let mut fixture = Fixture::new().await;
    for n in 0..30 {
        fixture.folder.write(&format!("{n}.txt"), format!("The text number {n}."));
    }
    let options = fixture.options();
    let run = || ingest(&fixture.db, &fixture.scope, &options, &FeatureHashing, &|_| ());
    tokio::try_join!(run(), run()).unwrap();
    assert_eq!(fixture.documents().await.len(), 30);
    assert_eq!(fixture.chunks().await.len(), 30);
}

/// An embedder that fails once it meets a word.
/// Waits in the first call until it may go on.
struct WaitsOnce {
    has_begun: Notify,
    go_on: Notify,
    calls: AtomicUsize,
}

impl WaitsOnce {
    fn new() -> Arc<Self> {
        Arc::new(Self { has_begun: Notify::new(), go_on: Notify::new(), calls: AtomicUsize::new(0) })
    }
}

impl Embedder for WaitsOnce {
    fn model(&self) -> &str {
        FeatureHashing.model()
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, workspace_db::Result<Vec<Embedding>>> {
        async move {
            if self.calls.fetch_add(1, Ordering::SeqCst) == 0 {
                self.has_begun.notify_one();
                self.go_on.notified().await;
            }
            FeatureHashing.embed(texts).await
        }
        .boxed()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum By {
    Run,
    Job,
}

/// One has read the file, the file changes, another stores what it is now, and then the first goes on.
#[rstest]
#[case::a_new_file_by_a_run(By::Run, false)]
#[case::a_new_file_by_a_job(By::Job, false)]
#[case::a_changed_file_by_a_run(By::Run, true)]
#[case::a_changed_file_by_a_job(By::Job, true)]
#[tokio::test]
async fn of_two_that_overlap_the_one_that_read_the_file_last_wins(#[case] by: By, #[case] is_known: bool) {
    let mut fixture = Fixture::new().await;
    if is_known {
        fixture.folder.write("a.md", "the first text");
        fixture.ingest().await;
    }
    fixture.folder.write("a.md", "an old text");
    let embedder = WaitsOnce::new();
    let slow = {
        let (db, scope, options, embedder) =
            (fixture.db.clone(), fixture.scope.clone(), fixture.options(), Arc::clone(&embedder));
        let folder = fixture.folder.path().to_owned();
        tokio::spawn(async move {
            match by {
                By::Run => drop(ingest(&db, &scope, &options, embedder.as_ref(), &|_| ()).await.unwrap()),
                By::Job => {
                    enqueue_files(&db, &scope, &options).await.unwrap();
                    let files = FileIngestion::new(embedder).under(scope.workspace(), folder).unwrap();
                    Worker::new(&db).handle(files.handler()).drain().await.unwrap();
                }
            }
        })
    };
    embedder.has_begun.notified().await;
    fixture.folder.write("a.md", "a new text");
    fixture.ingest().await;
    embedder.go_on.notify_one();
    slow.await.unwrap();
    let chunks: Vec<String> = fixture.chunks().await.into_iter().map(|chunk| chunk.content).collect();
    assert_eq!(chunks, ["a new text"]);
    assert_eq!(fixture.documents().await.len(), 1);
}

struct FailsAt(&'static str);

impl Embedder for FailsAt {
    fn model(&self) -> &str {
        FeatureHashing.model()
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, workspace_db::Result<Vec<Embedding>>> {
        if texts.iter().any(|text| text.contains(self.0)) {
            // Nobody listens there.
            let settings = OpenAiSettings { retries: 0, ..OpenAiSettings::new("http://127.0.0.1:9/v1") };
            let gone = OpenAiEmbeddings::new(settings).unwrap();
            return async move { gone.embed(texts).await }.boxed();
        }
        FeatureHashing.embed(texts)
    }
}

#[tokio::test]
async fn a_run_that_fails_keeps_whole_files_and_the_next_goes_on() {
    let mut fixture = Fixture::new().await;
    for n in 0..200 {
        fixture.folder.write(&format!("{n:03}.txt"), format!("The text number {n:03}."));
    }
    let failed = ingest(&fixture.db, &fixture.scope, &fixture.options(), &FailsAt("150"), &|_| ()).await;
    assert!(failed.is_err());
    let source = Datasource::query().first(&mut fixture.conn).await.unwrap();
    assert_eq!(source.sync_status, DatasourceSyncStatus::Failed);
    assert!(source.error_message.is_some());
    let kept = fixture.documents().await.len();
    assert!((1..200).contains(&kept), "{kept} documents were kept");
    assert_eq!(fixture.chunks().await.len(), kept, "a document without its chunks");
    let report = fixture.ingest().await;
    assert_eq!((report.unchanged, report.added), (kept, 200 - kept));
    let source = Datasource::query().first(&mut fixture.conn).await.unwrap();
    assert_eq!((source.sync_status, source.error_message), (DatasourceSyncStatus::Completed, None));
}

/// A file whose replacement fails half-way keeps the document and the chunks that it had.
#[tokio::test]
async fn a_replacement_that_is_refused_changes_nothing() {
    use diesel_async::SimpleAsyncConnection as _;
    let mut fixture = Fixture::new().await;
    fixture.folder.write("a.txt", "The first text.");
    fixture.ingest().await;
    let (documents, chunks) = (fixture.documents().await, fixture.chunks().await);
    let refusal = "ALTER TABLE document_chunks ADD CONSTRAINT refused CHECK (content NOT LIKE '%second%')";
    let mut owner = workspace_db::db::connect(&fixture.database.url().unwrap()).await.unwrap();
    owner.batch_execute(refusal).await.unwrap();
    fixture.folder.write("a.txt", "The second text.");
    let failed = ingest(&fixture.db, &fixture.scope, &fixture.options(), &FeatureHashing, &|_| ()).await;
    assert!(failed.unwrap_err().to_string().contains("refused"));
    assert_eq!((fixture.documents().await, fixture.chunks().await), (documents, chunks));
}

#[tokio::test]
async fn another_model_embeds_everything_again() {
    struct RenamedModel;
    impl Embedder for RenamedModel {
        fn model(&self) -> &'static str {
            "renamed"
        }
        fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, workspace_db::Result<Vec<Embedding>>> {
            FeatureHashing.embed(texts)
        }
    }
    let mut fixture = Fixture::new().await;
    fixture.folder.write("a.txt", "some words");
    fixture.ingest().await;
    let report = ingest(&fixture.db, &fixture.scope, &fixture.options(), &RenamedModel, &|_| ()).await.unwrap();
    assert_eq!((report.replaced, report.unchanged), (1, 0));
    assert_eq!(fixture.chunks().await[0].embedding_model, "renamed");
}

#[tokio::test]
async fn a_root_that_does_not_exist_is_told_before_anything_is_written() {
    let mut fixture = Fixture::new().await;
    fixture.folder.write("a.txt", "some words");
    let options = IngestOptions::new([fixture.folder.path().to_owned(), fixture.folder.path().join("gone")]);
    let error = ingest(&fixture.db, &fixture.scope, &options, &FeatureHashing, &|_| ()).await.unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("gone"), "{error}");
    assert!(fixture.documents().await.is_empty());
}
