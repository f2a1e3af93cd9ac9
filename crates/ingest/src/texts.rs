//! Ingestion of texts that are no files, such as rows of another table or pages of a wiki.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use futures_util::stream;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::split::{OVERLAP_TOKENS, pipeline, split};
use workspace_db::embeddings::{Embedder, embed};
use workspace_db::id::DatasourceId;
use workspace_db::load::{LoadOptions, LoadReport, Passage, SourceDocument, load};
use workspace_db::models::NewDocument;
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
    /// Language of the text, by which its words are stemmed.
    pub language: Option<LanguageTag>,
    /// Metadata of the document.
    pub metadata: Option<Value>,
    /// Maximum part of a passage that the next one repeats, in tokens.
    pub overlap_tokens: usize,
}

impl SourceText {
    /// Creates a plain text without metadata, in no particular language.
    #[must_use]
    pub fn new(external_id: impl Into<String>, title: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            external_id: external_id.into(),
            title: title.into(),
            text: text.into(),
            path: PathBuf::new(),
            language: None,
            metadata: None,
            overlap_tokens: OVERLAP_TOKENS,
        }
    }

    /// Returns the SHA-256, in hexadecimal, of everything that the passages depend on.
    fn hash(&self, model: &str) -> String {
        let mut hasher = Sha256::new();
        let extension = self.path.extension().map(|extension| extension.to_string_lossy()).unwrap_or_default();
        let language = self.language.as_ref().map_or("", LanguageTag::as_str);
        for part in [&*pipeline(model, self.overlap_tokens), &*extension, language, &*self.text] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        base16ct::lower::encode_string(&hasher.finalize())
    }
}

/// Splits, embeds and stores texts as documents of a datasource of the scope's workspace, and returns the counts.
///
/// A text that is unchanged since the last call is not embedded again, and its title and metadata stay. A text without any
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
    let known: HashMap<Option<String>, Option<String>> = {
        let mut ws = db.workspace(scope).await?;
        let known = documents::table
            .in_workspace(&ws)
            .filter(documents::datasource_id.eq(datasource))
            .filter(documents::external_id.eq_any(ids))
            .select((documents::external_id, documents::content_hash));
        known.load::<(Option<String>, Option<String>)>(&mut ws).await?.into_iter().collect()
    };
    let (mut loaded, mut unchanged) = (Vec::new(), 0);
    for text in texts {
        let hash = text.hash(embedder.model());
        if known.get(&Some(text.external_id.clone())) == Some(&Some(hash.clone())) {
            unchanged += 1;
        } else {
            loaded.push(document(text, hash, embedder).await);
        }
    }
    let report = load(db, scope, &LoadOptions::new(datasource), stream::iter(loaded), &|_| ()).await?;
    Ok(LoadReport { unchanged: report.unchanged + unchanged, ..report })
}

async fn document(text: SourceText, hash: String, embedder: &dyn Embedder) -> Result<SourceDocument> {
    let chunks = split(Path::new(&text.path), &text.text, text.overlap_tokens);
    if chunks.is_empty() {
        return Err(Error::invalid(format!("the text {:?} has no words", text.external_id)));
    }
    let texts: Vec<String> = chunks.iter().map(|chunk| chunk.text.clone()).collect();
    let vectors = embed(embedder, &texts).await?;
    let passages = chunks.into_iter().zip(vectors).map(|(chunk, vector)| Passage {
        token_count: i32::try_from(chunk.tokens).ok(),
        language: text.language.clone(),
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
