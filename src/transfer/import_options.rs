//! The options of an import.

use crate::sql_types::{SecretKey, Slug};

/// Options of an import.
#[derive(Debug, Default)]
pub struct ImportOptions {
    /// Slug of a copy that is imported in addition to the original. The copy gets new ids, and stays inactive until it is
    /// restored. Without a slug, the workspace keeps its ids and state.
    pub beside_as: Option<Slug>,
    /// Key that seals webhook secrets. A copy has another id and seals them again; without the key they are omitted.
    pub key: Option<SecretKey>,
    /// True if the workspace stays inactive, whatever its state was.
    pub stays_archived: bool,
    /// True if the operator created the archive: unfinished jobs run, schedules fire, and rows that no workspace may write
    /// are imported. Otherwise the jobs are cancelled, the schedules stopped and those rows omitted.
    pub with_jobs: bool,
    /// True if the import may use an id that the audit log already knows, such as that of an erased workspace. This matters
    /// only if another database wrote the archive.
    pub restores: bool,
}
