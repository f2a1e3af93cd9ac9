//! The context in which a command runs.

use std::path::PathBuf;

use workspace_db::config::Config;

/// Actor in the audit log.
pub(super) const OPERATOR: &str = "the operator at the shell";

/// State that a command gets in addition to its own arguments.
pub(super) struct Context {
    pub(super) config: Config,
    pub(super) data_dir: PathBuf,
    /// True if the command line names the folder. Then `DATABASE_URL` must not override it.
    pub(super) data_dir_is_asked_for: bool,
    pub(super) json: bool,
}
