//! Notifications of a channel, on a connection of their own.

use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::BoxStream;
use tokio_postgres::AsyncMessage;

use super::connection::{dial, unreachable};
use crate::config::DatabaseUrl;
use crate::error::Result;

/// Returns the notifications of a channel from now on, until the connection is lost.
///
/// A pooler in transaction mode never delivers one.
pub(super) async fn listen(url: &DatabaseUrl, channel: &str) -> Result<BoxStream<'static, String>> {
    let (client, mut connection) = dial(url).await?;
    let mut messages = futures_util::stream::poll_fn(move |context| connection.poll_message(context));
    let listen = format!("LISTEN {channel}");
    {
        let mut listening = std::pin::pin!(client.batch_execute(&listen));
        loop {
            // The client sends and receives only while the connection is polled.
            match select(&mut listening, messages.next()).await {
                Either::Left((done, _)) => break done?,
                Either::Right((Some(Ok(_)), _)) => {}
                Either::Right((Some(Err(error)), _)) => return Err(error.into()),
                Either::Right((None, _)) => return Err(unreachable(url, "the server closed the connection")),
            }
        }
    }
    let said = async move |(client, mut messages): (_, BoxStream<'static, _>)| loop {
        match messages.next().await {
            Some(Ok(AsyncMessage::Notification(notification))) => {
                return Some((notification.payload().to_owned(), (client, messages)));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    };
    Ok(futures_util::stream::unfold((client, messages.boxed()), said).boxed())
}
