//! Connections of the studio: slow ones, and those beyond a number, are cut.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// How long the head of a request may take to come, and a connection may wait for another request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections at once; a browser opens six. Beyond it the oldest is cut, so that whoever comes is answered.
const MAX_CONNECTIONS: usize = 128;
/// How long requests may go on after the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait where the system gives no connection, for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers until `end` is done. axum's own server takes neither a time-out for heads nor a limit of connections.
pub(super) async fn serve(listener: TcpListener, routes: Router, end: impl Future<Output = ()>) {
    let service = TowerToHyperService::new(routes);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let all = GracefulShutdown::new();
    let mut open = VecDeque::<AbortHandle>::new();
    let mut end = pin!(end);
    loop {
        let accepted = tokio::select! {
            () = &mut end => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() == MAX_CONNECTIONS
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let connection = all.watch(http.serve_connection(TokioIo::new(stream), service.clone()));
        let served = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection of the studio was cut");
            }
        });
        open.push_back(served.abort_handle());
    }
    drop(listener);
    if tokio::time::timeout(SHUTDOWN_TIMEOUT, all.shutdown()).await.is_err() {
        open.iter().for_each(AbortHandle::abort);
    }
}
