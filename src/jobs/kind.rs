//! What a job is asked to do, as a type.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Kind, Result};

/// Bytes that the arguments of a job may have as JSON: 256 KiB. What is larger belongs into a row that the job names.
pub const MAX_ARGUMENT_BYTES: usize = 256 * 1024;

/// A kind of job: its name, how it is run, and its arguments, which are the type itself.
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
    /// What the rows call it. Jobs that wait are known by it, so it outlives the type's own name.
    const NAME: &'static str;
    /// The queue that it waits in.
    const QUEUE: &'static str = "default";
    /// Order within a workspace among those that are due, the smallest first.
    const PRIORITY: i32 = 5;
    /// How often it may be started, 1 to 1,000.
    const MAX_ATTEMPTS: u32 = 3;
    /// How many run at once in one workspace, over all workers.
    const MAX_RUNNING_PER_WORKSPACE: Option<u32> = None;
    /// How long a handler may take; one that takes longer is dropped, and the job tried again.
    const TIMEOUT: Duration = Duration::from_secs(5 * 60);
    /// How long it waits after a failure.
    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(2), cap: Duration::from_secs(60 * 60) };
}

/// How long a job waits after a failure: a random time up to a limit that doubles with each attempt, up to a cap.
///
/// "Full jitter" of the Amazon Builders' Library, "Timeouts, retries, and backoff with jitter": it spreads the retries of
/// many that failed together as far as they can be spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The limit after the first attempt.
    pub base: Duration,
    /// The limit that is never passed.
    pub cap: Duration,
}

impl Backoff {
    /// The limit after an attempt, which are counted from 1.
    ///
    /// ```
    /// use std::time::Duration;
    /// use workspace_db::jobs::Backoff;
    ///
    /// let backoff = Backoff { base: Duration::from_secs(2), cap: Duration::from_secs(60) };
    /// let limits: Vec<u64> = (1..=7).map(|attempt| backoff.limit(attempt).as_secs()).collect();
    /// assert_eq!(limits, [2, 4, 8, 16, 32, 60, 60]);
    /// ```
    #[must_use]
    pub fn limit(self, attempt: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempt.saturating_sub(1)).and_then(|times| self.base.checked_mul(times));
        doubled.unwrap_or(self.cap).min(self.cap)
    }

    /// A random time up to the [`limit`](Self::limit), all of them equally likely.
    pub(crate) fn delay(self, attempt: u32) -> Duration {
        // Without randomness the retries are on time, if not spread.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        self.limit(attempt).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

/// The arguments as the row keeps them.
pub(super) fn to_payload<K: JobKind>(arguments: &K) -> Result<Value> {
    let wrong =
        |what: String| Error::invalid(format!("the arguments of a job of kind {} {what}", K::NAME)).about("payload");
    let text = serde_json::to_string(arguments)
        .map_err(|error| wrong("can't be written as JSON".to_owned()).caused_by(error))?;
    if text.len() > MAX_ARGUMENT_BYTES {
        return Err(wrong(format!("have {} bytes, and may have {MAX_ARGUMENT_BYTES}", text.len()))
            .remedy("store them in a row of the workspace, and give the job its id"));
    }
    let value: Value =
        serde_json::from_str(&text).map_err(|error| wrong("can't be read as JSON".to_owned()).caused_by(error))?;
    if crate::sql_types::has_nul(&value) {
        return Err(wrong("have the character NUL in them, which PostgreSQL can't store".to_owned()));
    }
    Ok(value)
}

/// The arguments that a row keeps, if they are this kind's.
pub(super) fn from_payload<K: JobKind>(payload: &Value) -> Result<K> {
    K::deserialize(payload).map_err(|error| {
        Error::new(Kind::InvalidInput, format!("the arguments are not those of kind {}: {error}", K::NAME))
            .caused_by(error)
    })
}
