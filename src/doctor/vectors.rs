//! Vector indexes, and the recall of searches.

use super::examination::CheckContext;
use super::finding::{CheckStatus, Diagnostic};
use crate::error::Error;
use crate::indexes::{self, VerifyOptions, verify};

pub(super) async fn diagnostics(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let mut diagnostics = match indexes::status(&context.doctor.owner, context.doctor.config.own_index_from).await {
        Ok(status) => status
            .due
            .iter()
            .map(|step| Diagnostic::new("vector_indexes", CheckStatus::Warn, step.to_string()))
            .collect(),
        Err(error) => vec![Diagnostic::skipped("vector_indexes", &error)],
    };
    diagnostics.extend(recall(context).await);
    diagnostics
}

async fn recall(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let thresholds = &context.doctor.thresholds;
    let skipped = |what: &str| vec![Diagnostic::new("recall", CheckStatus::Skipped, what)];
    let Some(database) = &context.database else {
        return skipped("the database can't be opened as an application opens it");
    };
    if thresholds.questions == 0 {
        return skipped("it was not requested");
    }
    let options = VerifyOptions { questions: thresholds.questions, workspaces: 5, ..VerifyOptions::default() };
    match verify(database, &options, &|_| ()).await {
        Ok(all) => all
            .iter()
            .filter(|one| one.mean < thresholds.recall)
            .map(|one| {
                let what = format!(
                    "searches found {} of the nearest passages of {} on average, and {} at worst",
                    one.mean, one.slug, one.worst
                );
                Diagnostic::new("recall", CheckStatus::Warn, what)
            })
            .collect(),
        // A search can't miss anything in a database without passages.
        Err(error) if Error::is_not_found(&error) => Vec::new(),
        Err(error) => vec![Diagnostic::skipped("recall", &error)],
    }
}
