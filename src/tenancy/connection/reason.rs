//! The log of the reasons for raw SQL.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::id::WorkspaceId;

/// Maximum number of reasons that are remembered. Programs have few; a reason with an id in it would be another each time.
const MAX_REASONS: usize = 1_000;

/// Logs the reason for raw SQL: at the level `INFO` when this process states it for the first time, then at `DEBUG`. That
/// holds for the first 1,000 reasons.
pub(super) fn log(reason: &str, workspace: Option<WorkspaceId>) {
    let workspace = workspace.map(tracing::field::display);
    if is_new(reason) {
        tracing::info!(workspace, reason, "raw SQL");
    } else {
        tracing::debug!(workspace, reason, "raw SQL");
    }
}

fn is_new(reason: &str) -> bool {
    static STATED: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
    let mut stated = STATED.lock().unwrap_or_else(PoisonError::into_inner);
    !stated.contains(reason) && stated.len() < MAX_REASONS && stated.insert(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_new_once_and_they_are_bounded() {
        assert!(is_new("a report") && !is_new("a report"));
        let new = (0..2 * MAX_REASONS).filter(|id| is_new(&format!("the row {id}"))).count();
        assert!(new < MAX_REASONS, "{new}");
    }
}
