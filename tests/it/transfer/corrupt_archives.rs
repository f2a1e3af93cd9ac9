//! Archives that are not what was written: refused whole, with the place, and nothing of them is there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;

use base16ct::lower::encode_string as hex;
use rstest::rstest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use workspace_db::transfer::{Digest, ImportOptions, import, inspect};
use workspace_db_testing::TestDatabase;

use super::{Fixture, platform, rows};

/// The files of an archive, by name; rows are unpacked.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

pub(super) fn unpacked(path: &Path) -> Files {
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    let files = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let content = if name.contains(".zst") { zstd::decode_all(content.as_slice()).unwrap() } else { content };
        (name, content)
    });
    files.collect()
}

/// An archive of those files, whose manifest and sums agree with them: by somebody who knows the format.
pub(super) fn packed(path: &Path, mut files: Files) {
    let mut manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    for table in manifest["tables"].as_array_mut().unwrap() {
        let (mut all, mut total) = (Vec::new(), 0);
        for part in table["parts"].as_array_mut().unwrap() {
            let Some(lines) = files.get(part["file"].as_str().unwrap()) else {
                total += usize::try_from(part["rows"].as_u64().unwrap()).unwrap();
                continue;
            };
            all.extend_from_slice(lines);
            let count = lines.split_inclusive(|byte| *byte == b'\n').count();
            (part["rows"], part["bytes"]) = (json!(count), json!(lines.len()));
            total += count;
        }
        table["rows"] = json!(total);
        table["digest"] = json!(Digest::of(all.split_inclusive(|byte| *byte == b'\n')));
    }
    files.insert("manifest.json".to_owned(), serde_json::to_vec(&manifest).unwrap());
    write(path, &repacked(&files));
}

fn repacked(files: &Files) -> Files {
    let content = |name: &str, content: &[u8]| {
        if name.contains(".zst") { zstd::encode_all(content, 1).unwrap() } else { content.to_vec() }
    };
    files.iter().map(|(name, lines)| (name.clone(), content(name, lines))).collect()
}

/// An archive of those files as they are, with sums that agree.
fn write(path: &Path, contents: &Files) {
    let mut tar = tar::Builder::new(File::create(path).unwrap());
    let mut sums = Vec::new();
    let mut append = |name: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_entry_type(tar::EntryType::Regular);
        // Not by `set_path`, which refuses what a villain would write.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, content).unwrap();
    };
    for (name, content) in contents.iter().filter(|(name, _)| *name != "SHA256SUMS") {
        append(name, content);
        sums.push(format!("{}  {name}\n", hex(&Sha256::digest(content))));
    }
    append("SHA256SUMS", sums.concat().as_bytes());
    tar.finish().unwrap();
}

async fn refused(fixture: &Fixture, says: &[&str]) {
    let other = TestDatabase::new().await.unwrap();
    let target = other.open(2).await.unwrap();
    let error =
        import(&target, &platform(), &fixture.path("bad.tar"), ImportOptions::default(), &|_| ()).await.unwrap_err();
    assert!(error.is_invalid_input(), "{error:?}");
    let text = error.to_string();
    for said in says.iter().chain(&["bad.tar"]) {
        assert!(text.contains(said), "{said:?} is not in: {text}");
    }
    let mut conn = other.connect().await.unwrap();
    let left = rows(&mut conn, fixture.a.workspace).await;
    assert!(left.values().all(|rows| rows.count == 0), "{left:?}");
}

pub(super) fn replace(files: &mut Files, name: &str, from: &str, to: &str) {
    let lines = String::from_utf8(files[name].clone()).unwrap();
    assert!(lines.contains(from), "{from:?} is not in {lines}");
    files.insert(name.to_owned(), lines.replacen(from, to, 1).into_bytes());
}

pub(super) const DOCUMENTS: &str = "documents/000001.jsonl.zst";
const CHUNKS: &str = "document_chunks/000001.jsonl.zst";

/// One that agrees with itself and holds what no database takes.
#[rstest]
#[case::an_unknown_column(DOCUMENTS, "\"title\":", "\"titel\":", &[DOCUMENTS, "line 1", "documents has no column \"titel\""])]
#[case::the_workspace_of_another(DOCUMENTS, "\"title\":", "\"workspace_id\":\"00000000-0000-7000-8000-000000000009\",\"title\":", &["line 1", "no column \"workspace_id\""])]
#[case::a_column_twice(DOCUMENTS, "\"title\":", "\"title\":\"x\",\"title\":", &["line 1", "title occurs twice"])]
#[case::no_json(DOCUMENTS, "{", "{{", &[DOCUMENTS, "line 1", "column 2"])]
#[case::half_a_line(DOCUMENTS, "}\n", "", &[DOCUMENTS, "line 1"])]
#[case::a_nul(DOCUMENTS, "\"Opening hours\"", "\"Opening\\u0000hours\"", &["line 1", "title", "can't store NUL"])]
#[case::a_nul_in_json(DOCUMENTS, "\"metadata\":{}", "\"metadata\":{\"a\":\"\\u0000\"}", &["line 1", "metadata", "can't store NUL"])]
#[case::half_a_surrogate_pair(DOCUMENTS, "\"Opening hours\"", "\"\\ud83d\"", &["line 1", "title"])]
#[case::half_a_surrogate_pair_in_json(DOCUMENTS, "\"metadata\":{}", "\"metadata\":[\"\\\\\\ud83d\\n\"]", &["line 1", "metadata", "surrogate"])]
#[case::a_number_for_a_text(DOCUMENTS, "\"Opening hours\"", "7", &["line 1", "title: expected a string, not 7"])]
#[case::no_uuid(DOCUMENTS, "\"datasource_id\":\"", "\"datasource_id\":\"x", &["line 1", "datasource_id: expected a UUID"])]
#[case::a_vector_that_is_cut_off(CHUNKS, "\"vector\":\"AAAA", "\"vector\":\"", &["line 1", "vector: expected the base64 of 32-bit floats"])]
#[case::a_vector_of_other_dimensions(CHUNKS, "\"vector\":\"AAAAPwAAAD8AAAA/", "\"vector\":\"", &[CHUNKS, "expected 1536 dimensions, not 1533"])]
#[case::a_reference_to_nothing(CHUNKS, "\"document_id\":\"0", "\"document_id\":\"1", &[CHUNKS, "not present in table \"documents\""])]
#[case::what_a_check_refuses(CHUNKS, "\"chunk_index\":0", "\"chunk_index\":0,\"token_count\":-1", &[CHUNKS, "document_chunks_token_count_check"])]
#[case::an_unknown_state(DOCUMENTS, "\"status\":\"ready\"", "\"status\":\"reedy\"", &[DOCUMENTS, "reedy"])]
#[tokio::test]
async fn a_row_that_can_not_be(#[case] file: &str, #[case] from: &str, #[case] to: &str, #[case] says: &[&str]) {
    let fixture = Fixture::new().await;
    fixture.export("a.tar").await.unwrap();
    let mut files = unpacked(&fixture.path("a.tar"));
    replace(&mut files, file, from, to);
    packed(&fixture.path("bad.tar"), files);
    refused(&fixture, says).await;
}

/// Rows of the right length and number, and others than were written.
#[tokio::test]
async fn another_row() {
    let fixture = Fixture::new().await;
    fixture.export("a.tar").await.unwrap();
    let mut files = unpacked(&fixture.path("a.tar"));
    replace(&mut files, DOCUMENTS, "Opening hours", "Closing hours");
    write(&fixture.path("bad.tar"), &repacked(&files));
    refused(&fixture, &["the rows of documents do not match its checksum"]).await;
}

/// A row that comes twice, which only a unique key notices.
#[tokio::test]
async fn a_row_twice() {
    let fixture = Fixture::new().await;
    fixture.export("a.tar").await.unwrap();
    let mut files = unpacked(&fixture.path("a.tar"));
    let lines = files[DOCUMENTS].repeat(2);
    files.insert(DOCUMENTS.to_owned(), lines);
    packed(&fixture.path("bad.tar"), files);
    refused(&fixture, &[DOCUMENTS, "a row with the same documents_pkey already exists"]).await;
}

#[rstest]
#[case::a_later_version("\"version\":1", "\"version\":2", &["of version 2", "upgrade"])]
#[case::another_format("workspace-db archive", "another archive", &["another archive"])]
#[case::a_later_schema("\"schema\":\"2", "\"schema\":\"3", &["schema version is 3", "migrations"])]
#[case::an_unknown_table("\"name\":\"documents\"", "\"name\":\"papers\"", &["is not a file of table papers"])]
#[case::an_unknown_field("\"slug\":", "\"slugs\":", &["manifest.json", "slugs"])]
#[case::a_part_of_another_table("\"file\":\"documents/", "\"file\":\"datasources/", &["is not a file of table documents"])]
#[case::one_person("\"holds\":\"workspace\"", "\"holds\":{\"person\":{\"external_user_id\":\"x\"}}", &["one person"])]
#[tokio::test]
async fn a_manifest_that_is_wrong(#[case] from: &str, #[case] to: &str, #[case] says: &[&str]) {
    let fixture = Fixture::new().await;
    fixture.export("a.tar").await.unwrap();
    let mut files = unpacked(&fixture.path("a.tar"));
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    files.insert("manifest.json".to_owned(), serde_json::to_vec(&manifest).unwrap());
    replace(&mut files, "manifest.json", from, to);
    write(&fixture.path("bad.tar"), &repacked(&files));
    refused(&fixture, says).await;
}

#[rstest]
#[case::absolute("/etc/000001.jsonl", "is not a valid name of a file")]
#[case::climbing("../000001.jsonl", "is not a valid name of a file")]
#[case::climbing_deeper("documents/../../000001.jsonl", "is not a valid name of a file")]
#[case::another("documents/readme.txt", "is not a valid name of a file")]
#[case::not_in_the_manifest("documents/000099.jsonl", "the manifest does not list documents/000099.jsonl")]
#[tokio::test]
async fn a_file_that_does_not_belong(#[case] name: &str, #[case] says: &str) {
    let fixture = Fixture::new().await;
    fixture.export("a.tar").await.unwrap();
    let mut files = unpacked(&fixture.path("a.tar"));
    files.insert(name.to_owned(), b"{}\n".to_vec());
    packed(&fixture.path("bad.tar"), files);
    refused(&fixture, &[says]).await;
}

#[tokio::test]
async fn a_link_instead_of_a_file() {
    let fixture = Fixture::new().await;
    let mut tar = tar::Builder::new(File::create(fixture.path("bad.tar")).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "manifest.json", "/etc/passwd").unwrap();
    tar.finish().unwrap();
    refused(&fixture, &["manifest.json", "is not a regular file"]).await;
}

#[tokio::test]
async fn a_file_that_is_missing() {
    let fixture = Fixture::new().await;
    fixture.export("a.tar").await.unwrap();
    let mut files = unpacked(&fixture.path("a.tar"));
    files.remove(DOCUMENTS);
    packed(&fixture.path("bad.tar"), files);
    refused(&fixture, &[DOCUMENTS, "missing"]).await;
}

/// Small, and as large as a disk once it is unpacked.
#[tokio::test]
async fn a_bomb() {
    let fixture = Fixture::new().await;
    fixture.export("a.tar").await.unwrap();
    let mut files = unpacked(&fixture.path("a.tar"));
    replace(&mut files, DOCUMENTS, "\"Opening hours\"", &format!("\"{}\"", "0".repeat(10 << 20)));
    packed(&fixture.path("bad.tar"), files);
    assert!(fs::metadata(fixture.path("bad.tar")).unwrap().len() < 100_000);
    refused(&fixture, &[DOCUMENTS, "like a decompression bomb"]).await;
}

/// What an archive of ours does not become, however well its rows can be compressed.
#[tokio::test]
async fn no_archive_of_ours_is_taken_for_a_bomb() {
    let fixture = Fixture::new().await;
    let mut conn = fixture.database.connect().await.unwrap();
    let insert = format!(
        "INSERT INTO documents (workspace_id, title) SELECT '{}', repeat('0', 1048576) FROM generate_series(1, 20)",
        fixture.a.workspace
    );
    diesel_async::RunQueryDsl::execute(diesel::sql_query(insert), &mut conn).await.unwrap();
    fixture.export("a.tar").await.unwrap();
    fixture.erase().await.unwrap();
    fixture.import("a.tar").await.unwrap();
    assert_eq!(fixture.rows(fixture.a.workspace).await["documents"].count, 21);
}

#[tokio::test]
async fn a_row_that_is_too_large_is_neither_written_nor_read() {
    let fixture = Fixture::new().await;
    fixture.export("a.tar").await.unwrap();
    let mut files = unpacked(&fixture.path("a.tar"));
    files.insert("documents/000001.jsonl".to_owned(), {
        let text: String = (0..65 << 20).map(|_| char::from(fastrand::alphanumeric() as u8)).collect();
        format!("{{\"title\":\"{text}\"}}\n").into_bytes()
    });
    replace(&mut files, "manifest.json", DOCUMENTS, "documents/000001.jsonl");
    files.remove(DOCUMENTS);
    packed(&fixture.path("bad.tar"), files);
    refused(&fixture, &["documents/000001.jsonl", "line 1", "bytes"]).await;

    let mut conn = fixture.database.connect().await.unwrap();
    let insert = format!(
        "INSERT INTO documents (workspace_id, title) VALUES ('{}', repeat('x', {}))",
        fixture.a.workspace,
        65 << 20
    );
    diesel_async::RunQueryDsl::execute(diesel::sql_query(insert), &mut conn).await.unwrap();
    let error = fixture.export("large.tar").await.unwrap_err();
    assert!(error.is_invalid_input() && error.to_string().contains("a row of documents"), "{error}");
    assert!(!fixture.path("large.tar").exists() && super::partials(fixture.folder.path()).is_empty());
}

/// Any byte, and any end.
#[tokio::test]
async fn an_archive_that_was_changed_or_cut_off_anywhere() {
    let fixture = Fixture::new().await;
    fixture.export("a.tar").await.unwrap();
    let (whole, as_written) =
        (fs::read(fixture.path("a.tar")).unwrap(), inspect(&fixture.path("a.tar")).await.unwrap());
    let mut accepted = 0;
    let mut random = fastrand::Rng::with_seed(7);
    for case in 0..400 {
        let mut bad = whole.clone();
        // The two blocks of zeros that end a tar say nothing.
        let at = random.usize(..bad.len() - 1024);
        if case % 2 == 0 {
            bad.truncate(at);
        } else {
            bad[at] ^= 1 << random.u8(..8);
        }
        let path = fixture.path("bad.tar");
        File::create(&path).unwrap().write_all(&bad).unwrap();
        match inspect(&path).await {
            Err(error) => assert!(error.is_invalid_input() && error.to_string().contains("bad.tar"), "{at}: {error:?}"),
            // A header says more than a name and a length, and behind the last file is nothing.
            Ok(manifest) => {
                assert_eq!(manifest, as_written, "{at}");
                accepted += 1;
            }
        }
    }
    assert!(accepted < 100, "{accepted} of 400");
}
