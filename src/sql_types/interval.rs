//! Durations as intervals of PostgreSQL.

use std::time::Duration;

use diesel::pg::data_types::PgInterval;

/// Returns the interval of this length, in microseconds.
pub(crate) fn interval(length: Duration) -> PgInterval {
    PgInterval::from_microseconds(i64::try_from(length.as_micros()).unwrap_or(i64::MAX))
}
