//! Notifications that follow a commit, in their own transaction.
//!
//! A `NOTIFY` within a transaction makes its commit wait for every other one that notifies, because PostgreSQL holds
//! one lock for the whole server. Here the commit does not wait, and a thousand equal notifications within 5 ms are
//! sent as one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;

use crate::db::Pool;
use crate::error::Result;

/// Time for which notifications are collected after one was sent.
const GATHER: Duration = Duration::from_millis(5);

/// A channel and the message on it.
pub(super) type Notification = (&'static str, String);

/// Sender of a process's notifications, at most once in 5 ms. If it can't send one, that one is lost: listeners poll
/// as well.
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

    /// Sends the notifications in the background.
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
                tracing::debug!(%error, "can't send a notification");
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
