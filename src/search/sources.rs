//! Hits as the sources of an answer.

use super::plan::Plan;
use super::results::{Hit, SearchResults};
use crate::id::MessageId;
use crate::models::NewMessageSource;

impl SearchResults {
    /// Returns the hits as sources of an answer, in their order. The model was shown the first `shown` of them.
    ///
    /// The rows keep title, text and score as they are now. Nothing is cited yet: set `citation` of those that the answer names,
    /// and insert the rows.
    ///
    /// ```no_run
    /// use workspace_db::id::MessageId;
    /// use workspace_db::schema::message_sources;
    /// use workspace_db::search::SearchResults;
    /// use workspace_db::tenancy::{InWorkspace, WorkspaceConnection};
    ///
    /// # async fn example(ws: &mut WorkspaceConnection, answer: MessageId, results: SearchResults) -> workspace_db::Result<()> {
    /// let sources = results.sources(answer, 4);
    /// message_sources::table.in_workspace(&ws).insert(&sources).execute(ws).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn sources(&self, message: MessageId, shown: usize) -> Vec<NewMessageSource> {
        let plan = |list: &Option<super::results::RetrievalStats>| list.map(|list| plan_name(list.plan));
        let by_list = match (plan(&self.by_vector), plan(&self.by_words)) {
            (Some(vector), Some(_)) => format!("hybrid, {vector}"),
            (Some(one), None) | (None, Some(one)) => one.to_owned(),
            (None, None) => "unknown".to_owned(),
        };
        let source = |(rank, hit): (i32, &Hit)| NewMessageSource {
            title: hit.title.clone(),
            external_id: hit.external_id.clone(),
            shown_text: (usize::try_from(rank).is_ok_and(|rank| rank <= shown)).then(|| hit.content.clone()),
            score: hit.score,
            method: if hit.by_reranker.is_some() { format!("{by_list}, reranked") } else { by_list.clone() },
            ..NewMessageSource::new(message, rank, hit.chunk_id, hit.document_id, &hit.content)
        };
        (1..).zip(&self.hits).map(source).collect()
    }
}

fn plan_name(plan: Plan) -> &'static str {
    match plan {
        Plan::Exact => "exact",
        Plan::Bits => "bits",
        Plan::Approximate => "approximate",
        Plan::Words => "words",
    }
}
