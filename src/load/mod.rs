//! Documents with their vectors into a workspace, at the speed of COPY.
//!
//! ```no_run
//! use futures_util::stream;
//! use workspace_db::id::DatasourceId;
//! use workspace_db::load::{LoadOptions, Passage, SourceDocument, load};
//! use workspace_db::models::NewDocument;
//! use workspace_db::sql_types::Embedding;
//! use workspace_db::tenancy::{Database, WorkspaceScope};
//!
//! # async fn example(db: Database, scope: WorkspaceScope, datasource: DatasourceId, vector: Embedding) -> workspace_db::Result<()> {
//! let document = NewDocument { external_id: Some("faq/1".into()), ..NewDocument::new("Opening hours") };
//! let passages = vec![Passage::new("We are open from nine to five.", vector)];
//! let documents = stream::iter([Ok(SourceDocument { document, model: "text-embedding-3-large".into(), passages })]);
//! let report = load(&db, &scope, &LoadOptions::new(datasource), documents, &|_| ()).await?;
//! assert_eq!(report.added, 1);
//! # Ok(())
//! # }
//! ```

mod batch;
mod hash;
mod jsonl;
mod write;

use std::pin::pin;

use futures_util::future::join;
use futures_util::stream::{Stream, StreamExt as _};
use serde::Serialize;

use self::batch::BatchBuilder;
pub use self::batch::MAX_PASSAGES;
pub use self::jsonl::{JsonLines, OnRejectedLine, RejectedLine, RejectedLines};
use self::write::Writer;
use crate::error::{Error, Result};
use crate::id::DatasourceId;
use crate::models::NewDocument;
use crate::sql_types::{Embedding, LanguageTag};
use crate::tenancy::{Database, WorkspaceScope};

/// A document to load, with all of its passages.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceDocument {
    /// The document. It needs an `external_id`, by which it is known when it comes again; its datasource is that of the
    /// load, and a `content_hash` that is not given is made of the passages.
    pub document: NewDocument,
    /// What made the vectors.
    pub model: String,
    /// The passages in their order, at most [`MAX_PASSAGES`].
    pub passages: Vec<Passage>,
}

/// A passage with its vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// The passage.
    pub content: String,
    /// Its embedding.
    pub vector: Embedding,
    /// Its length in tokens of cl100k_base.
    pub token_count: Option<i32>,
    /// Its language, by which its words are stemmed.
    pub language: Option<LanguageTag>,
}

impl Passage {
    /// A passage of unknown length and language.
    #[must_use]
    pub fn new(content: impl Into<String>, vector: Embedding) -> Self {
        Self { content: content.into(), vector, token_count: None, language: None }
    }
}

/// How documents are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// The datasource that the documents are of.
    pub datasource: DatasourceId,
    /// Whether everything goes in or nothing does. Otherwise every thousand passages or so are kept as they are written,
    /// and a load that was cut short goes on where it was when it is run again.
    pub all_or_nothing: bool,
    /// Whether a document with the same passages as another of the workspace goes in all the same.
    pub keep_duplicates: bool,
}

impl LoadOptions {
    /// Batch by batch, and no document twice.
    #[must_use]
    pub fn new(datasource: DatasourceId) -> Self {
        Self { datasource, all_or_nothing: false, keep_duplicates: false }
    }
}

/// What a load did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LoadReport {
    /// Documents that were not there before.
    pub added: usize,
    /// Documents whose passages have changed.
    pub replaced: usize,
    /// Documents whose passages are the same.
    pub unchanged: usize,
    /// Documents left out, since another document of the workspace has the same passages.
    pub duplicates: usize,
    /// Passages written.
    pub chunks: usize,
}

/// Loads documents from a stream into the scope's workspace, and tells after each batch what has been done so far.
///
/// A document replaces the one of its external id, with all its passages, in one transaction. The stream is asked for
/// more only while there is room: two batches are in memory, some 20 MB, however long it is. Passages go by binary COPY
/// into a table of the transaction's own, and from there by one INSERT under row-level security, since PostgreSQL takes
/// no COPY into a table that has it: no passage can get into another workspace.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) where a document has no external id, no passages, too many of
/// them, or comes twice; [`is_conflict`](Error::is_conflict) where another load writes the same documents;
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure); the
/// first error of the stream. What was told before as done stays, unless it is all or nothing.
pub async fn load(
    db: &Database,
    scope: &WorkspaceScope,
    options: &LoadOptions,
    documents: impl Stream<Item = Result<SourceDocument>> + Send,
    on_progress: &(dyn Fn(&LoadReport) + Sync),
) -> Result<LoadReport> {
    let mut bulk = db.bulk(scope).await?;
    let writer = Writer::new(scope.workspace(), options);
    let mut documents = pin!(documents.fuse());
    let mut gathering = BatchBuilder::default();
    let mut report = LoadReport::default();
    let mut next = gathering.next(&mut documents).await?;
    if options.all_or_nothing {
        let transaction = bulk.begin().await?;
        while let Some(batch) = next {
            let (written, gathered) = join(writer.write(&transaction, batch), gathering.next(&mut documents)).await;
            report.add(written?);
            on_progress(&report);
            next = gathered?;
        }
        transaction.commit().await?;
        return Ok(report);
    }
    while let Some(batch) = next {
        let kept = async {
            let transaction = bulk.begin().await?;
            let written = writer.write(&transaction, batch).await?;
            transaction.commit().await?;
            Ok::<_, Error>(written)
        };
        let (written, gathered) = join(kept, gathering.next(&mut documents)).await;
        report.add(written?);
        on_progress(&report);
        next = gathered?;
    }
    Ok(report)
}

impl LoadReport {
    fn add(&mut self, more: Self) {
        self.added += more.added;
        self.replaced += more.replaced;
        self.unchanged += more.unchanged;
        self.duplicates += more.duplicates;
        self.chunks += more.chunks;
    }
}
