//! Stream of a connection: verified TLS, or a plain one that does not send a readable password.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::{self, BoxFuture, FutureExt as _, TryFutureExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

type VerifiedConnect = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;
type VerifiedStream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// Factory of the stream on a socket.
///
/// The driver passes a bare socket if TLS begins without a request. A plain stream is created in the same way, so that
/// it can read the first message of the server.
#[derive(Clone)]
pub(crate) enum MakeStream {
    Verified(MakeRustlsConnect),
    Plain,
}

pub(crate) enum TlsConnector {
    Verified(VerifiedConnect),
    Plain,
}

pub(crate) enum Stream {
    Verified(Box<VerifiedStream>),
    Plain(Socket, FirstMessage),
}

impl MakeTlsConnect<Socket> for MakeStream {
    type Stream = Stream;
    type TlsConnect = TlsConnector;
    type Error = Infallible;

    fn make_tls_connect(&mut self, host: &str) -> Result<TlsConnector, Infallible> {
        Ok(match self {
            Self::Verified(tls) => TlsConnector::Verified(MakeTlsConnect::<Socket>::make_tls_connect(tls, host)?),
            Self::Plain => TlsConnector::Plain,
        })
    }
}

impl TlsConnect<Socket> for TlsConnector {
    type Stream = Stream;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Stream>>;

    fn connect(self, socket: Socket) -> Self::Future {
        match self {
            Self::Verified(tls) => tls.connect(socket).map_ok(|stream| Stream::Verified(Box::new(stream))).boxed(),
            Self::Plain => future::ready(Ok(Stream::Plain(socket, FirstMessage::default()))).boxed(),
        }
    }
}

/// Beginning of the server's first message, which names the authentication method.
#[derive(Default)]
pub(crate) struct FirstMessage(Vec<u8>);

impl FirstMessage {
    /// Length of the message's kind, its length field and the number of the method.
    /// Source: PostgreSQL's documentation, "Message Formats", AuthenticationCleartextPassword and AuthenticationMD5Password.
    const LEN: usize = 9;
    const CLEARTEXT: u8 = 3;
    const MD5: u8 = 5;

    /// Rejects a server that requests the password or its md5 hash, which is as good as the password: the server is not
    /// verified. Its first message is always this request, and no password is sent before it.
    fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
        let missing = Self::LEN - self.0.len();
        if missing == 0 {
            return Ok(());
        }
        self.0.extend(bytes.iter().take(missing));
        let method = match self.0.as_slice() {
            [b'R', _, _, _, _, 0, 0, 0, Self::CLEARTEXT] => "in cleartext",
            [b'R', _, _, _, _, 0, 0, 0, Self::MD5] => "as an MD5 hash",
            _ => return Ok(()),
        };
        Err(io::Error::other(format!(
            "the server requests the password {method}, which is sent only over verified TLS; set the server to \
             scram-sha-256, or use TLS"
        )))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Verified(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Plain(socket, first) => {
                let before = buffer.filled().len();
                let polled = Pin::new(socket).poll_read(context, buffer);
                let bytes = buffer.filled().get(before..).unwrap_or_default();
                match polled {
                    Poll::Ready(Ok(())) => Poll::Ready(first.read(bytes)),
                    other => other,
                }
            }
        }
    }
}

impl Stream {
    fn writer(&mut self) -> Pin<&mut (dyn AsyncWrite + Unpin)> {
        Pin::new(match self {
            Self::Verified(stream) => stream,
            Self::Plain(socket, _) => socket,
        })
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().writer().poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().writer().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().writer().poll_shutdown(context)
    }
}

impl TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        match self {
            Self::Verified(stream) => stream.channel_binding(),
            Self::Plain(..) => ChannelBinding::none(),
        }
    }
}
