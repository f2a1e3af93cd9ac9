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
    checked_at: Arc<Mutex<Instant>>,
}

impl Grant {
    /// Returns a grant for a credential that the database accepted at `checked_at`.
    pub(super) fn new(proof: Arc<dyn Credential>, checked_at: Instant) -> Self {
        Self { proof, checked_at: Arc::new(Mutex::new(checked_at)) }
    }

    /// Returns the same grant with its own time of check, because a check for one level says nothing about another.
    pub(super) fn of_another_level(&self) -> Self {
        let checked_at = *self.checked_at.lock().unwrap_or_else(PoisonError::into_inner);
        Self::new(Arc::clone(&self.proof), checked_at)
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.checked_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < GRANT_TTL
    }

    pub(super) fn renew(&self, checked_at: Instant) {
        *self.checked_at.lock().unwrap_or_else(PoisonError::into_inner) = checked_at;
    }
}
