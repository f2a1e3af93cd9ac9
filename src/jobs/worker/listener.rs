//! Part of a worker that listens for notifications of new jobs.

use std::time::Duration;

use futures_util::StreamExt as _;

use super::queue::WakeSignals;
use crate::jobs::enqueue::CHANNEL;
use crate::tenancy::Database;

/// Delay before the next attempt to listen.
const DEAF_FOR: Duration = Duration::from_secs(5);

/// Wakes the claimer of a queue at a notification. Without notifications, as behind a pooler in transaction mode, the
/// claimers poll.
pub(super) async fn listen(db: Database, wakes: WakeSignals) {
    loop {
        match db.listen(CHANNEL).await {
            Ok(mut said) => {
                // Notifications may have been sent before the connection listened.
                wakes.wake_all();
                while let Some(queue) = said.next().await {
                    wakes.wake(&queue);
                }
            }
            Err(error) => tracing::debug!(%error, "failed to listen for notifications"),
        }
        tokio::time::sleep(DEAF_FOR).await;
    }
}
