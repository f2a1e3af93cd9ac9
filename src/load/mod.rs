//! Loading of documents with their vectors into a workspace, at the speed of COPY.
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
mod options;
mod report;
mod source_document;
mod write;

use std::pin::pin;

use futures_util::future::join;
use futures_util::stream::{Stream, StreamExt as _};

use self::batch::BatchBuilder;
pub use self::batch::MAX_PASSAGES;
pub use self::jsonl::{JsonLines, OnRejectedLine, RejectedLine, RejectedLines};
pub use self::options::LoadOptions;
pub use self::report::LoadReport;
pub use self::source_document::{Passage, SourceDocument};
use self::write::Writer;
use crate::error::{Error, Result};
use crate::tenancy::{Database, WorkspaceScope};

/// Loads documents from a stream into the scope's workspace, and reports the progress after each batch.
///
/// A document replaces the one with its external id, with all passages, in one transaction. The stream is polled only while
/// memory allows: two batches are in memory, about 20 MB, however long the stream is. Passages are copied by binary COPY
/// into a temporary table. One INSERT writes them from there under row-level security, because PostgreSQL rejects COPY into
/// a table that has it. So no passage can get into another workspace.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if a document has no external id, no passages or too many of them, or comes
/// twice; [`is_conflict`](Error::is_conflict) if another load writes the same documents, or if a model has several numbers of
/// dimensions;
/// [`is_unreachable`](Error::is_unreachable), [`is_database_failure`](Error::is_database_failure); the first error of the
/// stream. Batches that were reported before stay written, unless `all_or_nothing` is set.
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
