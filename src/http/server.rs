//! The listener: TLS, HTTP/1.1 and HTTP/2, timeouts against slow clients, and a graceful shutdown.
//! Start at `HttpServer::bind` and `run`.

use super::connections::{self, ConnectionLimiter};
use super::stream::TimeoutStream;
use super::tls::ServerCertificate;
use crate::config::{IpNetwork, ServeConfig, ServeLimits};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum_server::accept::{Accept, DefaultAcceptor};
use axum_server::tls_rustls::RustlsAcceptor;
use axum_server::{Handle, Server as Listening};
use futures_util::future::BoxFuture;
use hyper_util::rt::TokioTimer;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const MOST_HEADER_BYTES: u32 = 32 << 10;
const MOST_STREAMS: u32 = 64;
const BUFFER: usize = 64 << 10;

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Listening there is not allowed by the configuration.
    #[error("{0}")]
    NotPermitted(String),
    /// The certificate is not usable.
    #[error("{0}")]
    Certificate(String),
    /// The address is in use or not on this machine.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    /// The server failed while running.
    #[error("the server stopped: {0}")]
    Broken(#[source] io::Error),
}

/// A server with its address that does not answer yet.
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
    certificate: Option<ServerCertificate>,
    limits: ServeLimits,
    proxies: Vec<IpNetwork>,
    header_timeout: Duration,
    grace: Duration,
}

impl HttpServer {
    /// Binds the address.
    pub fn bind(serve: &ServeConfig) -> Result<Self, ServerError> {
        // Before the port is opened: a server without tokens must not be reachable from other
        // machines for a moment.
        serve.check_exposure().map_err(ServerError::NotPermitted)?;
        let certificate = serve.tls.as_ref().map(ServerCertificate::read).transpose();
        let certificate = certificate.map_err(ServerError::Certificate)?;
        let listen = || {
            let listener = TcpListener::bind(serve.listen)?;
            // Tokio requires it of a listener that the standard library has opened.
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = listen().map_err(|source| ServerError::Listen {
            address: serve.listen,
            source,
        })?;
        Ok(Self {
            listener,
            address,
            certificate,
            limits: serve.limits,
            proxies: serve.proxies.clone(),
            header_timeout: HEADER_TIMEOUT.min(serve.limits.timeout),
            grace: serve.limits.timeout,
        })
    }

    /// The address, with the port chosen by the system.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then finishes the requests in progress.
    pub async fn run(self, app: Router, stop: CancellationToken) -> Result<(), ServerError> {
        let handle = Handle::new();
        let ending = tokio::spawn({
            let handle = handle.clone();
            async move {
                stop.cancelled().await;
                // With an end, because a connection that never closes must not keep the process
                // alive.
                handle.graceful_shutdown(Some(self.grace));
            }
        });
        let connections = ConnectionLimiter::new(self.limits, &self.proxies);
        let layer = AcceptorLayer {
            certificate: self.certificate.clone(),
            connections: Arc::clone(&connections),
            first_bytes_timeout: self.header_timeout,
        };
        let listening = axum_server::from_tcp(self.listener).map_err(ServerError::Broken)?;
        let mut listening = listening.handle(handle);
        tune(&mut listening, self.header_timeout);
        let app = app.layer(from_fn_with_state(connections, connections::track_request));
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let result = if let Some(certificate) = self.certificate {
            let tls =
                RustlsAcceptor::new(certificate.config).handshake_timeout(self.header_timeout);
            listening.acceptor(layer.wrap(tls)).serve(app).await
        } else {
            let plain = DefaultAcceptor::new();
            listening.acceptor(layer.wrap(plain)).serve(app).await
        };
        // If the server failed by itself, the task would wait for a stop that never comes.
        ending.abort();
        result.map_err(ServerError::Broken)
    }
}

fn tune(listening: &mut Listening<SocketAddr>, headers_in: Duration) {
    let builder = listening.http_builder();
    // A client that sends its headers byte by byte would otherwise keep the connection open.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(headers_in)
        .max_buf_size(BUFFER);
    // HTTP/2 has no header timeout; unanswered pings end dead connections, and the limits bound
    // what one of them can hold.
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .max_header_list_size(MOST_HEADER_BYTES)
        .max_concurrent_streams(MOST_STREAMS);
}

/// Admits connections, if necessary in place of others.
#[derive(Clone)]
struct AcceptorLayer {
    certificate: Option<ServerCertificate>,
    connections: Arc<ConnectionLimiter>,
    first_bytes_timeout: Duration,
}

impl AcceptorLayer {
    fn wrap<A>(self, inner: A) -> LimitedAcceptor<A> {
        LimitedAcceptor { layer: self, inner }
    }
}

/// An acceptor behind the connection limit.
#[derive(Clone)]
struct LimitedAcceptor<A> {
    layer: AcceptorLayer,
    inner: A,
}

impl<A, S> Accept<TcpStream, S> for LimitedAcceptor<A>
where
    A: Accept<TcpStream, S>,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A::Service: Send + 'static,
    A::Future: Send + 'static,
    S: Send + 'static,
{
    type Stream = TimeoutStream<A::Stream>;
    type Service = A::Service;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let peer = stream.peer_addr().ok();
        let connections = &self.layer.connections;
        let Some(seat) = peer.and_then(|peer| connections.admit(peer)) else {
            let what = "closed a connection: the limit of `serve.limits` is reached";
            let address = peer.map(|peer| peer.ip());
            if connections.tallies.is_first(what, address) {
                tracing::warn!("{what}");
            }
            return Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) });
        };
        if let Some(certificate) = &self.layer.certificate {
            certificate.refresh();
        }
        let timeout = self.layer.first_bytes_timeout;
        // Small responses are sent at once.
        let _ = stream.set_nodelay(true);
        let accepted = self.inner.accept(stream, service);
        Box::pin(async move {
            let stop = seat.stop();
            // The TLS handshake of a client that stopped talking must give way too.
            let (stream, service) = tokio::select! {
                accepted = accepted => accepted?,
                () = stop.cancelled() => return Err(io::ErrorKind::ConnectionAborted.into()),
            };
            Ok((
                TimeoutStream::new(stream, timeout, STALL_TIMEOUT, seat),
                service,
            ))
        })
    }
}
