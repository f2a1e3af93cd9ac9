//! What comes back: the passages, and how they were found.

use std::fmt;

use serde::Serialize;

use super::plan::Plan;
use crate::id::{DocumentChunkId, DocumentId};

/// The passages that were found, and how: no answer is shorter or less sure than it says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SearchResults {
    /// How many passages were asked for.
    pub asked: u32,
    /// How many came: fewer where the workspace has no more that pass the filters and the least score, or where a bound
    /// was reached.
    pub returned: usize,
    /// How the list by vector was made, where there is one.
    pub by_vector: Option<RetrievalStats>,
    /// How the list by words was made, where there is one.
    pub by_words: Option<RetrievalStats>,
    /// The passages, the best first.
    pub hits: Vec<Hit>,
}

impl SearchResults {
    /// Whether a bound was reached before the answer was certain: more passages, or nearer ones, may be there.
    /// [`exact`](super::Search::exact) finds out.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        [&self.by_vector, &self.by_words].into_iter().flatten().any(|list| list.bound_reached)
    }
}

/// How one list of passages was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RetrievalStats {
    /// The plan whose rows these are.
    pub plan: Plan,
    /// Passages that were compared in full; `None` where the plan compares all of the workspace's.
    pub candidates: Option<u64>,
    /// How often more candidates were taken, since too few passed the filters or the last of them was still good.
    pub widened: u32,
    /// Whether the most candidates that may be taken were not enough to be certain.
    pub bound_reached: bool,
    /// Words of the text that were not looked for, since it has more than [`MAX_WORDS`](super::MAX_WORDS).
    pub words_left_out: usize,
}

/// For a person: by which plan, and out of how many candidates.
impl fmt::Display for RetrievalStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = format!("{:?}", self.plan).to_lowercase();
        match self.candidates {
            Some(candidates) => write!(f, "{plan} of {candidates} candidates")?,
            None => write!(f, "{plan} of all candidates")?,
        }
        if self.widened > 0 {
            write!(f, ", widened {} times", self.widened)?;
        }
        if self.words_left_out > 0 {
            write!(f, ", without {} words of a long text", self.words_left_out)?;
        }
        if self.bound_reached { f.write_str(", and its bound was reached") } else { Ok(()) }
    }
}

/// A passage that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// By which the hits are ordered. By vector: the cosine, 1 for the same direction to -1 for the opposite. By words:
    /// `ts_rank`, from 0. By both: the sum of 1 / (60 + rank) over the two lists.
    pub score: f64,
    /// The passage's id.
    pub chunk_id: DocumentChunkId,
    /// Its document.
    pub document_id: DocumentId,
    /// The document's title.
    pub title: String,
    /// The document's name in its datasource.
    pub external_id: Option<String>,
    /// Place of the passage in the document, from 0.
    pub chunk_index: i32,
    /// The passage.
    pub content: String,
    /// Where it stands in the list by vector, if it is there.
    pub by_vector: Option<HitRank>,
    /// Where it stands in the list by words, if it is there.
    pub by_words: Option<HitRank>,
    /// The passages before it in its document, in their order, where neighbours were asked for.
    pub before: Vec<Neighbour>,
    /// The passages after it.
    pub after: Vec<Neighbour>,
}

/// A hit's place in one list.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HitRank {
    /// From 1.
    pub rank: usize,
    /// Its score there.
    pub score: f64,
}

/// A passage beside a hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Neighbour {
    /// Place in the document, from 0.
    pub chunk_index: i32,
    /// The passage.
    pub content: String,
}
