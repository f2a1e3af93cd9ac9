//! Notifications that follow a commit, in a transaction of their own.
//!
//! A `NOTIFY` within the transaction makes its commit wait for every other that notifies: PostgreSQL holds one lock for
//! the whole server over them. Here the commit is not touched, and a thousand of them within a moment send one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;

use crate::db::Pool;
use crate::error::Result;

/// How long what comes next is gathered, after a notification was sent.
const GATHER: Duration = Duration::from_millis(5);

/// A channel and what is said on it.
pub(super) type Notification = (&'static str, String);

/// Sends what a process has to say, at most once in 5 ms. What it can't send is lost: whoever listens polls as well.
pub(super) struct Notifier {
    pool: Pool,
    waiting: Mutex<PendingNotifications>,
}

#[derive(Default)]
struct PendingNotifications {
    notices: BTreeSet<Notification>,
    is_sending: bool,
}

impl Notifier {
    pub(super) fn new(pool: Pool) -> Arc<Self> {
        Arc::new(Self { pool, waiting: Mutex::default() })
    }

    /// Has the notices sent, without waiting for it.
    pub(super) fn send(self: &Arc<Self>, notices: BTreeSet<Notification>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.notices.extend(notices);
        if !std::mem::replace(&mut waiting.is_sending, true) {
            let notifier = Arc::clone(self);
            runtime.spawn(async move { notifier.run().await });
        }
    }

    async fn run(&self) {
        while let Some(notices) = self.take() {
            if let Err(error) = self.notify(notices).await {
                tracing::debug!(%error, "a notification was not sent");
            }
            tokio::time::sleep(GATHER).await;
        }
    }

    fn take(&self) -> Option<BTreeSet<Notification>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let notices = std::mem::take(&mut waiting.notices);
        waiting.is_sending = !notices.is_empty();
        waiting.is_sending.then_some(notices)
    }

    async fn notify(&self, notices: BTreeSet<Notification>) -> Result<()> {
        let mut conn = self.pool.get().await?;
        for (channel, message) in notices {
            diesel::sql_query("SELECT pg_notify($1, $2)")
                .bind::<Text, _>(channel)
                .bind::<Text, _>(message)
                .execute(&mut conn)
                .await?;
        }
        Ok(())
    }
}
