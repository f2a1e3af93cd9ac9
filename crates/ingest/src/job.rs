//! The job that ingests one file.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use workspace_db::id::DatasourceId;
use workspace_db::jobs::{JobKind, NewJob, OnDuplicate};
use workspace_db::sql_types::JobUniqueness;

/// Job that reads, splits, embeds and stores one file of a datasource.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IngestFile {
    /// Path of the file below the root that the datasource's row names.
    pub name: String,
    /// Datasource of the file.
    pub datasource: DatasourceId,
    /// Maximum size of the file in bytes; a larger file is skipped.
    pub max_bytes: u64,
}

impl JobKind for IngestFile {
    const NAME: &'static str = "ingest_file";
    const QUEUE: &'static str = "ingest";
    const MAX_ATTEMPTS: u32 = 10;
    const TIMEOUT: Duration = Duration::from_secs(10 * 60);
}

impl IngestFile {
    /// Creates the job. At most one job is queued for a file; a running job may have read the file already.
    pub(super) fn job(self) -> NewJob<Self> {
        let name = base16ct::lower::encode_string(&Sha256::digest(&self.name));
        let key = format!("{} {name}", self.datasource);
        NewJob::new(self).unique(key, JobUniqueness::Queued, OnDuplicate::Keep)
    }
}
