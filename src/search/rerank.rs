//! Order of the hits by a reranker.

use super::results::{Hit, HitRank, SearchResults};
use crate::error::{Error, ErrorKind, Result};
use crate::noun::noun_for;
use crate::reranking::Reranker;

const REMEDY: &str = "use a reranker that returns one finite score for each passage";

impl SearchResults {
    /// Orders the hits by a reranker, and keeps the best `k`.
    ///
    /// Request some tens of passages of the search, such as 40 for the best 5. Each is scored with the title of its document and
    /// its headings. Minimum score and diversity of the search apply before. No connection is needed, so return it to the pool
    /// first. If the reranker fails, the hits stay as they were.
    ///
    /// # Errors
    ///
    /// [`is_invalid_input`](Error::is_invalid_input) if `k` is 0; [`is_reranking_failure`](Error::is_reranking_failure) if the reranker fails, or returns too few scores or one that is not
    /// finite.
    ///
    /// ```no_run
    /// use workspace_db::reranking::Reranker;
    /// use workspace_db::search::SearchResults;
    ///
    /// # async fn example(mut results: SearchResults, reranker: &dyn Reranker) -> workspace_db::Result<()> {
    /// results.rerank(reranker, "When do you open?", 5).await?;
    /// assert!(results.hits.len() <= 5);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn rerank(&mut self, reranker: &dyn Reranker, question: &str, k: usize) -> Result<()> {
        if k == 0 {
            return Err(Error::invalid("0 passages can't be requested").remedy("request 1 or more"));
        }
        if !self.hits.is_empty() {
            let passages: Vec<String> = self.hits.iter().map(Hit::with_path).collect();
            let scores = checked(reranker.scores(question, &passages).await?, passages.len())?;
            for (hit, score) in self.hits.iter_mut().zip(scores) {
                hit.score = score;
            }
            self.hits.sort_by(|one, other| other.score.total_cmp(&one.score));
            self.hits.truncate(k);
            for (hit, rank) in self.hits.iter_mut().zip(1..) {
                hit.by_reranker = Some(HitRank { rank, score: hit.score });
            }
        }
        self.requested = self.requested.min(u32::try_from(k).unwrap_or(u32::MAX));
        self.returned = self.hits.len();
        Ok(())
    }
}

/// Returns the scores, if they order the hits.
fn checked(scores: Vec<f64>, expected: usize) -> Result<Vec<f64>> {
    if scores.len() != expected {
        let (found, nouns) = (scores.len(), noun_for(scores.len(), "score"));
        let what = format!("the reranker returned {found} {nouns} for {expected} {}", noun_for(expected, "passage"));
        return Err(Error::new(ErrorKind::Reranking, what).remedy(REMEDY));
    }
    match scores.iter().find(|score| !score.is_finite()) {
        Some(score) => {
            Err(Error::new(ErrorKind::Reranking, format!("the reranker returned the score {score}")).remedy(REMEDY))
        }
        None => Ok(scores),
    }
}
