//! Ingestion of texts that are no files, such as rows of another table or pages of a wiki.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use futures_util::stream;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::language::language_of;
use super::split::{SplitOptions, SplitText, split_text};
use super::store::pipeline;
use workspace_db::embeddings::{Embedder, embed};
use workspace_db::id::DatasourceId;
use workspace_db::load::{LoadOptions, LoadReport, Passage, SourceDocument, load};
use workspace_db::models::{NewDocument, WorkspaceLanguages};
use workspace_db::schema::documents;
use workspace_db::sql_types::LanguageTag;
use workspace_db::tenancy::{Database, InWorkspace as _, WorkspaceScope};
use workspace_db::{Error, Result};

/// Text to ingest, which becomes a document.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceText {
    /// Id of the document in its datasource. The next ingestion with this id replaces the document.
    pub external_id: String,
    /// Title of the document.
    pub title: String,
    /// The text.
    pub text: String,
    /// File name whose extension selects the structure of the text, such as `page.md`; plain text by default.
    pub path: PathBuf,
    /// Language of the text, by which its words are stemmed. Without it, the text's own metadata name it, or it is detected, or
    /// it is the workspace's default.
    pub language: Option<LanguageTag>,
    /// Metadata of the document.
    pub metadata: Option<Value>,
    /// Sizes of the passages.
    pub split: SplitOptions,
}

impl SourceText {
    /// Creates a plain text without metadata, whose language is detected.
    #[must_use]
    pub fn new(external_id: impl Into<String>, title: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            external_id: external_id.into(),
            title: title.into(),
            text: text.into(),
            path: PathBuf::new(),
            language: None,
            metadata: None,
            split: SplitOptions::default(),
        }
    }

    /// Returns the SHA-256, in hexadecimal, of everything that the passages depend on.
    fn hash(&self, model: &str) -> String {
        let mut hasher = Sha256::new();
        let extension = self.path.extension().map(|extension| extension.to_string_lossy()).unwrap_or_default();
        for part in [&*pipeline(model, self.split, self.language.as_ref()), &*extension, &*self.title, &*self.text] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        base16ct::lower::encode_string(&hasher.finalize())
    }
}

/// Splits, embeds and stores texts as documents of a datasource of the scope's workspace, and returns the counts.
///
/// A text that has not changed since the last call, title included, is not embedded again, and its metadata stay. A text without any
/// word is refused.
///
/// # Errors
///
/// [`is_invalid_input`](Error::is_invalid_input) if a text has no words, or two texts have one id;
/// [`is_embeddings_failure`](Error::is_embeddings_failure); the errors of [`load`].
///
/// ```no_run
/// use workspace_db::embeddings::FeatureHashing;
/// use workspace_db::id::DatasourceId;
/// use workspace_db::tenancy::{Database, WorkspaceScope};
/// use workspace_db_ingest::{SourceText, ingest_texts};
///
/// # async fn example(db: Database, scope: WorkspaceScope, wiki: DatasourceId) -> workspace_db::Result<()> {
/// let page = SourceText::new("page/17", "Opening hours", "We are open from nine to five.");
/// let report = ingest_texts(&db, &scope, wiki, vec![page], &FeatureHashing).await?;
/// assert_eq!(report.added + report.replaced + report.unchanged, 1);
/// # Ok(())
/// # }
/// ```
pub async fn ingest_texts(
    db: &Database,
    scope: &WorkspaceScope,
    datasource: DatasourceId,
    texts: Vec<SourceText>,
    embedder: &dyn Embedder,
) -> Result<LoadReport> {
    let ids: Vec<String> = texts.iter().map(|text| text.external_id.clone()).collect();
    if let Some(twice) = ids.iter().enumerate().find(|(at, id)| ids.iter().take(*at).any(|other| other == *id)) {
        return Err(Error::invalid(format!("two texts have the id {:?}", twice.1)));
    }
    for text in &texts {
        text.split.check()?;
    }
    let (known, languages) = {
        let mut ws = db.workspace(scope).await?;
        let known = documents::table
            .in_workspace(&ws)
            .filter(documents::datasource_id.eq(datasource))
            .filter(documents::external_id.eq_any(ids))
            .select((documents::external_id, documents::content_hash));
        let known: Vec<(Option<String>, Option<String>)> = known.load(&mut ws).await?;
        (known.into_iter().collect::<HashMap<_, _>>(), WorkspaceLanguages::load(&mut ws).await?)
    };
    let (mut loaded, mut unchanged) = (Vec::new(), 0);
    for text in texts {
        let hash = text.hash(embedder.model());
        if known.get(&Some(text.external_id.clone())) == Some(&Some(hash.clone())) {
            unchanged += 1;
        } else {
            loaded.push(document(text, hash, &languages, embedder).await);
        }
    }
    let report = load(db, scope, &LoadOptions::new(datasource), stream::iter(loaded), &|_| ()).await?;
    Ok(LoadReport { unchanged: report.unchanged + unchanged, ..report })
}

async fn document(
    text: SourceText,
    hash: String,
    languages: &WorkspaceLanguages,
    embedder: &dyn Embedder,
) -> Result<SourceDocument> {
    let split = split_text(Path::new(&text.path), &text.text, text.split);
    if split.chunks.is_empty() {
        return Err(Error::invalid(format!("the text {:?} has no words", text.external_id)));
    }
    let split = SplitText { title: Some(text.title.clone()), ..split };
    let texts: Vec<String> = split.texts(&text.title).collect();
    let vectors = embed(embedder, &texts).await?;
    let language = language_of(languages, text.language.as_ref(), &text.text, &split);
    let passages = split.chunks.into_iter().zip(vectors).map(|(chunk, vector)| Passage {
        token_count: i32::try_from(chunk.tokens).ok(),
        language: Some(language.clone()),
        metadata: chunk.metadata(),
        ..Passage::new(chunk.text, vector)
    });
    Ok(SourceDocument {
        model: embedder.model().to_owned(),
        passages: passages.collect(),
        document: NewDocument {
            external_id: Some(text.external_id),
            content_hash: Some(hash),
            metadata: text.metadata,
            ..NewDocument::new(text.title)
        },
    })
}
