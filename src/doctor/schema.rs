//! Migrations and drift.

use super::examination::CheckContext;
use super::finding::{CheckStatus, Diagnostic};
use crate::db::catalog::Catalog;
use crate::db::migrations::MigrationState;

pub(super) async fn diagnostics(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let all = match context.doctor.migrator.status().await {
        Ok(all) => all,
        Err(error) => return vec![Diagnostic::skipped("migrations", &error), Diagnostic::skipped("drift", &error)],
    };
    let is_pending = all.iter().any(|one| one.state == MigrationState::Pending);
    let mut noted: Vec<Diagnostic> = all
        .into_iter()
        .filter_map(|one| {
            let state = match one.state {
                MigrationState::Pending | MigrationState::Edited => CheckStatus::Fail,
                MigrationState::Unrecorded | MigrationState::Unknown => CheckStatus::Warn,
                MigrationState::Applied => return None,
            };
            Some(Diagnostic::new("migrations", state, format!("{} is {}", one.name, one.state.label())))
        })
        .collect();
    if is_pending {
        noted.push(Diagnostic::new(
            "drift",
            CheckStatus::Skipped,
            "pending migrations would appear as drift: migrate first, or run `migrate plan`",
        ));
        return noted;
    }
    match Catalog::of(&context.owner).await {
        Ok(found) => {
            let drift = Catalog::expected().drift(&found);
            noted.extend(drift.iter().map(|one| Diagnostic::new("drift", CheckStatus::Warn, one.to_string())));
        }
        Err(error) => noted.push(Diagnostic::skipped("drift", &error)),
    }
    noted
}
