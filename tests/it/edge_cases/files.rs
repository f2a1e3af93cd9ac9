//! Files that nobody wrote for a reader: each is split in time by its length, is named where it can't be taken, and keeps no
//! other file out.

use std::path::Path;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::post;
use axum::{Json, Router};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use rstest::rstest;
use serde_json::{Value, json};
use workspace_db::embeddings::{Embedder, FeatureHashing, OpenAiEmbeddings, OpenAiSettings};
use workspace_db::models::DocumentChunk;
use workspace_db::schema::{document_chunks, documents};
use workspace_db::tenancy::{Database, WorkspaceScope};
use workspace_db_ingest::{IngestOptions, IngestReport, MAX_TOKENS, SkipReason, ingest};
use workspace_db_testing::{TestDatabase, workspace};

use crate::folder::Folder;

/// Far more than any of these takes, and far less than one of them took: minutes, or for ever.
const DEADLINE: Duration = Duration::from_secs(60);

fn chain(links: usize, link: &str) -> String {
    format!("const a = b{};\n", link.repeat(links))
}

fn else_ifs(head: &str, more: &str, end: &str, count: usize) -> String {
    lines(count, |n| format!("{}{n}", if n == 0 { head } else { more })) + end
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().concat()
}

fn nested(open: &str, inner: &str, close: &str, levels: usize) -> String {
    format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
}

fn digits(count: usize) -> String {
    // Without any pattern that a tokenizer could use.
    (0..count).map(|n| char::from(b'A' + u8::try_from((n * n * 7 + n / 3) % 57).unwrap())).collect()
}

#[rstest]
#[case::else_ifs_of_javascript("a.js", else_ifs("if (x == ", ") { f(); } else if (x == ", ") { g(); }\n", 5_000))]
#[case::else_ifs_of_rust("a.rs", format!("fn f(x: u32) {{ {} }}\n", else_ifs("if x == ", " { f() } else if x == ", " { g() }", 5_000)))]
#[case::else_ifs_of_go("a.go", format!("package a\nfunc f(x int) {{ {} }}\n", else_ifs("if x == ", " { f() } else if x == ", " { g() }", 5_000)))]
#[case::else_ifs_of_python("a.py", "if x:\n    f()\n".to_owned() + &"elif x:\n    g()\n".repeat(20_000))]
#[case::chained_calls("a.ts", chain(50_000, ".then((c) => c.d)"))]
#[case::chained_calls_by_line("a.mjs", chain(30_000, "\n    .then((c) => c.d)"))]
#[case::jsx("a.tsx", format!("const a = {};\n", nested("<div>", "x", "</div>", 20_000)))]
#[case::brackets_of_python("b.py", format!("a = {}\n", nested("[", "", "]", 50_000)))]
#[case::f_strings("c.py", format!("a = {}\n", (0..2_000).fold("'x'".to_owned(), |inner, _| if inner.len() < 100_000 { format!("f\"{{{inner}}}\"") } else { inner })))]
#[case::a_flat_table("d.py", format!("table = [\n{}]\nsum = {}\n", "    (0x1234, 'M', 'a'),\n".repeat(20_000), vec!["1"; 200].join(" + ")))]
#[case::a_table_of_rust("b.rs", format!("const T: &[(char, &str)] = &[\n{}];\n", "    ('\\u{00C0}', \"A\\u{0300}\"),\n".repeat(20_000)))]
#[case::minified("axe.min.js", "function a(b,c){return b?c(b,function(d){return d.e}):[b,c].map(function(f){return f+1})};".repeat(8_000))]
#[case::brackets_that_dont_close("c.rs", "[({".repeat(200_000))]
#[case::lists_in_lists("a.md", lines(700, |n| format!("{}- item {n}\n", "  ".repeat(n))))]
#[case::quotations_in_quotations("b.md", format!("{} deep\n", ">".repeat(100_000)))]
#[case::emphasis("c.md", "*a **b ".repeat(100_000))]
#[case::links("d.md", "[".repeat(200_000) + "x" + &"](y)".repeat(50_000))]
#[case::json_in_one_line("a.json", format!("[{}]", vec![r#"{"id":12345,"name":"some name","tags":["a","b"]}"#; 18_000].join(",")))]
#[case::base64_in_one_line("a.txt", digits(900_000))]
#[case::base64_in_lines("b.txt", (digits(76) + "\n").repeat(11_000))]
#[case::css_in_one_line("a.css", ".a-b>.c:hover{color:#fff;margin:0 auto}".repeat(25_000))]
#[case::one_letter("c.txt", "a".repeat(1_000_000))]
#[case::white_space("d.txt", format!("a{}b", " ".repeat(1_000_000)))]
#[case::empty_lines("e.txt", format!("a{}b", "\n".repeat(1_000_000)))]
#[case::marks("f.txt", format!("a{}", "\u{301}".repeat(500_000)))]
#[case::marks_out_of_order("k.txt", format!("a{}", "\u{301}\u{323}".repeat(250_000)))]
#[case::half_width("l.txt", "\u{ff76}\u{ff9e}".repeat(150_000))]
#[case::one_character_that_is_a_sentence("m.txt", "\u{fdfa}".repeat(300_000))]
#[case::emoji("g.txt", "👩\u{200d}👩\u{200d}👧\u{200d}👦".repeat(40_000))]
#[case::chinese_without_a_stop("h.txt", "数据库系统是管理数据的软件".repeat(25_000))]
#[case::carriage_returns("i.txt", "a line\r".repeat(140_000))]
#[tokio::test]
async fn a_file_is_split_in_time_by_its_length(#[case] name: &str, #[case] text: String) {
    assert!(text.len() <= 1 << 20, "{} bytes are not read at all", text.len());
    let database = TestDatabase::new().await.unwrap();
    let mut conn = database.connect().await.unwrap();
    let a = workspace(&mut conn, "a").await.unwrap().id;
    let folder = Folder::new();
    folder.write(name, &text);
    folder.write("other.txt", "one more about weasels");
    let (db, scope) = (database.open(2).await.unwrap(), WorkspaceScope::unchecked(a, "a test"));
    let options = IngestOptions::new([folder.path().to_owned()]);
    let report = tokio::time::timeout(DEADLINE, ingest(&db, &scope, &options, &FeatureHashing, &|_| ()));
    let report = report.await.expect("it takes more than its time").unwrap();
    // What has no letter and no digit is skipped as empty.
    let is_text = text.contains(char::is_alphanumeric);
    assert_eq!((report.added, report.skipped.len()), if is_text { (2, 0) } else { (1, 1) });
    let chunks: Vec<DocumentChunk> = DocumentChunk::query()
        .inner_join(documents::table.on(documents::id.eq(document_chunks::document_id)))
        .filter(documents::external_id.eq(name))
        .order(document_chunks::chunk_index)
        .load(&mut conn)
        .await
        .unwrap();
    assert!(chunks.iter().all(|chunk| usize::try_from(chunk.token_count.unwrap()).unwrap() <= MAX_TOKENS));
    // Nothing is lost of it that a question could find.
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
    assert!(chunks.iter().map(|chunk| letters(&chunk.content)).sum::<usize>() >= letters(&text));
}

#[tokio::test]
async fn what_rules_leave_out_is_told_and_those_of_folders_above_leave_out_nothing() {
    let fixture = Fixture::new().await;
    fixture.folder.write("kb/o.md", "# Opening hours\n\nNine to five.\n");
    let root = fixture.folder.path().join("kb");
    assert_eq!(fixture.ingest(&root, &FeatureHashing).await.unwrap().added, 1);
    fixture.folder.write(".gitignore", "*\n");
    let report = fixture.ingest(&root, &FeatureHashing).await.unwrap();
    assert_eq!((report.unchanged, report.archived, report.ignored), (1, 0, 0));
    fixture.folder.write("kb/.gitignore", "*.md\n");
    let report = fixture.ingest(&root, &FeatureHashing).await.unwrap();
    assert_eq!((report.archived, report.ignored), (1, 1));
    let said = crate::cli::Shell::for_database(&fixture.database).run(&["ingest", root.to_str().unwrap(), "-w", "a"]);
    assert!(said.out.contains("ignored    1 file,"), "{}", said.out);
    // One that can't be read is named, and nothing is archived by what is left of it.
    fixture.folder.write("kb/.gitignore", "a{b\n");
    fixture.folder.write("kb/new.txt", "some words");
    let report = fixture.ingest(&root, &FeatureHashing).await.unwrap();
    assert!(report.skipped.iter().any(|one| one.reason.to_string().contains(".gitignore")), "{report:?}");
}

#[tokio::test]
async fn text_in_utf_16_is_text_and_what_nobody_could_find_is_none() {
    let fixture = Fixture::new().await;
    let utf_16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
        [mark.to_vec(), "the g\u{e4}nse of \u{1f986}".encode_utf16().flat_map(bytes).collect()].concat()
    };
    let (little, big) = (utf_16([0xff, 0xfe], u16::to_le_bytes), utf_16([0xfe, 0xff], u16::to_be_bytes));
    std::fs::write(fixture.folder.path().join("odd.txt"), &little[..little.len() - 1]).unwrap();
    std::fs::write(fixture.folder.path().join("nul.txt"), [&little[..], &[0, 0]].concat()).unwrap();
    std::fs::write(fixture.folder.path().join("little.txt"), little).unwrap();
    std::fs::write(fixture.folder.path().join("big.txt"), big).unwrap();
    for (name, text) in
        [("ruler.txt", "----\n"), ("invisible.txt", "\u{200b}\u{feff}"), ("mark.txt", "\u{feff}"), ("empty.txt", "")]
    {
        fixture.folder.write(name, text);
    }
    let report = fixture.ingest(fixture.folder.path(), &FeatureHashing).await.unwrap();
    assert_eq!(report.added, 2, "{report:?}");
    let skipped: Vec<String> = report.skipped.iter().map(|one| format!("{}: {}", one.name, one.reason)).collect();
    assert_eq!(
        skipped,
        [
            "empty.txt: empty",
            "invisible.txt: empty",
            "mark.txt: empty",
            "nul.txt: binary",
            "odd.txt: not UTF-8 or UTF-16",
            "ruler.txt: empty",
        ]
    );
    let found = crate::cli::Shell::for_database(&fixture.database).run(&[
        "search",
        "g\u{e4}nse",
        "-w",
        "a",
        "--by",
        "words",
        "--json",
    ]);
    let found: Value = serde_json::from_str(&found.out).expect(&found.err);
    assert_eq!(found["hits"].as_array().unwrap().len(), 2, "{found}");
}

#[tokio::test]
async fn the_limit_is_one_of_what_is_read() {
    let fixture = Fixture::new().await;
    // The kernel says 0 bytes of it, whatever it holds.
    let mut options = IngestOptions::new([Path::new("/proc/cpuinfo").to_owned()]);
    options.max_bytes = 10;
    let report = ingest(&fixture.db, &fixture.scope, &options, &FeatureHashing, &|_| ()).await.unwrap();
    let [skipped] = &report.skipped[..] else { panic!("{report:?}") };
    assert_eq!(skipped.reason, SkipReason::TooLarge { bytes: 11, max_bytes: 10 });
}

/// An endpoint that refuses one word, and more than three texts at once.
async fn endpoint() -> OpenAiEmbeddings {
    let answer = async |Json(body): Json<Value>| {
        let texts: Vec<String> = serde_json::from_value(body["input"].clone()).unwrap();
        if texts.iter().any(|text| text.contains("POISON")) {
            return (StatusCode::BAD_REQUEST, "no such words").into_response();
        }
        if texts.len() > 3 {
            return (StatusCode::PAYLOAD_TOO_LARGE, "too much").into_response();
        }
        let vectors: Vec<_> = texts.iter().map(|text| FeatureHashing::vector(text).unwrap()).collect();
        let data =
            vectors.iter().enumerate().map(|(at, vector)| json!({ "index": at, "embedding": vector.as_slice() }));
        Json(json!({ "data": data.collect::<Vec<_>>() })).into_response()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let app = Router::new().route("/v1/embeddings", post(answer));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    OpenAiEmbeddings::new(OpenAiSettings { retries: 0, ..OpenAiSettings::new(&url) }).unwrap()
}

#[tokio::test]
async fn a_text_that_the_endpoint_refuses_keeps_out_its_own_file_alone() {
    let fixture = Fixture::new().await;
    for name in ["a.txt", "b.txt", "c.txt", "d.txt"] {
        fixture.folder.write(name, format!("The words of {name}, and of nobody else."));
    }
    fixture.folder.write("bad.txt", "What the endpoint takes for POISON.");
    fixture.folder.write("long.txt", lines(4_000, |n| format!("Sentence number {n} of many.\n\n")));
    let embedder = endpoint().await;
    let report = fixture.ingest(fixture.folder.path(), &embedder).await.unwrap();
    assert_eq!(report.added, 5, "{report:?}");
    let [skipped] = &report.skipped[..] else { panic!("{report:?}") };
    assert!(skipped.name == "bad.txt" && skipped.reason.to_string().contains("no such words"), "{skipped:?}");
    // Alone, it is the endpoint that fails, and the file is named.
    let alone = Folder::new();
    alone.write("bad.txt", "POISON");
    let error = fixture.ingest(alone.path(), &embedder).await.unwrap_err();
    assert!(error.is_embeddings_failure() && error.to_string().contains("bad.txt"), "{error}");
}

struct Fixture {
    database: TestDatabase,
    db: Database,
    scope: WorkspaceScope,
    folder: Folder,
}

impl Fixture {
    async fn new() -> Self {
        let database = TestDatabase::new().await.unwrap();
        let a = workspace(&mut database.connect().await.unwrap(), "a").await.unwrap().id;
        let scope = WorkspaceScope::unchecked(a, "a test");
        Self { db: database.open(2).await.unwrap(), database, scope, folder: Folder::new() }
    }

    async fn ingest(&self, root: &Path, embedder: &dyn Embedder) -> workspace_db::Result<IngestReport> {
        let options = IngestOptions::new([root.to_owned()]);
        ingest(&self.db, &self.scope, &options, embedder, &|_| ()).await
    }
}
