//! Migrations and drift.

use super::examination::CheckContext;
use super::finding::{CheckStatus, Diagnostic};
use crate::db::catalog::Catalog;
use crate::db::migrations::MigrationStatus;

pub(super) async fn diagnostics(context: &CheckContext<'_>) -> Vec<Diagnostic> {
    let all = match context.doctor.migrator.status().await {
        Ok(all) => all,
        Err(error) => return vec![Diagnostic::skipped("migrations", &error), Diagnostic::skipped("drift", &error)],
    };
    let is_pending = all.iter().any(|one| one.status == MigrationStatus::Pending);
    let mut diagnostics: Vec<Diagnostic> = all
        .into_iter()
        .filter_map(|one| {
            let status = match one.status {
                MigrationStatus::Pending | MigrationStatus::Edited => CheckStatus::Fail,
                MigrationStatus::Unrecorded | MigrationStatus::Unknown => CheckStatus::Warn,
                MigrationStatus::Applied => return None,
            };
            Some(Diagnostic::new("migrations", status, format!("{} is {}", one.name, one.status.label())))
        })
        .collect();
    if is_pending {
        diagnostics.push(Diagnostic::new(
            "drift",
            CheckStatus::Skipped,
            "pending migrations would appear as drift: migrate first, or run `migrate plan`",
        ));
        return diagnostics;
    }
    match Catalog::read_from(&context.owner).await {
        Ok(found) => {
            let drift = Catalog::expected().drift(&found);
            diagnostics.extend(drift.iter().map(|one| Diagnostic::new("drift", CheckStatus::Warn, one.to_string())));
        }
        Err(error) => diagnostics.push(Diagnostic::skipped("drift", &error)),
    }
    diagnostics
}
