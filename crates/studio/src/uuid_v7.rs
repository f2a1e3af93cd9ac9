//! The order of ids in time.

use uuid::Uuid;

/// Ids of version 7 begin with the time, and reach this value in 2039.
pub(super) const LAST_IN_ORDER: Uuid = Uuid::from_u128(0x0200_0000_0000_0000_0000_0000_0000_0000);
