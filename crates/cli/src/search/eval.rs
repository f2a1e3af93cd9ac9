//! `workspace-db search eval`

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum as _};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use workspace_db::Error;
use workspace_db::schema::document_chunks;
use workspace_db::search::{Hit, Question};
use workspace_db::tenancy::InWorkspace as _;

use super::method::{FilterArgs, SearchMode, searching};
use super::rerank::{RerankArgs, candidates};
use crate::context::Context;
use crate::database::DatabaseTarget;
use crate::embedder::EmbedderArgs;
use crate::error::NotFound;
use crate::output;
use crate::workspace;

/// Number of documents that each question is answered with.
const DEPTH: u32 = 10;

/// Measure how well searches find the passages that answer questions
///
/// Each line of the file is a JSON object with `question` and what answers it: `documents`, a list of names of documents in
/// their datasource, `pattern`, a text that the passage contains, or both. `kind` is optional and groups the figures. Each
/// document counts once, with its best passage.
#[derive(Args, Debug)]
pub(super) struct Eval {
    /// File of JSON Lines
    questions: PathBuf,
    /// Slug of the workspace
    #[arg(short, long, env = "WORKSPACE_DB_WORKSPACE", value_name = "SLUG", default_value = "acme")]
    workspace: String,
    /// Method of the search; default: each
    #[arg(long, value_enum)]
    by: Vec<SearchMode>,
    /// Also count passages that are nearly equal to a better one
    #[arg(long)]
    near_duplicates: bool,
    /// Print the questions whose answer is not among the first three
    #[arg(long)]
    misses: bool,
    #[command(flatten)]
    narrowing: FilterArgs,
    #[command(flatten)]
    embedder: EmbedderArgs,
    #[command(flatten)]
    rerank: RerankArgs,
}

/// Question with what answers it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelledQuestion {
    question: String,
    #[serde(default)]
    documents: Vec<String>,
    pattern: Option<String>,
    kind: Option<String>,
}

/// Figures of one method over a group of questions. Each is from 0 to 1.
#[derive(Debug, Serialize)]
struct Figures {
    by: String,
    kind: String,
    questions: usize,
    /// Part of the questions whose answer is the first document.
    hit_rate_at_1: f64,
    /// Part of the questions whose answer is among the first 3 documents.
    hit_rate_at_3: f64,
    /// Part of the questions whose answer is among the first 10 documents.
    hit_rate_at_10: f64,
    /// Mean reciprocal rank of the first answer, to a depth of 10.
    mrr: f64,
    /// Normalized discounted cumulative gain to a depth of 10, with a gain of 1 for each answer.
    ///
    /// Source: K. Järvelin, J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 20 (2002).
    ndcg: f64,
}

/// Ranks of the answers to one question, from 1, and the number of documents that answer it.
#[derive(Clone, Debug)]
struct Answered {
    kind: String,
    ranks: Vec<usize>,
    answers: usize,
}

impl Eval {
    pub(super) async fn run(self, context: &Context) -> Result<()> {
        let questions = read(&self.questions)?;
        let db = DatabaseTarget::from_context(context)?.open().await?;
        let scope = workspace::enter(&db, &self.workspace, false).await?;
        let mut ws = db.workspace(&scope).await?;
        let embedders = self.embedder.embedders()?;
        let reranker = self.rerank.reranker()?;
        let k = candidates(reranker.as_ref(), DEPTH);
        let methods = if self.by.is_empty() {
            vec![SearchMode::Vector, SearchMode::FullText, SearchMode::Hybrid]
        } else {
            self.by
        };
        let bar = output::counter("questions");
        bar.set_length((questions.len() * methods.len()).try_into().unwrap_or(u64::MAX));
        let (mut figures, mut misses) = (Vec::new(), Vec::new());
        // An endpoint is asked once for each question, whatever the number of methods.
        let vectors: Vec<OnceCell<Question>> = questions.iter().map(|_| OnceCell::new()).collect();
        for by in methods {
            let name = by.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
            let mut answered = Vec::with_capacity(questions.len());
            for (question, vector) in questions.iter().zip(&vectors) {
                let text = question.question.as_str();
                let chunks = document_chunks::table.in_workspace(&ws);
                let embed = async || vector.get_or_try_init(|| embedders.question(&mut ws, text)).await.cloned();
                let search = searching(by, chunks, text, k, embed).await?;
                let search = self.narrowing.clone().narrow(search.per_document(1))?;
                let search = if self.near_duplicates { search } else { search.without_near_duplicates() };
                let mut found = search.run(&mut ws).await?;
                if let Some(reranker) = &reranker {
                    found.rerank(reranker, text, DEPTH as usize).await?;
                }
                let of_question = question.ranks(&found.hits);
                if of_question.ranks.first().is_none_or(|&rank| rank > 3) {
                    misses.push(format!("{name:<9} {text}"));
                }
                answered.push(of_question);
                bar.inc(1);
            }
            figures.extend(Figures::by_kind(&name, &answered));
        }
        bar.finish_and_clear();
        if context.json {
            return output::print_json(&figures);
        }
        let head = "by         kind       questions  hit@1  hit@3  hit@10   MRR  nDCG".to_owned();
        let table = std::iter::once(head).chain(figures.iter().map(Figures::line));
        if self.misses { output::print_lines(table.chain(misses)) } else { output::print_lines(table) }
    }
}

/// Reads the labelled questions.
fn read(file: &Path) -> Result<Vec<LabelledQuestion>> {
    let opened = File::open(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => NotFound(format!("there is no file {}", file.display())).into(),
        _ => anyhow::Error::new(error).context(format!("{} can't be read", file.display())),
    })?;
    let lines = BufReader::new(opened);
    let mut questions = Vec::new();
    for (at, line) in lines.lines().enumerate() {
        let line = line.with_context(|| format!("{} can't be read", file.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        let invalid = |what: String| Error::invalid(format!("{}, line {}: {what}", file.display(), at + 1));
        let question: LabelledQuestion = serde_json::from_str(&line).map_err(|error| invalid(error.to_string()))?;
        if question.documents.is_empty() && question.pattern.is_none() {
            return Err(invalid("the question has neither documents nor a pattern".to_owned()).into());
        }
        questions.push(question);
    }
    if questions.is_empty() {
        return Err(Error::invalid(format!("{} has no questions", file.display())).into());
    }
    Ok(questions)
}

impl LabelledQuestion {
    fn ranks(&self, hits: &[Hit]) -> Answered {
        let pattern = self.pattern.as_ref().map(|pattern| pattern.to_lowercase());
        let is_answer = |hit: &Hit| {
            let name = hit.external_id.as_deref().unwrap_or(&hit.title);
            (self.documents.is_empty() || self.documents.iter().any(|document| document == name))
                && pattern.as_ref().is_none_or(|pattern| hit.content.to_lowercase().contains(pattern))
        };
        Answered {
            kind: self.kind.clone().unwrap_or_else(|| "all".to_owned()),
            ranks: hits.iter().enumerate().filter(|(_, hit)| is_answer(hit)).map(|(at, _)| at + 1).collect(),
            answers: self.documents.len().max(1),
        }
    }
}

impl Figures {
    /// Returns the figures over all questions, and over each kind if there are several.
    fn by_kind(by: &str, answered: &[Answered]) -> Vec<Self> {
        let mut kinds: Vec<&str> = answered.iter().map(|question| question.kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let all: Vec<&Answered> = answered.iter().collect();
        let mut figures = vec![Self::over(by, "all", &all)];
        if kinds.len() > 1 {
            figures.extend(kinds.into_iter().map(|kind| {
                let of_kind: Vec<&Answered> = answered.iter().filter(|question| question.kind == kind).collect();
                Self::over(by, kind, &of_kind)
            }));
        }
        figures
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of questions and ranks are small")]
    fn over(by: &str, kind: &str, answered: &[&Answered]) -> Self {
        let questions = answered.len();
        let mean = |value: &dyn Fn(&Answered) -> f64| {
            answered.iter().map(|question| value(question)).sum::<f64>() / questions as f64
        };
        let within = |depth: usize| {
            mean(&|question| f64::from(u8::from(question.ranks.first().is_some_and(|&rank| rank <= depth))))
        };
        let gain = |rank: usize| 1.0 / (rank as f64 + 1.0).log2();
        let ndcg = |question: &Answered| {
            let ideal: f64 = (1..=question.answers.min(DEPTH as usize)).map(gain).sum();
            question.ranks.iter().take(question.answers).map(|&rank| gain(rank)).sum::<f64>() / ideal
        };
        Self {
            by: by.to_owned(),
            kind: kind.to_owned(),
            questions,
            hit_rate_at_1: within(1),
            hit_rate_at_3: within(3),
            hit_rate_at_10: within(10),
            mrr: mean(&|question| question.ranks.first().map_or(0.0, |&rank| 1.0 / rank as f64)),
            ndcg: mean(&ndcg),
        }
    }

    fn line(&self) -> String {
        format!(
            "{:<9}  {:<9}  {:>9}  {:>5.2}  {:>5.2}  {:>6.2}  {:>4.2}  {:>4.2}",
            self.by,
            self.kind,
            self.questions,
            self.hit_rate_at_1,
            self.hit_rate_at_3,
            self.hit_rate_at_10,
            self.mrr,
            self.ndcg
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Answered, Figures};

    #[test]
    fn figures_are_those_of_the_definitions() {
        let answered = |ranks: &[usize], answers| Answered { kind: "all".to_owned(), ranks: ranks.to_vec(), answers };
        let questions = [answered(&[1], 1), answered(&[2, 3], 2), answered(&[], 1), answered(&[9], 1)];
        let [figures] = &Figures::by_kind("words", &questions)[..] else { panic!("one kind") };
        assert_eq!((figures.hit_rate_at_1, figures.hit_rate_at_3, figures.hit_rate_at_10), (0.25, 0.5, 0.75));
        assert!((figures.mrr - (1.0 + 0.5 + 1.0 / 9.0) / 4.0).abs() < 1e-12);
        let second = (1.0 / 3_f64.log2() + 0.5) / (1.0 + 1.0 / 3_f64.log2());
        assert!((figures.ndcg - (1.0 + second + 1.0 / 10_f64.log2()) / 4.0).abs() < 1e-12);
    }
}
