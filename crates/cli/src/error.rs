//! The errors that have an exit code of their own, and the text and exit code of every error.

use std::process::ExitCode;

use workspace_db::Error;
use workspace_db::doctor::CheckStatus;

/// Section of the help that lists the exit codes.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed for a reason that is not listed below
  2  invalid arguments or other invalid input
  3  a named object does not exist
  4  the database can't be reached
  5  a required program must be installed or started first
  6  an endpoint for embeddings or reranking failed
  7  a conflict, such as a port, a lock or another version
  8  a measured value is below its threshold
  9  a token or password is invalid or does not permit this
  10 the doctor found a warning
  11 the doctor found a problem that must be fixed";

/// Error of arguments that contradict each other. The exit code is that of wrong arguments.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ConflictingArguments(pub(super) String);

/// Error of a named object that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotFound(pub(super) String);

/// Error of a measurement below its gate.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct BelowGate(pub(super) String);

/// The worst status that the checks found. It determines the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{}", if *.0 == CheckStatus::Fail { "the database is not fit for use" } else { "the database needs attention" })]
pub(super) struct UnhealthyDatabase(pub(super) CheckStatus);

/// Formats the message and its causes, without a cause that the text already quotes.
pub(super) fn describe(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        said if said.contains(&cause) => text,
        _ => format!("{text}: {cause}"),
    })
}

/// Returns the exit code of an error.
pub(super) fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<ConflictingArguments>() {
        return ExitCode::from(2);
    }
    if error.is::<NotFound>() {
        return ExitCode::from(3);
    }
    if error.is::<BelowGate>() {
        return ExitCode::from(8);
    }
    if let Some(UnhealthyDatabase(status)) = error.downcast_ref() {
        return ExitCode::from(if *status == CheckStatus::Fail { 11 } else { 10 });
    }
    let Some(error) = error.chain().find_map(|cause| cause.downcast_ref::<Error>()) else { return ExitCode::FAILURE };
    let code = match error {
        _ if error.is_invalid_input() => 2,
        _ if error.is_not_found() => 3,
        _ if error.is_unreachable() || error.is_exhausted() => 4,
        _ if error.is_missing_prerequisite() => 5,
        _ if error.is_embeddings_failure() || error.is_reranking_failure() => 6,
        _ if error.is_conflict() => 7,
        _ if error.is_unauthenticated() || error.is_forbidden() || error.is_throttled() => 9,
        _ => 1,
    };
    ExitCode::from(code)
}

/// Returns true if the reader closed the output, as `head` does.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(std::io::ErrorKind::BrokenPipe)
    })
}
