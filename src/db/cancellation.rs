//! Cancellation of abandoned statements.

use super::stream::MakeStream;
use super::tls;
use crate::config::DatabaseUrl;
use crate::error::Result;

/// Guard that cancels the running statement of a client, unless it was disarmed before. If a client is dropped during a
/// statement, its connection stays open until the statement ends.
pub(crate) struct CancelOnDrop(Option<(tokio_postgres::CancelToken, MakeStream)>);

impl CancelOnDrop {
    pub(crate) fn new(url: &DatabaseUrl, client: &tokio_postgres::Client) -> Result<Self> {
        let (_, tls) = tls::settings(url)?;
        Ok(Self(Some((client.cancel_token(), tls))))
    }

    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let (Some((token, tls)), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else { return };
        runtime.spawn(cancel(token, tls));
    }
}

pub(super) async fn cancel(statement: tokio_postgres::CancelToken, tls: MakeStream) {
    if let Err(error) = statement.cancel_query(tls).await {
        tracing::debug!(%error, "can't cancel an abandoned statement");
    }
}
