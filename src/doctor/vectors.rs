//! The vector indexes, and what searches find.

use super::{Complaint, Patient, State};
use crate::error::Error;
use crate::indexes::{self, VerifyOptions, verify};

pub(super) async fn complaints(patient: &Patient<'_>) -> Vec<Complaint> {
    let mut noted = match indexes::status(&patient.doctor.owner, patient.doctor.config.own_index_from).await {
        Ok(status) => {
            status.due.iter().map(|step| Complaint::new("vector_indexes", State::Warn, step.to_string())).collect()
        }
        Err(error) => vec![Complaint::skipped("vector_indexes", &error)],
    };
    noted.extend(recall(patient).await);
    noted
}

async fn recall(patient: &Patient<'_>) -> Vec<Complaint> {
    let limits = &patient.doctor.limits;
    let skipped = |what: &str| vec![Complaint::new("recall", State::Skipped, what)];
    let Some(database) = &patient.database else {
        return skipped("the database can't be opened as an application does");
    };
    if limits.questions == 0 {
        return skipped("it was not asked for");
    }
    let options = VerifyOptions { questions: limits.questions, workspaces: 5, ..VerifyOptions::default() };
    match verify(database, &options, &|_| ()).await {
        Ok(all) => all
            .iter()
            .filter(|one| one.mean < limits.recall)
            .map(|one| {
                let what =
                    format!("{} of the nearest passages of {} were found, at worst {}", one.mean, one.slug, one.worst);
                Complaint::new("recall", State::Warn, what)
            })
            .collect(),
        // Where there is nothing to find, nothing is missed.
        Err(error) if Error::is_not_found(&error) => Vec::new(),
        Err(error) => vec![Complaint::skipped("recall", &error)],
    }
}
