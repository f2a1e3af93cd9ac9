//! Grant of a scope: the accepted credential, and the time of its last check.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::credential::Credential;

/// Time for which an answer of the database counts as valid. A revocation takes effect everywhere within this time.
const GRANT_TTL: Duration = Duration::from_secs(1);

/// Credential that the database has accepted, and the time of the last check.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) proof: Arc<dyn Credential>,
    asked_at: Arc<Mutex<Instant>>,
}

impl Grant {
    /// Returns a grant for a credential that the database accepted when it was asked at `asked_at`.
    pub(super) fn new(proof: Arc<dyn Credential>, asked_at: Instant) -> Self {
        Self { proof, asked_at: Arc::new(Mutex::new(asked_at)) }
    }

    /// Returns the same grant with its own time of check, because a check for one level says nothing about another.
    pub(super) fn of_another_level(&self) -> Self {
        let asked_at = *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        Self::new(Arc::clone(&self.proof), asked_at)
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.asked_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < GRANT_TTL
    }

    pub(super) fn renew(&self, asked_at: Instant) {
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = asked_at;
    }
}
