//! New vectors for the passages that were set aside because of their old ones.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

use super::connections;
use workspace_db::config::DatabaseUrl;
use workspace_db::db::roles::PLATFORM_ROLE;
use workspace_db::embeddings::{Embedder, embed, reject_other_dimensions};
use workspace_db::sql_types::Embedding;
use workspace_db::{Error, ErrorKind, Result};

/// Number of passages that are embedded and inserted together.
const TOGETHER: usize = 128;

/// Result of embedding the passages that were set aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EmbedReport {
    /// Number of passages with a new vector.
    pub embedded: u64,
    /// Number of passages that were left out: they exist, their document does not, they have no text or position, or their
    /// metadata has numbers beyond a double.
    pub skipped: u64,
}

/// Line of the file that [`finish`](super::Adoption::finish) writes.
#[derive(Deserialize)]
struct Line {
    table: String,
    is_kept: bool,
}

/// The same line, if its row is a passage.
#[derive(Deserialize)]
struct PassageLine {
    old_row: OldPassage,
}

/// Columns of an old passage that a new one needs.
#[derive(Deserialize)]
struct OldPassage {
    id: Option<Uuid>,
    workspace_id: Option<Uuid>,
    document_id: Option<Uuid>,
    chunk_index: Option<Value>,
    content: Option<String>,
    token_count: Option<Value>,
    #[serde(default)]
    metadata: Value,
    created_at: Option<String>,
}

/// Passage that the new table accepts.
struct NewPassage {
    id: Uuid,
    workspace_id: Uuid,
    document_id: Uuid,
    chunk_index: i32,
    content: String,
    token_count: Option<i32>,
    metadata: Value,
    created_at: Option<String>,
}

impl OldPassage {
    /// Returns the passage, if it has all that a new one requires. A token count or metadata that do not fit are left out.
    fn into_new(self) -> Option<NewPassage> {
        let integer = |value: &Value| value.as_i64().and_then(|value| i32::try_from(value).ok());
        // Metadata of a column of another type is a text.
        let metadata = match self.metadata {
            Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::Null),
            metadata => metadata,
        };
        Some(NewPassage {
            id: self.id?,
            workspace_id: self.workspace_id?,
            document_id: self.document_id?,
            chunk_index: integer(&self.chunk_index?)?,
            content: self.content.filter(|text| !text.trim().is_empty())?,
            token_count: self.token_count.as_ref().and_then(integer).filter(|count| *count >= 0),
            metadata,
            created_at: self.created_at,
        })
    }
}

/// Embeds the passages of a file that [`finish`](super::Adoption::finish) wrote, and inserts them into the database with
/// their old ids, texts and metadata.
///
/// Each batch of 128 passages is a transaction. You can stop it and run it again: existing passages are skipped.
/// `on_progress` gets the number of passages so far. The login must be the owner's.
///
/// # Errors
///
/// [`is_io_failure`](Error::is_io_failure) if the file can't be read; [`is_invalid_input`](Error::is_invalid_input) if a line
/// is not one of that file; [`is_embeddings_failure`](Error::is_embeddings_failure);
/// [`is_unreachable`](Error::is_unreachable).
///
/// ```no_run
/// use std::path::Path;
/// use workspace_db::embeddings::FeatureHashing;
/// use workspace_db_adopt::embed_set_aside;
///
/// # async fn example() -> workspace_db::Result<()> {
/// let owner = "postgres://owner:secret@new.example.com/platform".parse()?;
/// let report = embed_set_aside(&owner, Path::new("set-aside.jsonl"), &FeatureHashing, &|_| ()).await?;
/// println!("{} passages", report.embedded);
/// # Ok(())
/// # }
/// ```
pub async fn embed_set_aside(
    into: &DatabaseUrl,
    file: &Path,
    embedder: &dyn Embedder,
    on_progress: &(dyn Fn(u64) + Sync),
) -> Result<EmbedReport> {
    let unreadable = |error: std::io::Error| {
        Error::new(ErrorKind::Io, format!("can't read {}: {error}", file.display())).caused_by(error)
    };
    let lines = BufReader::new(File::open(file).map_err(unreadable)?).lines();
    let mut client = connections::target(into).await?;
    client.batch_execute(&format!("SET ROLE {PLATFORM_ROLE}")).await?;
    let (mut report, mut seen, mut batch) = (EmbedReport::default(), BTreeSet::new(), Vec::new());
    for (number, line) in (1..).zip(lines) {
        let line = line.map_err(unreadable)?;
        let Line { table, is_kept } = serde_json::from_str(&line).map_err(|error| {
            Error::new(ErrorKind::InvalidInput, format!("line {number} of {}: {error}", file.display()))
                .remedy("pass the file that `workspace-db adopt --finish` wrote")
                .caused_by(error)
        })?;
        if table != "document_chunks" || is_kept {
            continue;
        }
        match serde_json::from_str::<PassageLine>(&line) {
            // A passage has a line for each reason.
            Ok(PassageLine { old_row }) if seen.insert(old_row.id) => match old_row.into_new() {
                Some(passage) => batch.push(passage),
                None => report.skipped += 1,
            },
            Ok(_) => {}
            // Its metadata has a number that no program reads.
            Err(_) => report.skipped += 1,
        }
        if batch.len() == TOGETHER {
            report.add(insert(&mut client, std::mem::take(&mut batch), embedder).await?);
            on_progress(report.embedded + report.skipped);
        }
    }
    report.add(insert(&mut client, batch, embedder).await?);
    Ok(report)
}

impl EmbedReport {
    fn add(&mut self, other: Self) {
        self.embedded += other.embedded;
        self.skipped += other.skipped;
    }
}

/// Selects the passages `r` of a JSON array that can be inserted.
const INSERTABLE: &str = "jsonb_to_recordset($1) AS r (id uuid, workspace_id uuid, document_id uuid, chunk_index integer,
        content text, token_count integer, metadata jsonb, created_at timestamptz, vector vector)
    JOIN documents d ON d.workspace_id = r.workspace_id AND d.id = r.document_id
    WHERE NOT EXISTS (SELECT FROM document_chunks c WHERE c.workspace_id = r.workspace_id AND c.id = r.id)
        AND NOT EXISTS (SELECT FROM document_chunks c WHERE c.document_id = r.document_id AND c.chunk_index = r.chunk_index)";

async fn insert(client: &mut Client, batch: Vec<NewPassage>, embedder: &dyn Embedder) -> Result<EmbedReport> {
    let all = batch.len() as u64;
    let free = client.query(&format!("SELECT r.id FROM {INSERTABLE}"), &[&records(&batch, &[])]).await?;
    let free: BTreeSet<Uuid> = free.iter().map(|row| row.get(0)).collect();
    let batch: Vec<NewPassage> = batch.into_iter().filter(|one| free.contains(&one.id)).collect();
    if batch.is_empty() {
        return Ok(EmbedReport { embedded: 0, skipped: all });
    }
    let texts: Vec<String> = batch.iter().map(|one| one.content.clone()).collect();
    let vectors = embed(embedder, &texts).await?;
    let stored = "SELECT vector::real[] FROM document_chunks WHERE embedding_model = $1 LIMIT 1";
    if let (Some(row), [first, ..]) = (client.query_opt(stored, &[&embedder.model()]).await?, &vectors[..]) {
        let stored: Embedding = row.get::<_, Vec<f32>>(0).try_into()?;
        reject_other_dimensions(embedder.model(), first, stored.dimensions())?;
    }
    let vectors: Vec<&[f32]> = vectors.iter().map(Embedding::as_slice).collect();
    let insert = format!(
        "INSERT INTO document_chunks (id, workspace_id, document_id, chunk_index, content, token_count, metadata, created_at,
            embedding_model, vector)
        SELECT r.id, r.workspace_id, r.document_id, r.chunk_index, r.content, r.token_count,
            CASE WHEN workspace_db_is_readable(r.metadata) THEN r.metadata ELSE '{{}}' END, CASE WHEN workspace_db_is_readable(r.created_at) THEN r.created_at ELSE now() END,
            $2, r.vector
        FROM {INSERTABLE} ON CONFLICT DO NOTHING"
    );
    let written = client.execute(&insert, &[&records(&batch, &vectors), &embedder.model()]).await?;
    Ok(EmbedReport { embedded: written, skipped: all - written })
}

/// Returns the passages as a JSON array, each with its vector if there are any.
fn records(batch: &[NewPassage], vectors: &[&[f32]]) -> Value {
    let records = batch.iter().enumerate().map(|(number, one)| {
        json!({
            "id": one.id, "workspace_id": one.workspace_id, "document_id": one.document_id, "chunk_index": one.chunk_index,
            "content": one.content, "token_count": one.token_count, "metadata": one.metadata, "created_at": one.created_at,
            "vector": vectors.get(number),
        })
    });
    records.collect()
}
