//! Progress and results of the steps of an adoption.

use std::time::Duration;

use serde::Serialize;

use super::catch_up::CatchUpRound;
use super::verify::TableComparison;

/// Progress of an adoption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptionProgress {
    /// Current step.
    pub step: AdoptionStep,
    /// Table that is being copied; empty in other steps.
    pub table: &'static str,
    /// Number of rows copied.
    pub rows: u64,
    /// Total number of rows.
    pub of: u64,
}

/// Step of an adoption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdoptionStep {
    /// Copying of rows.
    Copying,
    /// Catching up with rows written meanwhile.
    CatchingUp,
    /// Comparison of counts and checksums.
    Comparing,
}

/// Result of a run.
#[derive(Clone, Debug, Serialize)]
pub struct AdoptionReport {
    /// Number of rows copied, in all tables.
    pub rows: u64,
    /// Result of each round of catching up.
    pub rounds: Vec<CatchUpRound>,
    /// Duration of the last round in seconds. Writers must stop for about this time, in addition to the comparison.
    pub last_round_seconds: f64,
    /// Comparison of every table. None if rows were written during it; then the last step compares.
    pub compared: Option<Vec<TableComparison>>,
}

/// Result of the last step.
#[derive(Clone, Debug, Serialize)]
pub struct SwitchReport {
    /// Duration for which writers were locked out.
    #[serde(rename = "writers_stopped_seconds", serialize_with = "seconds")]
    pub writers_stopped: Duration,
    /// Rows that were written since the last run.
    pub caught_up: CatchUpRound,
    /// Comparison of every table.
    pub compared: Vec<TableComparison>,
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// Result of the end of an adoption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FinishReport {
    /// Number of rows in the file; a row has a line for each reason.
    pub set_aside: u64,
    /// Number of passages that were not copied. [`embed_set_aside`](crate::embed_set_aside) inserts those whose document was
    /// adopted, with new vectors.
    pub passages: u64,
    /// Old types that other objects use. They stay in the schema `workspace_db_before`.
    pub kept_types: Vec<String>,
}

/// Outcome for rows in an adoption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AdoptionOutcome {
    /// The rows are copied unchanged.
    Kept,
    /// The rows are copied with a value changed.
    Changed,
    /// The rows are not copied, but set aside with the reason.
    SetAside,
}
