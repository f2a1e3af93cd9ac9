//! JSON Lines, whole, broken and cut short.

use std::io::{BufReader, Cursor, Write as _};
use std::process::Stdio;

use serde_json::Value;
use workspace_db::indexes::vacuum_after_load;

use super::*;
use crate::cli::Shell;

fn line(external_id: &str, content: &str, number: u16) -> Value {
    json!({ "external_id": external_id, "content": content, "vector": vector(number).as_slice() })
}

/// Two documents of two passages each.
fn lines() -> Vec<String> {
    [("one", "a", 1), ("one", "b", 2), ("two", "x", 3), ("two", "y", 4)]
        .map(|(name, text, number)| line(name, text, number).to_string())
        .to_vec()
}

async fn loaded(fixture: &Fixture, text: Vec<u8>, broken: OnRejectedLine) -> (Result<LoadReport>, RejectedLines) {
    let lines = JsonLines::new(BufReader::new(Cursor::new(text)), "test-model", broken);
    let scope = WorkspaceScope::unchecked(fixture.a, "a test");
    let options = LoadOptions { all_or_nothing: broken == OnRejectedLine::Refuse, ..fixture.options() };
    (load(&fixture.db, &scope, &options, lines.documents, &|_| ()).await, lines.broken)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_detects_the_language_of_a_document() {
    let mut fixture = Fixture::new().await;
    let shell = Shell::for_database(&fixture.database);
    let german = "Die Öffnungszeiten stehen an der Tür, und wer zu spät kommt, muss bis zum nächsten Tag warten.";
    let mut named = line("named", german, 4);
    named["language"] = json!("nl");
    let lines = [line("german", german, 1), line("german", "42", 2), line("unclear", "42", 3), named];
    std::fs::write(shell.path("lines.jsonl"), lines.map(|line| line.to_string()).join("\n")).unwrap();
    shell.succeed(&["ingest", "--jsonl", "lines.jsonl", "--model", "test-model", "-w", "a"]);
    let languages: Vec<String> =
        fixture.chunks(fixture.a).await.into_iter().map(|chunk| chunk.language.unwrap().to_string()).collect();
    let counted = |language: &str| languages.iter().filter(|other| *other == language).count();
    assert_eq!([counted("de"), counted("en"), counted("nl")], [2, 1, 1], "{languages:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_passages_without_a_language_get_that_of_their_document() {
    let mut fixture = Fixture::new().await;
    let german = "Die Öffnungszeiten stehen an der Tür, und wer zu spät kommt, muss bis zum nächsten Tag warten.";
    let texts = format!("{}\n{}\n{}", line("de", german, 1), line("de", "42", 2), line("unclear", "42", 3));
    for workspace in ["a", "b"] {
        let shell = Shell::for_database(&fixture.database);
        std::fs::write(shell.path("lines.jsonl"), &texts).unwrap();
        shell.succeed(&["ingest", "--jsonl", "lines.jsonl", "--model", "test-model", "-w", workspace]);
    }
    fixture.conn.batch_execute("UPDATE document_chunks SET language = NULL").await.unwrap();
    let shell = Shell::for_database(&fixture.database);
    let done = shell.json(&["workspace", "detect-languages", "a"]);
    assert_eq!(done, json!({ "documents": 2, "chunks": 3 }));
    let languages = fixture.chunks(fixture.a).await.into_iter().map(|chunk| chunk.language.unwrap().to_string());
    let languages: Vec<String> = languages.collect();
    assert_eq!(languages.iter().filter(|language| *language == "de").count(), 2, "{languages:?}");
    assert_eq!(languages.iter().filter(|language| *language == "en").count(), 1, "{languages:?}");
    assert!(fixture.chunks(fixture.b).await.iter().all(|chunk| chunk.language.is_none()), "those of another workspace");
    assert_eq!(shell.json(&["workspace", "detect-languages", "a"]), json!({ "documents": 0, "chunks": 0 }));
}

#[tokio::test]
async fn lines_become_documents_and_passages() {
    let mut fixture = Fixture::new().await;
    let mut first = line("faq/1", "first", 1);
    for (field, value) in [
        ("title", json!("Opening hours")),
        ("metadata", json!({ "team": "support" })),
        ("status", json!("draft")),
        ("is_published", json!(false)),
        ("language", json!("nl")),
        ("token_count", json!(3)),
        ("embedding_model", json!("other-model")),
    ] {
        first[field] = value;
    }
    let mut second = line("faq/1", "second", 2);
    second["embedding_model"] = json!("other-model");
    // Blank lines, Windows' ends of lines, and no end of the last one.
    let text = format!("{first}\r\n\n{second}\n   \n{}", line("faq/2", "third", 3));
    let (report, broken) = loaded(&fixture, text.into_bytes(), OnRejectedLine::Refuse).await;
    assert_eq!(report.unwrap(), LoadReport { added: 2, chunks: 3, ..LoadReport::default() });
    assert_eq!(broken.count(), 0);
    let documents = fixture.documents(fixture.a).await;
    assert_eq!((documents[0].title.as_str(), documents[1].title.as_str()), ("Opening hours", "faq/2"));
    assert_eq!((documents[0].status, documents[0].is_published), (DocumentStatus::Draft, false));
    let first = fixture.chunks(fixture.a).await.into_iter().find(|chunk| chunk.content == "first").unwrap();
    assert_eq!((first.language.unwrap().as_str(), first.token_count), ("nl", Some(3)));
    assert_eq!((first.embedding_model.as_str(), first.vector), ("other-model", vector(1)));
    let third = fixture.chunks(fixture.a).await.into_iter().find(|chunk| chunk.content == "third").unwrap();
    assert_eq!(third.embedding_model, "test-model");
}

fn changed(field: &str, value: Value) -> Vec<u8> {
    let mut line = line("two", "broken", 9);
    line[field] = value;
    line.to_string().into_bytes()
}

#[rstest]
#[case::cut_off(b"{\"external_id\": \"two\", \"cont".to_vec(), "control character")]
#[case::no_json(b"hello".to_vec(), "expected value, at column 1")]
#[case::not_utf8(b"{\"external_id\": \"two\", \"content\": \"\xff\", \"vector\": []}".to_vec(), "unicode")]
#[case::a_field_is_missing(b"{\"external_id\": \"two\"}".to_vec(), "missing field `content`")]
#[case::a_field_is_unknown(changed("contents", json!("x")), "unknown field `contents`")]
#[case::too_short(changed("vector", json!([1.0, 2.0])), "32 to 1536 dimensions, and this one has 2")]
#[case::too_long(changed("vector", json!(vec![0.5; 3072])), "32 to 1536 dimensions, and this one has 3072; request fewer")]
#[case::other_dimensions(changed("vector", json!(vec![0.5; 384])), "has 384 dimensions, but others of this model have 1536")]
#[case::all_zeros(changed("vector", json!(vec![0.0; 1536])), "must not be the zero vector")]
#[case::not_a_number(changed("vector", json!(vec![Value::Null; 1536])), "invalid type: null")]
#[case::infinite(changed("vector", json!(vec![1e39; 1536])), "number out of range")]
#[case::a_nul(changed("content", json!("a\0b")), "NUL")]
#[case::a_nul_deep_inside(changed("metadata", json!({ "a": [{ "b\0": 1 }] })), "NUL")]
#[case::no_language(changed("language", json!("english!")), "BCP 47")]
#[case::no_status(changed("status", json!("gone")), "is not a value of the enum document_status")]
#[case::another_model(changed("embedding_model", json!("other")), "\"other\"")]
#[case::too_long(vec![b' '; 9 << 20], "longer than")]
#[tokio::test]
async fn a_broken_line_is_named_and_the_rest_goes_in_or_nothing_does(#[case] broken: Vec<u8>, #[case] why: &str) {
    let mut fixture = Fixture::new().await;
    let lines = lines();
    let mut text = lines[..3].join("\n").into_bytes();
    text.push(b'\n');
    text.extend(&broken);
    text.push(b'\n');
    text.extend(lines[3].as_bytes());

    let (report, _) = loaded(&fixture, text.clone(), OnRejectedLine::Refuse).await;
    let error = report.unwrap_err();
    assert!(error.is_invalid_input(), "{error}");
    assert!(error.to_string().starts_with("line 4: ") && error.to_string().contains(why), "{error}");
    assert!(fixture.documents(fixture.a).await.is_empty());

    let (report, left_out) = loaded(&fixture, text, OnRejectedLine::Skip).await;
    assert_eq!(report.unwrap(), LoadReport { added: 2, chunks: 4, ..LoadReport::default() });
    assert_eq!(left_out.count(), 1);
    assert!(left_out.lines()[0].line == 4 && left_out.lines()[0].why.contains(why), "{left_out:?}");
    let texts: Vec<String> = fixture.texts(fixture.a).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["a", "b", "x", "y"]);
}

/// A file system that fails in a way that nobody thought of.
struct Panics(Cursor<Vec<u8>>);

impl std::io::Read for Panics {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(buffer)?;
        assert!(read > 0, "a reader that panics at the end");
        Ok(read)
    }
}

#[tokio::test]
async fn a_small_model_keeps_its_dimensions_and_cosines() {
    let mut fixture = Fixture::new().await;
    let small = |external_id: &str, vector: Vec<f32>| {
        json!({ "external_id": external_id, "content": external_id, "vector": vector }).to_string().into_bytes()
    };
    let one: Vec<f32> = vector(1).as_slice().iter().take(384).copied().collect();
    let other: Vec<f32> = vector(2).as_slice().iter().take(384).copied().collect();
    let product = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(x, y)| f64::from(x * y)).sum::<f64>();
    let expected = product(&one, &other) / (product(&one, &one) * product(&other, &other)).sqrt();
    for (name, vector) in [("one", one), ("other", other)] {
        loaded(&fixture, small(name, vector), OnRejectedLine::Refuse).await.0.unwrap();
    }
    let stored = fixture.chunks(fixture.a).await;
    let [one, other] = [&stored[0].vector, &stored[1].vector];
    assert_eq!((one.dimensions(), other.dimensions()), (Some(384), Some(384)));
    let found = document_chunks::table
        .filter(document_chunks::id.eq(stored[0].id))
        .select(document_chunks::vector.cosine_similarity(other))
        .get_result::<f64>(&mut fixture.conn)
        .await
        .unwrap();
    assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
    for dimensions in [392, 1536] {
        let (report, _) = loaded(&fixture, small("third", vec![0.5; dimensions]), OnRejectedLine::Skip).await;
        let error = report.unwrap_err();
        assert!(error.is_conflict() && error.to_string().contains("have 384"), "{error}");
    }
    assert_eq!(fixture.texts(fixture.a).await.len(), 2);
}

#[tokio::test]
async fn a_reader_that_dies_is_not_taken_for_the_end() {
    let mut fixture = Fixture::new().await;
    let text = Cursor::new(lines().join("\n").into_bytes());
    let lines = JsonLines::new(BufReader::new(Panics(text)), "test-model", OnRejectedLine::Refuse);
    let scope = WorkspaceScope::unchecked(fixture.a, "a test");
    let options = LoadOptions { all_or_nothing: true, ..fixture.options() };
    let error = load(&fixture.db, &scope, &options, lines.documents, &|_| ()).await.unwrap_err();
    assert!(error.is_io_failure() && error.to_string().contains("panicked"), "{error}");
    assert!(fixture.texts(fixture.a).await.is_empty());
}

#[tokio::test]
async fn the_lines_of_a_document_must_follow_one_another() {
    let fixture = Fixture::new().await;
    let text =
        [("one", 1), ("two", 2), ("one", 3)].map(|(name, number)| line(name, "x", number).to_string()).join("\n");
    let (report, _) = loaded(&fixture, text.into_bytes(), OnRejectedLine::Refuse).await;
    let error = report.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("occurs twice"), "{error}");
}

fn shell(fixture: &Fixture) -> Shell {
    Shell::for_database(&fixture.database).with("WORKSPACE_DB_WORKSPACE", "a")
}

#[tokio::test]
async fn the_command_loads_a_file_and_standard_input() {
    let mut fixture = Fixture::new().await;
    let shell = shell(&fixture);
    std::fs::write(shell.path("passages.jsonl"), lines().join("\n")).unwrap();
    let work = tokio::task::spawn_blocking(move || {
        let report = shell.json(&["ingest", "--jsonl", "passages.jsonl", "--model", "test-model"]);
        assert_eq!((&report["added"], &report["chunks"], &report["broken"]), (&json!(2), &json!(4), &json!(0)));
        let said = shell.succeed(&["ingest", "--jsonl", "passages.jsonl", "--model", "test-model"]);
        assert!(said.contains("unchanged  2 documents"), "{said}");

        let mut piped =
            shell.command(&["ingest", "--jsonl", "-", "--datasource", "passages.jsonl", "--broken", "skip"]);
        let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let text = format!("{}\nnot a line\n", line("three", "z", 5));
        piped.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = piped.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "a line was left out");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("added      1 document\n") && said.contains("line 2: expected"), "{said}");

        let error = shell.fails(&["ingest", "--jsonl", "gone.jsonl"], 3);
        assert!(error.contains("gone.jsonl"), "{error}");
        shell.fails(&["ingest", "--jsonl", "passages.jsonl", "folder"], 2);
    });
    work.await.unwrap();
    let names: Vec<String> = fixture.texts(fixture.a).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["one", "one", "three", "two", "two"]);
    let sources: Vec<String> = datasources::table
        .filter(datasources::workspace_id.eq(fixture.a).and(datasources::name.ne("crm")))
        .select(datasources::name)
        .load(&mut fixture.conn)
        .await
        .unwrap();
    assert_eq!(sources, ["passages.jsonl"]);
    let synced: (DatasourceSyncStatus, bool) = datasources::table
        .filter(datasources::name.eq("passages.jsonl"))
        .select((datasources::sync_status, datasources::last_synced_at.is_not_null()))
        .get_result(&mut fixture.conn)
        .await
        .unwrap();
    assert_eq!(synced, (DatasourceSyncStatus::Completed, true));
}

/// A search right after a load finds statistics and a visibility map; autovacuum makes both minutes later.
#[tokio::test]
async fn the_command_leaves_what_searches_need() {
    let mut fixture = Fixture::new().await;
    let shell = shell(&fixture);
    let vector: Vec<f32> = (1_u8..=64).map(f32::from).collect();
    let lines = |first: usize, count: usize| {
        let line = |number: usize| json!({ "external_id": number.to_string(), "content": number.to_string(), "vector": vector });
        (first..first + count).map(|number| line(number).to_string() + "\n").collect::<String>()
    };
    std::fs::write(shell.path("few.jsonl"), lines(0, 20)).unwrap();
    std::fs::write(shell.path("many.jsonl"), lines(20, 1_200)).unwrap();
    let upkeep =
        "SELECT reltuples::bigint || ' ' || (relallvisible > 0) FROM pg_class WHERE relname = 'document_chunks'";
    let work = tokio::task::spawn_blocking(move || {
        shell.succeed(&["ingest", "--jsonl", "few.jsonl", "--model", "small"]);
        let before = shell.succeed(&["psql", "-Atc", upkeep]);
        shell.succeed(&["ingest", "--jsonl", "many.jsonl", "--model", "small"]);
        (before, shell.succeed(&["psql", "-Atc", upkeep]))
    });
    let (before, after) = work.await.unwrap();
    assert_ne!(before, "20 true\n", "a vacuum for a few passages");
    assert_eq!(after, "1220 true\n");
    // The application may not vacuum.
    assert!(!vacuum_after_load(&fixture.database.app_url().unwrap(), 10_000).await.unwrap());
    assert!(!vacuum_after_load(&fixture.database.url().unwrap(), 100).await.unwrap());
    assert!(vacuum_after_load(&fixture.database.url().unwrap(), 10_000).await.unwrap());
    assert_eq!(fixture.texts(fixture.a).await.len(), 1_220);
}

/// The process is killed again and again, each time after it has kept some more; nothing is there twice, or lost.
#[tokio::test]
async fn a_load_that_is_killed_is_gone_on_with() {
    const DOCUMENTS: usize = 400;
    let mut fixture = Fixture::new().await;
    let shell = shell(&fixture);
    let mut text = String::new();
    // Few digits, so that a debug build reads them in no time.
    let short: Vec<Vec<f32>> =
        (0..10).map(|number| (0..1536).map(|at| if at == number { 2.5 } else { 0.5 }).collect()).collect();
    for document in documents_of_ten(DOCUMENTS) {
        let name = document.document.external_id.unwrap();
        for (place, vector) in short.iter().enumerate() {
            let content = format!("{name} {place}");
            let line = json!({ "external_id": name, "content": content, "vector": vector });
            text.extend([line.to_string().as_str(), "\n"]);
        }
    }
    std::fs::write(shell.path("passages.jsonl"), text).unwrap();
    let arguments = ["ingest", "--jsonl", "passages.jsonl", "--broken", "skip"];
    let mut kept = 0;
    for _ in 0..2 {
        let mut child = shell.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let more = format!("SELECT count(*) > {kept} AS met FROM document_chunks");
        until(&mut fixture.conn, &more).await;
        child.kill().unwrap();
        child.wait().unwrap();
        // What the server had already been told to commit is committed after the kill.
        let idle = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
            AND pid <> pg_backend_pid() AND usename = 'test_app' AND state <> 'idle') AS met";
        until(&mut fixture.conn, idle).await;
        kept = document_chunks::table.count().get_result::<i64>(&mut fixture.conn).await.unwrap();
        assert!(
            kept < 4000 && kept % 10 == 0,
            "{kept} passages: the kill came too late, or a document is there in part"
        );
    }
    let report = tokio::task::spawn_blocking(move || shell.json(&arguments)).await.unwrap();
    let unchanged = usize::try_from(kept / 10).unwrap();
    assert_eq!((&report["unchanged"], &report["added"]), (&json!(unchanged), &json!(DOCUMENTS - unchanged)));
    let texts = fixture.texts(fixture.a).await;
    assert_eq!(texts.len(), DOCUMENTS * 10);
    let expected = documents_of_ten(DOCUMENTS).flat_map(|document| {
        let name = document.document.external_id.unwrap();
        (0..10).map(move |place| (name.clone(), format!("{name} {place}")))
    });
    assert!(texts.into_iter().eq(expected), "something is missing, out of place or twice");
}
