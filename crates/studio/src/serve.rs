//! Connections of the studio. It closes slow ones and those beyond a limit.

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

/// Maximum time for the head of a request, and for an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of connections; a browser opens six. Beyond it the oldest is closed, so that new connections get an
/// answer.
const MAX_CONNECTIONS: usize = 128;
/// Maximum time for running requests after the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after a failed accept, for example if the system has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers until `end` completes. axum's own server supports neither a timeout for heads nor a limit of connections.
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
