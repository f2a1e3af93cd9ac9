//! Rounds in which every side has its turn.

use std::time::Instant;

use workspace_db_testing::TestDatabase;

use crate::platform::Tenant;
use crate::sides::{Searcher, Side};

/// Odd, so that there is a median of them.
const ROUNDS: usize = 5;
/// Searches that do not count, at the beginning of each turn.
const WARM_UP: usize = 5;
/// Scores this close are equal: pgvector computes in single precision, and not always in the same order.
const TIE: f64 = 1e-6;

/// What one side did in one workspace.
pub struct Measurement {
    pub side: &'static str,
    /// Of the true nearest, the share that came: on average, and for the question that fared worst.
    pub mean: f64,
    pub worst: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p95: f64,
    /// Queries a second over one connection.
    pub rate: f64,
}

/// Asks every side every question in each of five rounds. Each in its turn is the first, which has what was left
/// undone before it.
pub async fn measure(searcher: &Searcher, tenant: &Tenant, sides: &[&Side], exact: &Side) -> Vec<Measurement> {
    let mut connection = searcher.enter(tenant).await;
    let mut truth = Vec::new();
    searcher.make_way_for(exact).await;
    for question in &tenant.questions {
        truth.push(searcher.search(exact, &mut connection, question).await);
    }
    let mut millis = vec![Vec::new(); sides.len()];
    let mut recalls = vec![Vec::new(); sides.len()];
    for round in 0..ROUNDS {
        for turn in 0..sides.len() {
            let at = (round + turn) % sides.len();
            searcher.make_way_for(sides[at]).await;
            for question in tenant.questions.iter().take(WARM_UP) {
                searcher.search(sides[at], &mut connection, question).await;
            }
            for (question, truth) in tenant.questions.iter().zip(&truth) {
                let began = Instant::now();
                let scores = searcher.search(sides[at], &mut connection, question).await;
                millis[at].push(began.elapsed().as_secs_f64() * 1e3);
                recalls[at].push(recall(&scores, truth));
            }
        }
    }
    let measured = sides.iter().zip(millis).zip(recalls);
    measured.map(|((side, millis), recalls)| Measurement::new(side.name, millis, &recalls)).collect()
}

/// Milliseconds and scores of one pass over the questions, without a warm-up.
pub struct Pass {
    millis: Vec<f64>,
    scores: Vec<Vec<f64>>,
}

impl Pass {
    /// Asks each question once, over a connection of its own.
    pub async fn over(database: &TestDatabase, tenant: &Tenant, side: &Side) -> Self {
        let searcher = Searcher::new(database).await;
        let mut connection = searcher.enter(tenant).await;
        searcher.make_way_for(side).await;
        let mut pass = Self { millis: Vec::new(), scores: Vec::new() };
        for question in &tenant.questions {
            let began = Instant::now();
            pass.scores.push(searcher.search(side, &mut connection, question).await);
            pass.millis.push(began.elapsed().as_secs_f64() * 1e3);
        }
        pass
    }

    /// Compares it with an exact pass.
    pub fn measured(&self, side: &Side, exact: &Self) -> Measurement {
        let recalls: Vec<f64> =
            self.scores.iter().zip(&exact.scores).map(|(scores, truth)| recall(scores, truth)).collect();
        Measurement::new(side.name, self.millis.clone(), &recalls)
    }
}

/// A passage that is as near as the k-th counts as found, whichever it is.
fn recall(scores: &[f64], truth: &[f64]) -> f64 {
    let farthest = truth.last().expect("a workspace with passages");
    let right = scores.iter().filter(|score| **score >= farthest - TIE).count();
    right as f64 / truth.len() as f64
}

impl Measurement {
    fn new(side: &'static str, mut millis: Vec<f64>, recalls: &[f64]) -> Self {
        let rate = millis.len() as f64 / millis.iter().sum::<f64>() * 1e3;
        millis.sort_by(f64::total_cmp);
        Self {
            side,
            mean: recalls.iter().sum::<f64>() / recalls.len() as f64,
            worst: recalls.iter().copied().fold(1.0, f64::min),
            p50: millis[millis.len() / 2],
            p95: millis[millis.len() * 95 / 100],
            rate,
        }
    }

    /// A row of the table.
    pub fn row(&self, size: usize) -> String {
        format!(
            "| {} | {} | {:.3} | {:.1} | {:.2} | {:.2} | {:.0} |",
            grouped(size),
            self.side,
            self.mean,
            self.worst,
            self.p50,
            self.p95,
            self.rate
        )
    }
}

/// A number with commas.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let from_end = |(at, digit): (usize, char)| {
        let comma = (at > 0 && (digits.len() - at).is_multiple_of(3)).then_some(',');
        comma.into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(from_end).collect()
}

/// The median times of one side in a workspace that stands in both databases, by turns.
///
/// Each round has connections of its own: which core a server process lies on moves its times by a third.
pub async fn compare(databases: [&TestDatabase; 2], tenant: &Tenant, side: &Side) -> [f64; 2] {
    let mut millis = [Vec::new(), Vec::new()];
    for round in 0..2 * ROUNDS {
        for turn in 0..2 {
            let at = (round + turn) % 2;
            let searcher = Searcher::new(databases[at]).await;
            let mut connection = searcher.enter(tenant).await;
            for question in tenant.questions.iter().take(WARM_UP) {
                searcher.search(side, &mut connection, question).await;
            }
            for question in &tenant.questions {
                let began = Instant::now();
                searcher.search(side, &mut connection, question).await;
                millis[at].push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    millis.map(|millis| median(&millis))
}

/// The middle one, in an order that is the values' own.
pub fn median(of: &[f64]) -> f64 {
    let mut of = of.to_vec();
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}
