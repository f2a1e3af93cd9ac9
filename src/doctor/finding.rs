//! Result of a check, and the problems from which it is made.

use std::fmt;

use serde::Serialize;

use super::checks::Check;
use crate::error::Error;

/// Status of a check, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// The condition holds.
    Pass,
    /// The check could not run here; the finding gives the reason.
    Skipped,
    /// The database works, but will fail later without action.
    Warn,
    /// The problem must be fixed: workspaces are not isolated, or the program does not work on this database.
    Fail,
}

impl fmt::Display for CheckStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Skipped => "skipped",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// Result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the check, one of [`CHECKS`](super::CHECKS).
    pub check: &'static str,
    /// Status of the check.
    pub status: CheckStatus,
    /// Objects that fail the check, each with its problem.
    pub problems: Vec<String>,
    /// Remedy, if one is needed.
    pub remedy: Option<&'static str>,
}

impl Finding {
    pub(super) fn new(check: &'static Check, diagnostics: &[Diagnostic]) -> Self {
        let own: Vec<_> = diagnostics.iter().filter(|one| one.check == check.name).collect();
        let status = own.iter().map(|one| one.status).max().unwrap_or(CheckStatus::Pass);
        Self {
            check: check.name,
            status,
            problems: own.iter().map(|one| one.what.clone()).collect(),
            remedy: (status > CheckStatus::Skipped).then_some(check.remedy),
        }
    }
}

/// Problem that a check has found.
pub(super) struct Diagnostic {
    pub(super) check: &'static str,
    pub(super) status: CheckStatus,
    pub(super) what: String,
}

impl Diagnostic {
    pub(super) fn new(check: &'static str, status: CheckStatus, what: impl Into<String>) -> Self {
        Self { check, status, what: what.into() }
    }

    /// Creates the diagnostic of a check that could not run.
    pub(super) fn skipped(check: &'static str, error: &Error) -> Self {
        Self::new(check, CheckStatus::Skipped, error.to_string())
    }
}
