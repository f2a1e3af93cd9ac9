//! Languages of stored passages that have none.

use diesel::prelude::*;
use serde::Serialize;

use super::language::detect_for;
use workspace_db::Result;
use workspace_db::id::DocumentId;
use workspace_db::models::{DocumentChunkChanges, WorkspaceLanguages};
use workspace_db::schema::document_chunks;
use workspace_db::tenancy::{Database, InWorkspace as _, OptionalRow as _, WorkspaceScope};

/// Number of passages in which the language of a document is detected.
const READ: i64 = 50;

/// Result of [`detect_missing_languages`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MissingLanguages {
    /// Number of documents with such passages.
    pub documents: usize,
    /// Number of passages that have a language now.
    pub chunks: usize,
}

/// Gives the stored passages of a workspace that have no language the one of their document, and returns their number.
///
/// Words of a passage without a language are not stemmed: a search for "bicycles" does not find "bicycle". Adopted passages, and
/// those of inserts and imports that state none, are such passages. The language is detected among those that the workspace
/// offers, or among all if it names none; the default is that of the workspace. Each document is one transaction, so an
/// interrupted run continues when you run it again.
///
/// # Errors
///
/// [`is_not_found`](workspace_db::Error::is_not_found) if the workspace was deleted;
/// [`is_unreachable`](workspace_db::Error::is_unreachable), [`is_database_failure`](workspace_db::Error::is_database_failure).
///
/// ```no_run
/// use workspace_db::tenancy::{Database, WorkspaceScope};
/// use workspace_db_ingest::detect_missing_languages;
///
/// # async fn example(db: Database, scope: WorkspaceScope) -> workspace_db::Result<()> {
/// let done = detect_missing_languages(&db, &scope, &|_| ()).await?;
/// println!("{} chunks have a language now", done.chunks);
/// # Ok(())
/// # }
/// ```
pub async fn detect_missing_languages(
    db: &Database,
    scope: &WorkspaceScope,
    on_progress: &(dyn Fn(&MissingLanguages) + Sync),
) -> Result<MissingLanguages> {
    let mut ws = db.workspace(scope).await?;
    let languages = WorkspaceLanguages::load(&mut ws).await?;
    let mut done = MissingLanguages::default();
    let mut last = None::<DocumentId>;
    loop {
        let missing = document_chunks::table.in_workspace(&ws).filter(document_chunks::language.is_null());
        let documents = missing.order(document_chunks::document_id).select(document_chunks::document_id);
        let next: Option<DocumentId> = match last {
            Some(last) => documents.filter(document_chunks::document_id.gt(last)).first(&mut ws).await,
            None => documents.first(&mut ws).await,
        }
        .optional()?;
        let Some(document) = next else { return Ok(done) };
        last = next;
        let of_document = document_chunks::table
            .in_workspace(&ws)
            .filter(document_chunks::document_id.eq(document))
            .filter(document_chunks::language.is_null());
        let texts = of_document.order(document_chunks::chunk_index).limit(READ).select(document_chunks::content);
        let text = texts.load::<String>(&mut ws).await?.join("\n");
        let language = detect_for(&languages, &text).unwrap_or_else(|| languages.default.clone());
        let changes = DocumentChunkChanges { language: Some(Some(language)), ..DocumentChunkChanges::default() };
        done.chunks += of_document.update().set(&changes).execute(&mut ws).await?;
        done.documents += 1;
        on_progress(&done);
    }
}
