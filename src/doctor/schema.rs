//! Migrations and drift.

use super::{Complaint, Patient, State};
use crate::db::catalog::Catalog;
use crate::db::migrations::MigrationState;

pub(super) async fn complaints(patient: &Patient<'_>) -> Vec<Complaint> {
    let all = match patient.doctor.migrator.status().await {
        Ok(all) => all,
        Err(error) => return vec![Complaint::skipped("migrations", &error), Complaint::skipped("drift", &error)],
    };
    let is_pending = all.iter().any(|one| one.state == MigrationState::Pending);
    let mut noted: Vec<Complaint> = all
        .into_iter()
        .filter_map(|one| {
            let state = match one.state {
                MigrationState::Pending | MigrationState::Edited => State::Fail,
                MigrationState::Unrecorded | MigrationState::Unknown => State::Warn,
                MigrationState::Applied => return None,
            };
            Some(Complaint::new("migrations", state, format!("{} is {}", one.name, one.state.label())))
        })
        .collect();
    if is_pending {
        noted.push(Complaint::new(
            "drift",
            State::Skipped,
            "what is pending would be drift: migrate first, or see `migrate plan`",
        ));
        return noted;
    }
    match Catalog::of(&patient.owner).await {
        Ok(found) => {
            let drift = Catalog::expected().drift(&found);
            noted.extend(drift.iter().map(|one| Complaint::new("drift", State::Warn, one.to_string())));
        }
        Err(error) => noted.push(Complaint::skipped("drift", &error)),
    }
    noted
}
