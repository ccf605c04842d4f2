//! Limits the open connections. If there are too many, the least useful one is closed: idle ones of
//! strangers first, busy ones of known callers never. A few more connections are reserved for
//! health checks, which are answered under any load. Start at `ConnectionLimiter::admit`.

use super::concurrency::SOON;
use super::problem::{self, HttpProblem};
use super::rate::ClientKey;
use super::route_spec::is_vital;
use super::tally::LogTallies;
use crate::config::{IpNetwork, ServeLimits};
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many more connections are allowed for health checks alone.
const RESERVE: usize = 32;
/// How many open files are left for everything except connections.
const OTHER_FILES: usize = 128;

/// The open connections of a server.
#[derive(Debug)]
pub(super) struct ConnectionLimiter {
    max_connections: usize,
    /// How many connections one address may have.
    each: usize,
    /// The networks of trusted proxies, whose addresses stand for many clients.
    proxies: Vec<IpNetwork>,
    pub tallies: LogTallies,
    open: Mutex<HashMap<SocketAddr, Arc<OpenConnection>>>,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct OpenConnection {
    address: ClientKey,
    /// Whether it is reserved for health checks.
    reserved: bool,
    /// Whether a caller with a token or session used it.
    known: AtomicBool,
    working: AtomicUsize,
    last_active: Mutex<Instant>,
    stop: CancellationToken,
}

/// A place among the open connections; free again when dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    connections: Arc<ConnectionLimiter>,
    peer: SocketAddr,
    connection: Arc<OpenConnection>,
}

impl OpenConnection {
    fn new(peer: SocketAddr, reserved: bool) -> Self {
        Self {
            address: ClientKey::address(peer.ip()),
            reserved,
            known: AtomicBool::new(false),
            working: AtomicUsize::new(0),
            last_active: Mutex::new(Instant::now()),
            stop: CancellationToken::new(),
        }
    }

    /// Marks the connection as used by a known caller.
    pub fn mark_known(&self) {
        self.known.store(true, Ordering::Relaxed);
    }

    /// The order in which connections are closed; `None` for never.
    fn rank(&self) -> Option<u8> {
        let working = self.working.load(Ordering::Relaxed) > 0;
        match (working, self.known.load(Ordering::Relaxed)) {
            _ if self.stop.is_cancelled() => None,
            (false, false) => Some(0),
            (true, false) => Some(1),
            (false, true) => Some(2),
            (true, true) => None,
        }
    }

    fn lock_last_active(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.last_active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionLimiter {
    /// At most the configured number, and no more than the process may have open files.
    pub fn new(limits: ServeLimits, proxies: &[IpNetwork]) -> Arc<Self> {
        let most = limits.connections;
        let files = open_files().unwrap_or(usize::MAX);
        let room = files.saturating_sub(OTHER_FILES).max(1);
        // Without a free file, `accept` fails for health checks as well.
        if room < most {
            tracing::warn!(
                "serve.limits.connections is {most}, but this process may open only {files} \
                 files, so it serves {room} connections; raise the limit (`ulimit -n`, \
                 `LimitNOFILE=`)"
            );
        }
        Arc::new(Self {
            max_connections: most.min(room),
            each: limits.connections_per_address,
            proxies: proxies.to_vec(),
            tallies: LogTallies::default(),
            open: Mutex::default(),
        })
    }

    /// Admits a connection, if necessary in place of another one.
    pub fn admit(self: &Arc<Self>, peer: SocketAddr) -> Option<ConnectionPermit> {
        let mut open = self.lock();
        let address = ClientKey::address(peer.ip());
        let many = self
            .proxies
            .iter()
            .any(|proxies| proxies.contains(peer.ip()));
        let count = |of: &dyn Fn(&OpenConnection) -> bool| {
            // A connection that was told to close still holds its socket for a moment, but no
            // longer counts.
            let staying = open.values().filter(|it| !it.stop.is_cancelled());
            staying.filter(|it| of(it)).count()
        };
        let (staying, own) = (count(&|_| true), count(&|it| it.address == address));
        // A client at its own limit can only displace its own connections.
        let alone = !many && own >= self.each;
        let full = alone || staying >= self.max_connections;
        let may_go = |it: &OpenConnection| !alone || it.address == address;
        let evicted = full.then(|| evict(&open, may_go)).flatten();
        let over = staying >= self.max_connections + RESERVE || alone && own >= self.each + RESERVE;
        // The second limit bounds the sockets that are closing: a flood opens them faster than they
        // go.
        if (full && evicted.is_none() && over) || open.len() >= 2 * self.max_connections + RESERVE {
            return None;
        }
        // A connection that replaces a reserved one is reserved too.
        let reserved = full && evicted.is_none_or(|gone| gone.reserved);
        let connection = Arc::new(OpenConnection::new(peer, reserved));
        open.insert(peer, Arc::clone(&connection));
        Some(ConnectionPermit {
            connections: Arc::clone(self),
            peer,
            connection,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Arc<OpenConnection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the least useful connection among those that may go, of the address that has the most.
fn evict(
    open: &HashMap<SocketAddr, Arc<OpenConnection>>,
    may_go: impl Fn(&OpenConnection) -> bool,
) -> Option<&OpenConnection> {
    let mut counts: HashMap<&ClientKey, usize> = HashMap::new();
    for connection in open.values() {
        *counts.entry(&connection.address).or_default() += 1;
    }
    let ranked = open.values().filter(|it| may_go(it));
    let ranked = ranked.filter_map(|it| Some((it.rank()?, it)));
    let first = ranked.min_by_key(|(rank, it)| {
        let count = counts.get(&it.address).copied();
        (*rank, Reverse(count), *it.lock_last_active())
    });
    let (_, gone) = first?;
    gone.stop.cancel();
    Some(gone)
}

impl ConnectionPermit {
    /// Whether the connection has to close.
    pub fn is_stopped(&self) -> bool {
        self.connection.stop.is_cancelled()
    }

    /// Cancelled when the connection has to close.
    pub fn stop(&self) -> CancellationToken {
        self.connection.stop.clone()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        // The client may already have a new connection from the same port.
        let own = open.get(&self.peer);
        if own.is_some_and(|own| Arc::ptr_eq(own, &self.connection)) {
            open.remove(&self.peer);
        }
    }
}

/// A request being handled on a connection.
struct InFlightRequest(Arc<OpenConnection>);

impl InFlightRequest {
    fn on(connection: Arc<OpenConnection>) -> Self {
        connection.working.fetch_add(1, Ordering::Relaxed);
        *connection.lock_last_active() = Instant::now();
        Self(connection)
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::Relaxed);
        *self.0.lock_last_active() = Instant::now();
    }
}

/// Tracks on the connection that a request is being handled.
pub(super) async fn track_request(
    State(connections): State<Arc<ConnectionLimiter>>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let connection = peer.and_then(|peer| connections.lock().get(&peer.0).cloned());
    let Some(connection) = connection else {
        return next.run(request).await;
    };
    if connection.reserved && !is_vital(request.uri().path()) {
        let detail = "the limit of `serve.limits` on connections is reached";
        let busy = HttpProblem::new(problem::UNAVAILABLE, detail).retry_after(SOON);
        return busy.into_response();
    }
    let _working = InFlightRequest::on(Arc::clone(&connection));
    request.extensions_mut().insert(connection);
    next.run(request).await
}

/// How many files the process may have open.
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(connections: usize, connections_per_address: usize) -> Arc<ConnectionLimiter> {
        let limits = ServeLimits {
            connections,
            connections_per_address,
            ..ServeLimits::default()
        };
        let proxies = IpNetwork::parse("10.0.0.9").expect("a network");
        ConnectionLimiter::new(limits, &[proxies])
    }

    #[test]
    fn one_address_makes_room_for_itself_and_a_proxy_stands_for_many() {
        let connections = limited(100, 2);
        let enter = |last, port| connections.admit(peer(last, port)).expect("a place");
        let stopped = |seat: &ConnectionPermit| seat.stop().is_cancelled();
        let other = enter(2, 1);
        let own = [enter(1, 1), enter(1, 2), enter(1, 3)];
        assert!(stopped(&own[0]) && ![&own[1], &own[2], &other].into_iter().any(stopped));
        let proxied: Vec<_> = (0..10).map(|port| enter(9, port)).collect();
        assert!(!proxied.iter().any(stopped));
        // Busy connections of known callers stay, so new ones are reserved for health checks, up
        // to a limit.
        let works = |seat: &ConnectionPermit| {
            seat.connection.mark_known();
            InFlightRequest::on(Arc::clone(&seat.connection))
        };
        let _works = [works(&own[1]), works(&own[2])];
        let more: Vec<_> = (4..100).map(|port| enter(1, port)).collect();
        assert!(more.iter().all(|seat| seat.connection.reserved));
        assert_eq!(more.iter().filter(|seat| !stopped(seat)).count(), 1);
        assert!(!enter(3, 1).connection.reserved);
    }

    fn peer(last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], port))
    }

    #[test]
    fn half_open_connections_of_the_address_with_the_most_make_room_first() {
        let connections = limited(3, 3);
        let enter = |last, port| connections.admit(peer(last, port)).expect("a place");
        let stopped = |seat: &ConnectionPermit| seat.stop().is_cancelled();
        let quiet = enter(1, 1);
        let many = [enter(2, 1), enter(2, 2)];
        many[1].connection.mark_known();
        let next = enter(3, 1);
        assert!(stopped(&many[0]) && ![&quiet, &many[1], &next].into_iter().any(stopped));
        // The oldest of those that are alike.
        let last = enter(4, 1);
        assert!(stopped(&quiet) && !stopped(&next) && !stopped(&last));
    }

    #[test]
    fn work_of_known_callers_stays_and_a_few_places_are_for_health() {
        let connections = limited(1, 1);
        let busy = connections.admit(peer(1, 1)).expect("a place");
        busy.connection.mark_known();
        let working = InFlightRequest::on(Arc::clone(&busy.connection));
        let health = connections.admit(peer(2, 1)).expect("a place");
        assert!(health.connection.reserved && !busy.stop().is_cancelled());
        drop(health);
        drop(working);
        let next = connections.admit(peer(3, 1)).expect("a place");
        assert!(busy.stop().is_cancelled() && !next.connection.reserved);
    }
}
