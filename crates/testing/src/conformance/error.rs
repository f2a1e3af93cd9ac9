//! The errors of the suite's statements.

use workspace_db::{Error, ErrorKind};

/// Returns the conversion of the driver's error for `what`, the statement or step that failed.
pub(super) fn failed(what: &str) -> impl Fn(tokio_postgres::Error) -> Error {
    move |error| {
        let said = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        Error::new(ErrorKind::Database, format!("{what}: {said}")).caused_by(error)
    }
}
