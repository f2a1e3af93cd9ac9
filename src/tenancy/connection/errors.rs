//! Errors of a connection that was interrupted or lost.

use crate::error::{Error, ErrorKind};

pub(super) fn interrupted_error() -> Error {
    Error::new(ErrorKind::Interrupted, "an earlier statement of this transaction was interrupted")
        .remedy("end the transaction and begin a new one")
}

pub(super) fn connection_lost_error(error: diesel::result::Error) -> Error {
    Error::new(ErrorKind::Unreachable, format!("the connection was lost, and nothing was changed: {error}"))
        .before_commit()
        .caused_by(error)
}

pub(super) fn commit_failed_error(error: diesel::result::Error) -> Error {
    let error = Error::from(error);
    if error.is_unreachable() {
        return Error::new(
            ErrorKind::Unreachable,
            "the connection was lost during COMMIT: check whether the change was saved",
        )
        .caused_by(error);
    }
    error
}

/// Returns the error of a connection that the server closed because its transaction idled for too long.
pub(super) fn stood_idle(error: diesel::result::Error) -> Error {
    Error::timed_out("terminating connection due to idle-in-transaction timeout").caused_by(error)
}

/// Returns true if a fence has refused the commit, because the credential of the scope is no longer valid.
pub(super) fn is_refused_by_fence(error: &Error) -> bool {
    error.is_lease_lost()
}
