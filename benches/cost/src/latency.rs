//! A proxy that takes its time, so that round trips can be counted with a clock.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What each way takes.
pub const EACH_WAY: Duration = Duration::from_millis(5);

/// A port that leads to `server`, each way taking [`EACH_WAY`] longer.
///
/// # Panics
///
/// Where no port is free.
pub async fn before(server: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", server)).await.expect("the server");
            for socket in [&client, &server] {
                socket.set_nodelay(true).expect("a socket");
            }
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::spawn(delay(from_client, to_server));
            tokio::spawn(delay(from_server, to_client));
        }
    });
    port
}

/// Hands on what comes when its time has come; what comes close together stays close together.
async fn delay(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let (on_its_way, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            if on_its_way.send((Instant::now() + EACH_WAY, buffer[..length].to_vec())).is_err() {
                return;
            }
        }
    });
    while let Some((when, bytes)) = arriving.recv().await {
        tokio::time::sleep_until(when).await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
