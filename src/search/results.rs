//! Results of a search: the passages, and how they were found.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::plan::Plan;
use crate::id::{DocumentChunkId, DocumentId};
use crate::noun::noun_for;

/// Passages that a search has found, and how. They show if the result is incomplete or uncertain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchResults {
    /// Requested number of passages.
    pub requested: u32,
    /// Number of returned passages. It is lower if no more passages pass the filters and the minimum score, or if a
    /// limit was reached.
    pub returned: usize,
    /// Statistics of the vector search, if there was one.
    pub by_vector: Option<RetrievalStats>,
    /// Statistics of the full-text search, if there was one.
    pub by_words: Option<RetrievalStats>,
    /// Passages, the best first.
    pub hits: Vec<Hit>,
}

impl SearchResults {
    /// Returns true if a limit was reached before the result was certain. More passages, or nearer ones, may exist;
    /// [`exact`](super::Search::exact) finds them.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        [&self.by_vector, &self.by_words].into_iter().flatten().any(|list| list.bound_reached)
    }
}

/// Statistics of one list of passages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RetrievalStats {
    /// Plan that found the rows.
    pub plan: Plan,
    /// Number of passages that were compared in full; `None` if the plan compares all of the workspace's.
    pub candidates: Option<u64>,
    /// Number of times that more candidates were taken, because too few passed the filters or the last of them was
    /// still good.
    pub widened: u32,
    /// True if the maximum number of candidates was too low for a certain result.
    pub bound_reached: bool,
    /// Number of words of the text that were not searched, because it has more than [`MAX_WORDS`](super::MAX_WORDS).
    pub words_left_out: usize,
}

/// Text for users: the plan, and the number of candidates.
impl fmt::Display for RetrievalStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = format!("{:?}", self.plan).to_lowercase();
        match self.candidates {
            Some(candidates) => write!(f, "{plan} of {candidates} {}", noun_for(candidates, "candidate"))?,
            None => write!(f, "{plan} of all candidates")?,
        }
        if self.widened > 0 {
            write!(f, ", widened {} {}", self.widened, noun_for(self.widened, "time"))?;
        }
        if self.words_left_out > 0 {
            write!(f, ", without {} {} of a long text", self.words_left_out, noun_for(self.words_left_out, "word"))?;
        }
        if self.bound_reached { f.write_str(", and its limit was reached") } else { Ok(()) }
    }
}

/// Passage that a search has found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// Score that orders the hits. Vector search: the cosine, from 1 for the same direction to -1 for the opposite.
    /// Full-text search: `ts_rank`, from 0. Hybrid search: from 0 to 1, the mean of both, each on the scale of its list. After
    /// [`rerank`](SearchResults::rerank): that of the reranker.
    pub score: f64,
    /// Id of the passage.
    pub chunk_id: DocumentChunkId,
    /// Id of its document.
    pub document_id: DocumentId,
    /// Title of the document.
    pub title: String,
    /// Name of the document in its datasource.
    pub external_id: Option<String>,
    /// Position of the passage in the document, from 0.
    pub chunk_index: i32,
    /// Text of the passage.
    pub content: String,
    /// Metadata of the passage, such as its page. Those of ingested files contain `headings`, `lines` and `bytes`.
    pub metadata: Value,
    /// Parts of the text that answer the question best, if [`excerpts`](super::Search::excerpts) were requested.
    pub excerpt: Vec<ExcerptPart>,
    /// Rank in the vector search, if it is a hit there.
    pub by_vector: Option<HitRank>,
    /// Rank in the full-text search, if it is a hit there.
    pub by_words: Option<HitRank>,
    /// Rank by the reranker, if there was one.
    pub by_reranker: Option<HitRank>,
    /// Passages before it in its document, in their order, if neighbours were requested.
    pub before: Vec<Neighbour>,
    /// Passages after it.
    pub after: Vec<Neighbour>,
}

impl Hit {
    /// Returns the title of the document and the headings above the passage, the outermost first.
    ///
    /// ```
    /// # fn example(hit: &workspace_db::search::Hit) {
    /// println!("{}", hit.path().join(" › "));
    /// # }
    /// ```
    #[must_use]
    pub fn path(&self) -> Vec<&str> {
        std::iter::once(self.title.as_str()).chain(self.headings()).collect()
    }

    /// Returns the passage below its title and headings.
    pub(super) fn with_path(&self) -> String {
        format!("{}\n{}", self.path().join(" › "), self.content)
    }

    /// Returns the headings above the passage, the outermost first, without the title of the document.
    pub fn headings(&self) -> impl Iterator<Item = &str> {
        let headings = self.metadata.get("headings").and_then(Value::as_array);
        headings.into_iter().flatten().filter_map(Value::as_str).filter(|heading| *heading != self.title)
    }

    /// Returns the first line of the passage in its document, from 1, if the ingestion stated it.
    ///
    /// ```
    /// # fn example(hit: &workspace_db::search::Hit) {
    /// let place = hit.line().map(|line| format!("{}:{line}", hit.title));
    /// # drop(place);
    /// # }
    /// ```
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        self.metadata.get("lines")?.get(0)?.as_u64()
    }
}

/// Rank of a hit in one list.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HitRank {
    /// Rank, from 1.
    pub rank: usize,
    /// Score in this list.
    pub score: f64,
}

/// Passage next to a hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Neighbour {
    /// Position in the document, from 0.
    pub chunk_index: i32,
    /// Text of the passage.
    pub content: String,
}

/// Part of an excerpt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExcerptPart {
    /// Text, on one line.
    pub text: String,
    /// True if the text is a word of the question, in any form of its language.
    pub is_match: bool,
}
