//! Builder of searches.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::Value;

use super::excerpt::bring_excerpts;
use super::filter::Filter;
use super::fusion::fused;
use super::neighbours::bring_neighbours;
use super::plan::Plan;
use super::question::Question;
use super::results::{Hit, RetrievalStats, SearchResults};
use super::scored_passage::hits;
use super::selection::select;
use super::text_query::MAX_TEXT;
use super::{full_text, mmr, nearest};
use crate::config::SearchLimits;
use crate::embeddings::{check_dimensions, live_models};
use crate::error::{Error, Result};
use crate::id::{DatasourceId, DocumentChunkId, DocumentId, WorkspaceId};
use crate::schema::document_chunks;
use crate::sql_types::{DocumentStatus, Embedding, LanguageTag};
use crate::tenancy::{Access, InWorkspace as _, Scoped, TenantSource, WorkspaceConnection};

/// Maximum number of passages that one search returns.
pub const MAX_K: u32 = 1000;
/// Maximum number of passages on each side of a hit.
pub const MAX_NEIGHBOURS: u32 = 10;

/// Maximum size of the JSON that [`metadata`](Search::metadata) filters by, in bytes.
pub const MAX_METADATA: usize = 10_000;

/// Minimum length of each list of a hybrid search. The scale of a shorter list says little.
const FUSED_AT_LEAST: u32 = 50;
/// Number of hits from which diverse ones, or those of different documents, are selected, as a multiple of the requested
/// number.
const SELECTED_AMONG: u32 = 4;

/// Searches on the chunks of a workspace.
///
/// They find only passages of ready documents, unless [`status`](Search::status) sets another status.
pub trait SearchChunks {
    /// Returns a search for the `k` passages whose vectors are nearest to the question's by cosine, of the same model.
    fn nearest(&self, question: &Question, k: u32) -> Search;

    /// Returns a search for the `k` passages that best match a text, each stemmed by its own language.
    ///
    /// The text has the syntax of search engines: words, `"a phrase"`, `or`, `-without`. If a text has more than
    /// [`MAX_WORDS`](super::MAX_WORDS) words, only the longest are searched.
    /// [`RetrievalStats::words_left_out`](super::RetrievalStats) states how many were not.
    fn full_text(&self, text: impl Into<String>, k: u32) -> Search;

    /// Returns a search for the `k` passages with the highest mean of both scores, each on the scale of its list.
    ///
    /// If the question is of hashed words, each hit has a word of the text, and there may be none. If its embedder knows a
    /// [minimum cosine](crate::embeddings::Embedder::min_cosine), each hit has a word of the text or that cosine.
    fn hybrid(&self, question: &Question, text: impl Into<String>, k: u32) -> Search;
}

impl SearchChunks for Scoped<<document_chunks::table as TenantSource>::InWorkspace, (document_chunks::table, ())> {
    fn nearest(&self, question: &Question, k: u32) -> Search {
        Search::new(self.workspace(), k, Some(question.clone()), None)
    }

    fn full_text(&self, text: impl Into<String>, k: u32) -> Search {
        Search::new(self.workspace(), k, None, Some(text.into()))
    }

    fn hybrid(&self, question: &Question, text: impl Into<String>, k: u32) -> Search {
        Search::new(self.workspace(), k, Some(question.clone()), Some(text.into()))
    }
}

/// Search in one workspace; narrow it, then [run](Self::run) it. [`SearchChunks`] creates one.
#[derive(Clone, Debug)]
#[must_use = "a search does nothing before `run`"]
pub struct Search {
    /// Workspace of the query that began the search. Its connection must be of the same one.
    workspace: WorkspaceId,
    k: u32,
    question: Option<Question>,
    text: Option<String>,
    filter: Filter,
    /// Plan of the vector search, in place of the plan by the size of the workspace.
    plan: Option<Plan>,
    min_score: Option<f64>,
    relevance: Option<f64>,
    neighbours: u32,
    /// Text whose words the excerpts mark.
    excerpts: Option<String>,
    /// Maximum number of hits of one document.
    per_document: Option<usize>,
    near_duplicates: bool,
    limits: Option<SearchLimits>,
}

impl Search {
    fn new(workspace: WorkspaceId, k: u32, question: Option<Question>, text: Option<String>) -> Self {
        Self {
            workspace,
            k,
            question,
            text,
            filter: Filter::default(),
            plan: None,
            min_score: None,
            relevance: None,
            neighbours: 0,
            excerpts: None,
            per_document: None,
            near_duplicates: true,
            limits: None,
        }
    }

    /// Limits the search to passages of one datasource's documents.
    pub fn datasource(mut self, id: DatasourceId) -> Self {
        self.filter.datasource = Some(id);
        self
    }

    /// Limits the search to passages of one document.
    pub fn document(mut self, id: DocumentId) -> Self {
        self.filter.document = Some(id);
        self
    }

    /// Searches passages of documents with this status, in place of the ready ones.
    pub fn status(mut self, status: DocumentStatus) -> Self {
        self.filter.status = Some(status);
        self
    }

    /// Searches passages of documents of every status, drafts and archived ones too.
    pub fn any_status(mut self) -> Self {
        self.filter.status = None;
        self
    }

    /// Limits the search to passages of published documents, or of unpublished ones. The public side may quote
    /// published documents.
    pub fn published(mut self, published: bool) -> Self {
        self.filter.published = Some(published);
        self
    }

    /// Limits the search to documents whose metadata contain all of this, as `@>` compares JSON; at most
    /// [`MAX_METADATA`] bytes.
    pub fn metadata(mut self, part: Value) -> Self {
        self.filter.metadata = Some(part);
        self
    }

    /// Limits the search to passages whose own metadata contain all of this, such as a page or section; at most
    /// [`MAX_METADATA`] bytes.
    pub fn chunk_metadata(mut self, part: Value) -> Self {
        self.filter.chunk_metadata = Some(part);
        self
    }

    /// Limits the search to passages in this language; `en` includes `en-GB`. A full-text search then parses the text
    /// in this language only.
    pub fn language(mut self, language: LanguageTag) -> Self {
        self.filter.language = Some(language);
        self
    }

    /// Limits the search to passages of documents that have changed since this time.
    pub fn changed_since(mut self, time: DateTime<Utc>) -> Self {
        self.filter.changed_since = Some(time);
        self
    }

    /// Excludes hits with a lower score. In a hybrid search, the limit applies to the cosine; a passage that full-text
    /// search finds stays in the result.
    pub fn min_score(mut self, score: f64) -> Self {
        self.min_score = Some(score);
        self
    }

    /// Prefers passages with new content, by maximal marginal relevance among four times as many hits. 1 weighs
    /// relevance only, 0 novelty only; 0.5 to 0.7 is usual. It requires a question.
    pub fn diversify(mut self, relevance: f64) -> Self {
        self.relevance = Some(relevance);
        self
    }

    /// Adds this number of passages before and after each hit in its document, at most [`MAX_NEIGHBOURS`].
    pub fn neighbours(mut self, passages: u32) -> Self {
        self.neighbours = passages;
        self
    }

    /// Adds an excerpt to each hit: up to two fragments of some 30 words, with the words of this text marked.
    pub fn excerpts(mut self, text: impl Into<String>) -> Self {
        self.excerpts = Some(text.into());
        self
    }

    /// Returns at most this number of hits of one document, its best, and more documents instead.
    ///
    /// They are selected among four times as many passages, so fewer than `k` are returned if a few documents fill those.
    pub fn per_document(mut self, hits: usize) -> Self {
        self.per_document = Some(hits);
        self
    }

    /// Leaves out each hit that is nearly equal to a better one, such as a copy of a page.
    ///
    /// Two passages are nearly equal if four of five runs of three words are the same in both, with title and headings, whatever
    /// the signs and capital letters. Passages of fewer than ten words must be equal. The others are selected among four times as many passages, as by [`per_document`](Self::per_document).
    pub fn without_near_duplicates(mut self) -> Self {
        self.near_duplicates = false;
        self
    }

    /// Compares every vector of the workspace that passes the filters, so the result is exact.
    pub fn exact(mut self) -> Self {
        self.plan = Some(Plan::Exact);
        self
    }

    /// Forces a plan of the vector search, to compare plans. [`exact`](Self::exact) forces the exact one.
    pub fn with_plan(mut self, plan: Plan) -> Self {
        self.plan = Some(plan);
        self
    }

    /// Replaces the limits that the database was opened with.
    pub fn limits(mut self, limits: SearchLimits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Runs the search, and returns the passages and how they were found.
    ///
    /// A search usually takes one statement. More candidates take another one; the second list, diversity, neighbours and
    /// excerpts take one each.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if `k` is 0 or above [`MAX_K`]; if the text is empty or has more
    /// than [`MAX_TEXT`] characters; if the metadata exceed [`MAX_METADATA`]; if a setting is out of bounds; if `ws`
    /// belongs to another workspace; or if the workspace has only vectors of other models;
    /// [`is_conflict`](Error::is_conflict) if its vectors of the model have another number of dimensions;
    /// [`is_timed_out`](Error::is_timed_out), [`is_unreachable`](Error::is_unreachable),
    /// [`is_database_failure`](Error::is_database_failure).
    pub async fn run(self, ws: &mut WorkspaceConnection<impl Access>) -> Result<SearchResults> {
        self.check()?;
        ws.check(self.workspace)?;
        let is_selected = self.relevance.is_some() || self.per_document.is_some() || !self.near_duplicates;
        let among = if is_selected { self.k.saturating_mul(SELECTED_AMONG).min(MAX_K) } else { self.k };
        let (mut found, by_vector, by_words) = match (&self.question, &self.text) {
            (Some(question), None) => {
                let (mut found, list) = self.by_vector(ws, question, among).await?;
                found.retain(|hit| self.min_score.is_none_or(|min| hit.score >= min));
                (found, Some(list), None)
            }
            (Some(question), Some(text)) => {
                let each = among.max(FUSED_AT_LEAST);
                let (near, by_vector) = self.by_vector(ws, question, each).await?;
                let (shared, by_words) = self.by_words(ws, text, each).await?;
                let by_words_count = shared.len();
                let mut both = fused(near, shared);
                // The list of words is complete, so other passages share a dimension with hashed words by chance.
                if question.is_sparse() && by_words_count < each as usize && !by_words.bound_reached {
                    both.retain(|hit| hit.by_words.is_some());
                }
                if let Some(min) = self.min_score.or(question.min_cosine) {
                    // After the merge, because the scale of a list includes its worst passages.
                    both.retain(|hit| hit.by_words.is_some() || hit.by_vector.is_some_and(|place| place.score >= min));
                }
                (both, Some(by_vector), Some(by_words))
            }
            (None, text) => {
                let (mut found, list) = self.by_words(ws, text.as_deref().unwrap_or_default(), among).await?;
                found.retain(|hit| self.min_score.is_none_or(|min| hit.score >= min));
                (found, None, Some(list))
            }
        };
        let kept = if self.relevance.is_some() { among } else { self.k };
        select(&mut found, kept as usize, self.per_document, self.near_duplicates);
        if let (Some(relevance), Some(question)) = (self.relevance, &self.question) {
            found = self.diverse(ws, question, relevance, found).await?;
        }
        if self.neighbours > 0 {
            bring_neighbours(ws, self.neighbours, &mut found).await?;
        }
        if let Some(text) = &self.excerpts {
            bring_excerpts(ws, text, &mut found).await?;
        }
        Ok(SearchResults { requested: self.k, returned: found.len(), by_vector, by_words, hits: found })
    }

    fn check(&self) -> Result<()> {
        let remedy = |what: String, remedy: String| Err(Error::invalid(what).remedy(remedy));
        if !(1..=MAX_K).contains(&self.k) {
            return remedy(format!("{} passages can't be requested", self.k), format!("request 1 to {MAX_K} passages"));
        }
        if let Some(characters) = self.text.as_ref().map(|text| text.chars().count()).filter(|&count| count > MAX_TEXT)
        {
            let what = format!("the search text has {characters} characters, which is too long");
            return Err(Error::invalid(what).remedy(format!("use at most {MAX_TEXT} characters")).about("text"));
        }
        if [&self.text, &self.excerpts].into_iter().flatten().any(|text| text.contains('\0')) {
            return Err(Error::invalid("the search text contains the character U+0000").about("text"));
        }
        if self.per_document == Some(0) {
            return remedy("0 hits of a document can't be requested".to_owned(), "request 1 or more".to_owned());
        }
        if self.text.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return remedy("the search text is empty".to_owned(), "use at least one word".to_owned());
        }
        for (field, part) in [("metadata", &self.filter.metadata), ("chunk_metadata", &self.filter.chunk_metadata)] {
            let bytes = part.as_ref().map_or(0, |part| part.to_string().len());
            if bytes > MAX_METADATA {
                let what = format!("the {field} filter has {bytes} bytes, which is too large");
                return Err(Error::invalid(what).remedy(format!("use at most {MAX_METADATA} bytes")).about(field));
            }
        }
        if self.neighbours > MAX_NEIGHBOURS {
            let what = format!("{} neighbours on each side can't be requested", self.neighbours);
            return remedy(what, format!("request at most {MAX_NEIGHBOURS}"));
        }
        if self.min_score.is_some_and(f64::is_nan) {
            return remedy(
                "the minimum score is not a number".to_owned(),
                "use a cosine similarity between -1 and 1".to_owned(),
            );
        }
        match self.relevance {
            Some(relevance) if !(0.0..=1.0).contains(&relevance) => remedy(
                format!("the relevance weight {relevance} is out of range"),
                "use a value between 0 (only novelty) and 1 (only relevance)".to_owned(),
            ),
            Some(_) if self.question.is_none() => remedy(
                "the results of a full-text search can't be diversified".to_owned(),
                "use `nearest` or `hybrid`, which have a question".to_owned(),
            ),
            _ => Ok(()),
        }
    }

    async fn by_vector(
        &self,
        ws: &mut WorkspaceConnection<impl Access>,
        question: &Question,
        k: u32,
    ) -> Result<(Vec<Hit>, RetrievalStats)> {
        let limits = self.limits.unwrap_or(ws.search_limits());
        let (found, list) = nearest::nearest(ws, question, &self.filter, k, self.plan, limits).await?;
        if found.is_empty() {
            self.reject_other_models(ws, question).await?;
        } else {
            check_dimensions(ws, &question.model, &question.vector).await?;
        }
        Ok((hits(found, |hit, place| hit.by_vector = Some(place)), list))
    }

    async fn by_words(
        &self,
        ws: &mut WorkspaceConnection<impl Access>,
        text: &str,
        k: u32,
    ) -> Result<(Vec<Hit>, RetrievalStats)> {
        let limits = self.limits.unwrap_or(ws.search_limits());
        let (found, list) = full_text::full_text(ws, text, &self.filter, k, limits).await?;
        Ok((hits(found, |hit, place| hit.by_words = Some(place)), list))
    }

    /// Returns an error if all vectors are of other models, because an empty result would hide the caller's mistake.
    async fn reject_other_models(&self, ws: &mut WorkspaceConnection<impl Access>, question: &Question) -> Result<()> {
        let models = live_models(ws).await?;
        if models.is_empty() || models.iter().any(|model| model == question.model()) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the workspace has vectors of {}, but the question was embedded with {}",
            models.join(", "),
            question.model()
        ))
        .remedy("search with the embedder that was used for ingestion, or ingest again with this embedder"))
    }

    async fn diverse(
        &self,
        ws: &mut WorkspaceConnection<impl Access>,
        question: &Question,
        relevance: f64,
        hits: Vec<Hit>,
    ) -> Result<Vec<Hit>> {
        let ids: Vec<DocumentChunkId> = hits.iter().map(|hit| hit.chunk_id).collect();
        let rows: Vec<(DocumentChunkId, Embedding)> = document_chunks::table
            .in_workspace(&ws)
            .filter(document_chunks::id.eq_any(ids))
            .select((document_chunks::id, document_chunks::vector))
            .load(ws)
            .await?;
        let vectors: HashMap<_, _> = rows.into_iter().collect();
        // Passages that were deleted since the search have no vector.
        let mut hits: Vec<_> = hits.into_iter().filter(|hit| vectors.contains_key(&hit.chunk_id)).map(Some).collect();
        let of_hits: Vec<&[f32]> =
            hits.iter().flatten().filter_map(|hit| vectors.get(&hit.chunk_id)).map(Embedding::as_slice).collect();
        let cosines: Vec<f64> = of_hits.iter().map(|vector| mmr::cosine(question.vector.as_slice(), vector)).collect();
        let selected = mmr::select(self.k as usize, relevance, &cosines, &of_hits);
        Ok(selected.into_iter().filter_map(|at| hits.get_mut(at)?.take()).collect())
    }
}
