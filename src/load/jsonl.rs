//! A reader of documents from JSON Lines, one passage a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{Stream, unfold};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::batch::MAX_PASSAGES;
use super::source_document::{Passage, SourceDocument};
use crate::embeddings::StreamDimensions;
use crate::error::{Error, ErrorKind, Result};
use crate::models::NewDocument;
use crate::sql_types::{DocumentStatus, Embedding, LanguageTag};

/// Maximum length of a line in bytes. A vector has about 35 kB of digits; the rest is text.
const MAX_LINE: u64 = 8 << 20;
/// Number of bytes that are read from a file at once.
const READ_TOGETHER: usize = 1 << 20;
/// Maximum number of documents that are read ahead.
const AHEAD: usize = 16;
/// Maximum number of broken lines that are recorded with their reasons.
const REMEMBERED: usize = 100;

/// Handling of a line that can't be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnRejectedLine {
    /// The stream ends with an error that names the line.
    #[default]
    Refuse,
    /// The line is skipped and [recorded](JsonLines::broken).
    Skip,
}

/// Line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectedLine {
    /// Number of the line, from 1.
    pub line: u64,
    /// Reason of the failure.
    pub why: String,
}

/// Documents from JSON Lines, for [`load`](super::load). Each line is one passage. The lines of a document follow one
/// another, in the order of the passages.
///
/// | field | content |
/// |---|---|
/// | `external_id` | the document's id in its datasource; required |
/// | `content`, `vector` | the passage and its 32 to 1536 numbers; required |
/// | `embedding_model` | the model that computed the vector; by default the model of the call |
/// | `language`, `token_count`, `chunk_metadata` | of the passage; without a language, that of the workspace |
/// | `title`, `slug`, `summary`, `metadata`, `status`, `is_published` | of the document, from its first line; the default title is the external id |
///
/// A separate thread reads a few documents ahead.
///
/// ```no_run
/// use workspace_db::load::{OnRejectedLine, JsonLines, LoadOptions, load};
/// # use workspace_db::id::DatasourceId;
/// # use workspace_db::tenancy::{Database, WorkspaceScope};
///
/// # async fn example(db: Database, scope: WorkspaceScope, datasource: DatasourceId) -> Result<(), Box<dyn std::error::Error>> {
/// let file = std::io::BufReader::new(std::fs::File::open("passages.jsonl")?);
/// let lines = JsonLines::new(file, "text-embedding-3-large", OnRejectedLine::Skip);
/// let (documents, broken) = (lines.documents, lines.broken);
/// load(&db, &scope, &LoadOptions::new(datasource), documents, &|_| ()).await?;
/// for line in broken.lines() {
///     eprintln!("line {}: {}", line.line, line.why);
/// }
/// # Ok(())
/// # }
/// ```
pub struct JsonLines<S> {
    /// Stream of the documents.
    pub documents: S,
    /// Lines that were skipped so far.
    pub broken: RejectedLines,
}

/// Lines that were skipped.
#[derive(Clone, Debug, Default)]
pub struct RejectedLines(Arc<Mutex<(u64, Vec<RejectedLine>)>>);

impl RejectedLines {
    /// Returns the number of skipped lines.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Returns the first hundred of them.
    #[must_use]
    pub fn lines(&self) -> Vec<RejectedLine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    fn push(&self, line: RejectedLine) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.0 += 1;
        if known.1.len() < REMEMBERED {
            known.1.push(line);
        }
    }
}

impl JsonLines<()> {
    /// Starts to read, in a tokio runtime. `model` is the model of the lines that name none.
    pub fn new(
        reader: impl BufRead + Send + 'static,
        model: impl Into<String>,
        broken_lines: OnRejectedLine,
    ) -> JsonLines<impl Stream<Item = Result<SourceDocument>> + Send> {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let broken = RejectedLines::default();
        let mut reading = LineReader {
            dimensions: StreamDimensions::default(),
            reader,
            line: 0,
            text: Vec::new(),
            model: model.into(),
            broken_lines,
            broken: broken.clone(),
            open: None,
        };
        let thread = tokio::task::spawn_blocking(move || {
            while let Some(document) = reading.next().transpose() {
                let failed = document.is_err();
                // After a failed load, the receiver no longer exists.
                if sender.blocking_send(document).is_err() || failed {
                    return;
                }
            }
        });
        let documents = unfold(Some((receiver, thread)), |reading| async {
            let (mut receiver, thread) = reading?;
            if let Some(next) = receiver.recv().await {
                return Some((next, Some((receiver, thread))));
            }
            // The channel has closed at the end of the lines, or because the thread panicked.
            let died = thread.await.err()?;
            Some((Err(Error::new(ErrorKind::Io, "the reader thread panicked").caused_by(died)), None))
        });
        JsonLines { documents, broken }
    }

    /// Starts to read a file, in a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`is_not_found`](Error::is_not_found) if the file does not exist, [`is_io_failure`](Error::is_io_failure) if it can't
    /// be opened.
    pub fn open(
        path: &Path,
        model: impl Into<String>,
        broken_lines: OnRejectedLine,
    ) -> Result<JsonLines<impl Stream<Item = Result<SourceDocument>> + Send>> {
        let file = File::open(path).map_err(|error| {
            let kind = if error.kind() == io::ErrorKind::NotFound { ErrorKind::NotFound } else { ErrorKind::Io };
            Error::new(kind, format!("can't read {}: {error}", path.display())).caused_by(error)
        })?;
        Ok(JsonLines::new(BufReader::with_capacity(READ_TOGETHER, file), model, broken_lines))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    external_id: String,
    content: String,
    vector: Vec<f32>,
    embedding_model: Option<String>,
    token_count: Option<u32>,
    language: Option<LanguageTag>,
    title: Option<String>,
    slug: Option<String>,
    summary: Option<String>,
    metadata: Option<Map<String, Value>>,
    chunk_metadata: Option<Map<String, Value>>,
    status: Option<DocumentStatus>,
    is_published: Option<bool>,
}

struct LineReader<R> {
    reader: R,
    line: u64,
    text: Vec<u8>,
    model: String,
    broken_lines: OnRejectedLine,
    broken: RejectedLines,
    dimensions: StreamDimensions,
    /// Document whose lines are being read.
    open: Option<SourceDocument>,
}

impl<R: BufRead> LineReader<R> {
    /// Returns the next document, after the first line of another document or at the end of the lines.
    fn next(&mut self) -> Result<Option<SourceDocument>> {
        loop {
            let Some(parsed) = self.parsed_line()? else { return Ok(self.open.take()) };
            let added = parsed.and_then(|line| self.add(line));
            match added {
                Ok(None) => {}
                Ok(Some(done)) => return Ok(Some(done)),
                Err(why) if self.broken_lines == OnRejectedLine::Skip => {
                    self.broken.push(RejectedLine { line: self.line, why: why.to_string() });
                }
                Err(why) => {
                    return Err(Error::invalid(format!("line {}: {why}", self.line))
                        .remedy("fix the line, or skip broken lines")
                        .caused_by(why));
                }
            }
        }
    }

    /// Returns the next line that is not empty, or none at the end.
    fn parsed_line(&mut self) -> Result<Option<Result<Line>>> {
        loop {
            self.text.clear();
            self.line += 1;
            let read = self.reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.text).map_err(unreadable)?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == MAX_LINE && !self.text.ends_with(b"\n") {
                self.reader.skip_until(b'\n').map_err(unreadable)?;
                return Ok(Some(Err(Error::invalid(format!("it is longer than {MAX_LINE} bytes")))));
            }
            if !self.text.trim_ascii().is_empty() {
                let parsed = serde_json::from_slice(&self.text);
                return Ok(Some(parsed.map_err(|error| Error::invalid(what_is_wrong(&error)).caused_by(error))));
            }
        }
    }

    /// Adds a line to the open document. If the line begins another document, opens that one and returns the previous one.
    fn add(&mut self, line: Line) -> Result<Option<SourceDocument>> {
        line.refuse_nul()?;
        let passage = Passage {
            content: line.content,
            vector: Embedding::placed(line.vector)?,
            token_count: line
                .token_count
                .map(i32::try_from)
                .transpose()
                .map_err(|_| Error::invalid("token_count is too large"))?,
            language: line.language,
            metadata: line.chunk_metadata.unwrap_or_default(),
        };
        let model = line.embedding_model.unwrap_or_else(|| self.model.clone());
        if let Some(open) =
            self.open.as_mut().filter(|open| open.document.external_id.as_ref() == Some(&line.external_id))
        {
            if open.model != model {
                return Err(Error::invalid(format!(
                    "its vector is of the model {model:?}, but the document's first vector is of {:?}",
                    open.model
                )));
            }
            if open.passages.len() == MAX_PASSAGES {
                return Err(Error::invalid(format!(
                    "the document {:?} has more than {MAX_PASSAGES} passages",
                    line.external_id
                )));
            }
            self.dimensions.check(&model, &passage.vector)?;
            open.passages.push(passage);
            return Ok(None);
        }
        self.dimensions.check(&model, &passage.vector)?;
        let document = NewDocument {
            slug: line.slug,
            summary: line.summary,
            metadata: line.metadata.map(Value::Object),
            status: line.status,
            is_published: line.is_published,
            external_id: Some(line.external_id.clone()),
            ..NewDocument::new(line.title.unwrap_or(line.external_id))
        };
        Ok(self.open.replace(SourceDocument { document, model, passages: vec![passage] }))
    }
}

impl Line {
    /// Rejects NUL, which PostgreSQL's text can't contain, because it would fail the whole batch.
    fn refuse_nul(&self) -> Result<()> {
        let texts = [Some(&self.external_id), Some(&self.content), self.embedding_model.as_ref(), self.title.as_ref()];
        let more = [self.slug.as_ref(), self.summary.as_ref()];
        if texts.into_iter().chain(more).flatten().any(|text| text.contains('\0'))
            || [&self.metadata, &self.chunk_metadata].into_iter().flatten().any(a_field_has_nul)
        {
            return Err(Error::invalid("a text has a NUL character, which PostgreSQL can't store"));
        }
        Ok(())
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => a_field_has_nul(fields),
        _ => false,
    }
}

fn a_field_has_nul(fields: &Map<String, Value>) -> bool {
    fields.iter().any(|(key, value)| key.contains('\0') || has_nul(value))
}

/// Returns the message without serde_json's line number, which is always 1.
fn what_is_wrong(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    format!("{}, at column {}", text.get(..end).unwrap_or(&text), error.column())
}

fn unreadable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("the lines can't be read: {error}")).caused_by(error)
}
