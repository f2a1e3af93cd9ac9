//! The built-in model: what it finds, how it comes and what stands in for it.

use std::fs;
use std::path::Path;

use serde_json::json;
use workspace_db::embeddings::Embedder as _;
use workspace_db::sql_types::Embedding;
use workspace_db_embedded::cache_dir;
use workspace_db_static_embeddings::{MODEL, StaticEmbeddings};
use workspace_db_testing::TestDatabase;

use crate::cli::Shell;
use crate::folder::Folder;

fn cosine(one: &Embedding, other: &Embedding) -> f32 {
    one.as_slice().iter().zip(other.as_slice()).map(|(x, y)| x * y).sum()
}

/// A shell that neither hashes words nor names an endpoint.
fn shell(database: &TestDatabase) -> Shell {
    Shell::for_database(database).with("WORKSPACE_DB_HASH_WORDS", "false")
}

fn write_handbook(shell: &Shell) {
    for (name, text) in [
        ("cars.txt", "Our garage repairs automobiles: engines, brakes and tyres of every brand."),
        ("bread.txt", "The bakery sells loaves of rye and wheat, fresh from the oven every morning."),
    ] {
        fs::write(shell.path(name), text).unwrap();
    }
}

#[tokio::test]
async fn texts_of_one_meaning_are_near_without_a_shared_word() {
    let embedder = StaticEmbeddings::new(cache_dir().unwrap());
    let texts = ["How do I fix my car?", "We repair automobiles.", "The bakery sells loaves.", "the of and", "日本語"];
    let vectors = embedder.embed(&texts.map(str::to_owned)).await.unwrap();
    assert_eq!(vectors[0].dimensions(), Some(256));
    let length: f32 = vectors[0].as_slice().iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-5);
    let (near, far) = (cosine(&vectors[0], &vectors[1]), cosine(&vectors[0], &vectors[2]));
    assert!(near > 0.3 && near > 2.0 * far, "{near} and {far}");
    // The stored vectors of every database depend on the tokens, the weights and the rotation.
    let first: Vec<f32> = vectors[0].as_slice().iter().take(4).map(|x| (x * 1e4).round()).collect();
    assert_eq!(first, [-65.0, 350.0, -95.0, 36.0], "give the model another name");
    for text in ["", " \n "] {
        assert!(embedder.embed(&[text.to_owned()]).await.unwrap_err().is_invalid_input(), "{text:?}");
    }
    assert!(embedder.embed(&[]).await.unwrap().is_empty());
    // A word without an end takes no time that grows with its square.
    let long = "x".repeat(1 << 20);
    assert!(embedder.embed(&[long]).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_run_uses_it_says_so_and_finds_by_meaning() {
    let database = TestDatabase::new().await.unwrap();
    let shell = shell(&database);
    write_handbook(&shell);
    let ingest = ["ingest", "cars.txt", "bread.txt", "-w", "acme", "--create-workspace"];
    let said = shell.succeed(&ingest);
    assert!(said.contains(&format!("by {MODEL}")) && said.contains("ollama pull"), "{said}");
    assert!(!shell.succeed(&ingest).contains("ollama"), "it was said before");
    let search = |question: &str| shell.json(&["search", question, "-w", "acme"]);
    let found = search("Who can fix my vehicle?");
    assert_eq!(found["hits"][0]["title"], "cars.txt", "{found}");
    assert_eq!(found["hits"].as_array().unwrap().len(), 1, "bread is no answer: {found}");
    // The vectors of single characters are near to each other, whatever they say.
    for nonsense in ["zzzzqqq", "xqjv wkzzp", "Πού μπορώ να επισκευάσω το αυτοκίνητό μου;"]
    {
        assert_eq!(search(nonsense)["hits"], json!([]), "{nonsense}");
    }
    let by_jobs = ["ingest", "cars.txt", "-w", "jobs", "--create-workspace", "--background"];
    shell.succeed(&by_jobs);
    let folder = format!("jobs={}", shell.path("").display());
    shell.succeed(&["jobs", "work", "--until-empty", "--files", &folder]);
    let found = shell.json(&["search", "Who can fix my vehicle?", "-w", "jobs"]);
    assert_eq!(found["hits"][0]["title"], "cars.txt", "{found}");
}

/// Vectors of two models are never compared, so a workspace keeps its model until it is switched.
#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_with_hashed_words_keeps_them_until_it_is_switched() {
    let database = TestDatabase::new().await.unwrap();
    let shell = shell(&database);
    write_handbook(&shell);
    let models = || shell.succeed(&["psql", "-Atc", "SELECT DISTINCT embedding_model FROM document_chunks"]);
    shell.succeed(&["ingest", "cars.txt", "--create-workspace", "--hash-words"]);
    shell.succeed(&["ingest", "bread.txt"]);
    assert_eq!(models(), "feature-hashing-v2\n");
    assert_eq!(shell.json(&["search", "loaves"])["hits"][0]["title"], "bread.txt");
    shell.succeed(&["reembed", "--built-in"]);
    assert_eq!(models(), format!("{MODEL}\n"));
    assert_eq!(shell.json(&["search", "fix my vehicle"])["hits"][0]["title"], "cars.txt");
    // One with vectors of a model behind an endpoint gets no others by a forgotten option.
    shell.succeed(&["psql", "-c", "UPDATE document_chunks SET embedding_model = 'nomic-embed-text'"]);
    for words in [&["ingest", "cars.txt"][..], &["search", "loaves"]] {
        let error = shell.fails(words, 2);
        assert!(error.contains("vectors of nomic-embed-text"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_hashed_where_the_model_can_not_be_downloaded() {
    let database = TestDatabase::new().await.unwrap();
    let cache = Folder::new();
    let shell = shell(&database)
        .with("WORKSPACE_DB_CACHE_DIR", cache.path().display().to_string())
        .with("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
        .with("PIP_RETRIES", "0");
    write_handbook(&shell);
    // An empty workspace needs no model to find nothing.
    shell.succeed(&["workspace", "create", "acme"]);
    assert_eq!(shell.json(&["search", "garage"])["hits"], json!([]));
    let said = shell.run(&["ingest", "cars.txt"]);
    assert!(
        said.code == 0 && said.out.contains("by hashed words") && said.out.contains("ollama pull"),
        "{}{}",
        said.out,
        said.err
    );
    assert!(said.err.contains("127.0.0.1:1") || said.err.contains("pip"), "the reason is missing: {}", said.err);
    assert_eq!(shell.json(&["search", "garage"])["hits"][0]["title"], "cars.txt");
    // A search among the model's vectors needs the model.
    shell.succeed(&["psql", "-c", &format!("UPDATE document_chunks SET embedding_model = '{MODEL}'")]);
    let error = shell.fails(&["search", "garage"], 5);
    assert!(error.contains("wordllama==0.4.0.post1") && error.contains("hash words"), "{error}");
}

#[tokio::test]
async fn a_file_that_was_changed_is_refused() {
    let downloaded = cache_dir().unwrap();
    StaticEmbeddings::new(&downloaded).load().await.unwrap();
    let cache = Folder::new();
    let name = fs::read_dir(&downloaded)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .find(|name| name.to_string_lossy().starts_with("wordllama-"))
        .unwrap();
    copy(&downloaded.join(&name), &cache.path().join(&name));
    assert!(StaticEmbeddings::new(cache.path()).load().await.is_ok());
    for file in ["weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json"] {
        let path = cache.path().join(&name).join("wordllama").join(file);
        let whole = fs::read(&path).unwrap();
        let mut changed = whole.clone();
        changed[1000] ^= 1;
        fs::write(&path, changed).unwrap();
        let error = StaticEmbeddings::new(cache.path()).load().await.unwrap_err();
        assert!(error.is_conflict() && error.to_string().contains(file), "{error}");
        fs::remove_file(&path).unwrap();
        assert!(StaticEmbeddings::new(cache.path()).load().await.unwrap_err().is_io_failure());
        fs::write(&path, whole).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
