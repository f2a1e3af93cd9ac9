//! State that the parts of a worker share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::active_jobs::ActiveJobs;
use crate::jobs::handler::Handler;
use crate::tenancy::Database;

/// Time that dropped handlers have to end.
pub(super) const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// State that the parts of a worker share.
pub(super) struct WorkerContext {
    pub(super) db: Database,
    pub(super) name: String,
    pub(super) handlers: HashMap<&'static str, Arc<dyn Handler>>,
    pub(super) active_jobs: ActiveJobs,
    pub(super) lease: Duration,
    pub(super) poll: Duration,
    pub(super) shutdown_grace: Duration,
}
