//! Kinds of jobs, each a type.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};

/// Maximum size of a job's arguments as JSON: 256 KiB. Store larger data in a row, and pass its id.
pub const MAX_ARGUMENT_BYTES: usize = 256 * 1024;

/// Kind of job: its name, its settings and its arguments, which are the type itself.
///
/// ```
/// use std::time::Duration;
///
/// use serde::{Deserialize, Serialize};
/// use workspace_db::jobs::JobKind;
///
/// #[derive(Serialize, Deserialize)]
/// struct SyncDatasource {
///     datasource: workspace_db::id::DatasourceId,
/// }
///
/// impl JobKind for SyncDatasource {
///     const NAME: &'static str = "sync_datasource";
///     const QUEUE: &'static str = "sync";
///     // A provider that throttles: never more than two at once for one customer, on all workers together.
///     const MAX_RUNNING_PER_WORKSPACE: Option<u32> = Some(2);
///     const TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// }
/// ```
pub trait JobKind: Serialize + DeserializeOwned + Send + 'static {
    /// Name in the rows. Waiting jobs are stored under this name, so keep it if you rename the type.
    const NAME: &'static str;
    /// Queue of the jobs.
    const QUEUE: &'static str = "default";
    /// Order among due jobs of a workspace, the smallest first.
    const PRIORITY: i32 = 5;
    /// Maximum number of attempts, 1 to 1,000.
    const MAX_ATTEMPTS: u32 = 3;
    /// Maximum number of jobs that run at once in one workspace, over all workers.
    const MAX_RUNNING_PER_WORKSPACE: Option<u32> = None;
    /// Timeout of the handler. A handler that takes longer is dropped, and the job is retried.
    const TIMEOUT: Duration = Duration::from_secs(5 * 60);
    /// Delay after a failure.
    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(2), cap: Duration::from_secs(60 * 60) };
}

/// Delay before a retry: a random time up to a maximum, which doubles with each attempt until it reaches a cap.
///
/// This is the "full jitter" of the Amazon Builders' Library, "Timeouts, retries, and backoff with jitter". It spreads
/// the retries of jobs that failed together as widely as possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Maximum delay after the first attempt.
    pub base: Duration,
    /// Cap of the maximum delay.
    pub cap: Duration,
}

impl Backoff {
    /// Returns the maximum delay after an attempt; the first attempt is 1.
    ///
    /// ```
    /// use std::time::Duration;
    /// use workspace_db::jobs::Backoff;
    ///
    /// let backoff = Backoff { base: Duration::from_secs(2), cap: Duration::from_secs(60) };
    /// let delays: Vec<u64> = (1..=7).map(|attempt| backoff.max_delay(attempt).as_secs()).collect();
    /// assert_eq!(delays, [2, 4, 8, 16, 32, 60, 60]);
    /// ```
    #[must_use]
    pub fn max_delay(self, attempt: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempt.saturating_sub(1)).and_then(|times| self.base.checked_mul(times));
        doubled.unwrap_or(self.cap).min(self.cap)
    }

    /// Returns a random time up to the [`max_delay`](Self::max_delay), with a uniform distribution.
    pub(crate) fn delay(self, attempt: u32) -> Duration {
        // Without randomness, the retry uses the maximum delay.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        self.max_delay(attempt).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

/// Serializes the arguments for the row.
pub(super) fn to_payload<K: JobKind>(arguments: &K) -> Result<Value> {
    let wrong =
        |what: String| Error::invalid(format!("the arguments of a job of kind {} {what}", K::NAME)).about("payload");
    let text = serde_json::to_string(arguments)
        .map_err(|error| wrong("can't be written as JSON".to_owned()).caused_by(error))?;
    if text.len() > MAX_ARGUMENT_BYTES {
        return Err(wrong(format!("have {} bytes; the maximum is {MAX_ARGUMENT_BYTES}", text.len()))
            .remedy("store them in a row of the workspace, and pass its id to the job"));
    }
    let value: Value =
        serde_json::from_str(&text).map_err(|error| wrong("can't be read as JSON".to_owned()).caused_by(error))?;
    if crate::sql_types::has_nul(&value) {
        return Err(wrong("contain the character NUL, which PostgreSQL can't store".to_owned()));
    }
    Ok(value)
}

/// Reads the arguments of a row, if they match this kind.
pub(super) fn from_payload<K: JobKind>(payload: &Value) -> Result<K> {
    K::deserialize(payload).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, format!("the arguments do not match job kind {}: {error}", K::NAME))
            .caused_by(error)
    })
}
