//! The end of a thread that reads or writes a file.

use crate::error::{Error, ErrorKind, Result};

/// Returns the result of a thread, or an error if the thread panicked.
pub(super) fn ended<T>(thread: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    thread.map_err(|error| Error::new(ErrorKind::Io, "the archive thread panicked").caused_by(error))?
}
