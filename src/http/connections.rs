//! The connections that are open. When there are too many, the one that does least makes room: half
//! open ones first, those of a known caller last. A few more places are for health alone.

use super::health::is_vital;
use super::problem::{self, Problem};
use super::room::SOON;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many connections more there may be, for health alone.
const RESERVE: usize = 32;
/// How many open files are left for all that is no connection.
const OTHER_FILES: usize = 128;

/// The open connections of a server.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    open: Mutex<HashMap<SocketAddr, Arc<Connection>>>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Connection {
    address: IpAddr,
    /// Whether it is one of the few that are for health alone.
    reserved: bool,
    /// Whether somebody with a token or a session spoke on it.
    known: AtomicBool,
    working: AtomicUsize,
    seen: Mutex<Instant>,
    stop: CancellationToken,
}

/// A place among the open connections. It is free again once this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    connections: Arc<Connections>,
    peer: SocketAddr,
    connection: Arc<Connection>,
}

impl Connection {
    fn new(peer: SocketAddr, reserved: bool) -> Self {
        Self {
            address: peer.ip(),
            reserved,
            known: AtomicBool::new(false),
            working: AtomicUsize::new(0),
            seen: Mutex::new(Instant::now()),
            stop: CancellationToken::new(),
        }
    }

    /// Somebody who is known speaks on it.
    pub fn is_known(&self) {
        self.known.store(true, Ordering::Relaxed);
    }

    /// How soon it makes room; `None` when it does not.
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

    fn seen(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// At most so many, and no more than the process may have files open.
    pub fn new(most: usize) -> Arc<Self> {
        let files = open_files().unwrap_or(usize::MAX);
        let room = files.saturating_sub(OTHER_FILES).max(1);
        if room < most {
            tracing::warn!(
                "serve.limits.connections is {most}, but this process may open only {files} files: \
                 {room} connections are served; raise the limit (`ulimit -n`, `LimitNOFILE=`)"
            );
        }
        Arc::new(Self {
            most: most.min(room),
            open: Mutex::default(),
        })
    }

    /// Takes a place for a connection, if need be that of another one.
    pub fn enter(self: &Arc<Self>, peer: SocketAddr) -> Option<Seat> {
        let mut open = self.lock();
        let staying = open.values().filter(|it| !it.stop.is_cancelled()).count();
        let evicted = staying >= self.most && evict(&open);
        let reserved = staying >= self.most && !evicted;
        if (reserved && staying >= self.most + RESERVE) || open.len() >= 2 * self.most + RESERVE {
            return None;
        }
        let connection = Arc::new(Connection::new(peer, reserved));
        open.insert(peer, Arc::clone(&connection));
        Some(Seat {
            connections: Arc::clone(self),
            peer,
            connection,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the connection that does least, of the address that has the most; whether there was one.
fn evict(open: &HashMap<SocketAddr, Arc<Connection>>) -> bool {
    let mut counts: HashMap<IpAddr, usize> = HashMap::new();
    for connection in open.values() {
        *counts.entry(connection.address).or_default() += 1;
    }
    let ranked = open.values().filter_map(|it| Some((it.rank()?, it)));
    let first = ranked.min_by_key(|(rank, it)| {
        let count = counts.get(&it.address).copied();
        (*rank, Reverse(count), *it.seen())
    });
    first.inspect(|(_, it)| it.stop.cancel()).is_some()
}

impl Seat {
    /// Ends when the connection has to make room.
    pub fn stop(&self) -> CancellationToken {
        self.connection.stop.clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        // The port may have a new connection already.
        let own = open.get(&self.peer);
        if own.is_some_and(|own| Arc::ptr_eq(own, &self.connection)) {
            open.remove(&self.peer);
        }
    }
}

/// A request in work on a connection.
struct Working(Arc<Connection>);

impl Working {
    fn on(connection: Arc<Connection>) -> Self {
        connection.working.fetch_add(1, Ordering::Relaxed);
        *connection.seen() = Instant::now();
        Self(connection)
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::Relaxed);
        *self.0.seen() = Instant::now();
    }
}

/// Notes on the connection that a request is in work.
pub(super) async fn mark(
    State(connections): State<Arc<Connections>>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let connection = peer.and_then(|peer| connections.lock().get(&peer.0).cloned());
    let Some(connection) = connection else {
        return next.run(request).await;
    };
    if connection.reserved && !is_vital(request.uri().path()) {
        let detail = "as many connections as `serve.limits.connections` are at work";
        let busy = Problem::new(problem::UNAVAILABLE, detail).retry_after(SOON);
        return busy.into_response();
    }
    let _working = Working::on(Arc::clone(&connection));
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

    fn peer(last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], port))
    }

    #[test]
    fn half_open_connections_of_the_address_with_the_most_make_room_first() {
        let connections = Connections::new(3);
        let enter = |last, port| connections.enter(peer(last, port)).expect("a place");
        let stopped = |seat: &Seat| seat.stop().is_cancelled();
        let quiet = enter(1, 1);
        let many = [enter(2, 1), enter(2, 2)];
        many[1].connection.is_known();
        let next = enter(3, 1);
        assert!(stopped(&many[0]) && ![&quiet, &many[1], &next].into_iter().any(stopped));
        // The oldest of those that are alike.
        let last = enter(4, 1);
        assert!(stopped(&quiet) && !stopped(&next) && !stopped(&last));
    }

    #[test]
    fn work_of_known_callers_stays_and_a_few_places_are_for_health() {
        let connections = Connections::new(1);
        let busy = connections.enter(peer(1, 1)).expect("a place");
        busy.connection.is_known();
        let working = Working::on(Arc::clone(&busy.connection));
        let health = connections.enter(peer(2, 1)).expect("a place");
        assert!(health.connection.reserved && !busy.stop().is_cancelled());
        drop(health);
        drop(working);
        let next = connections.enter(peer(3, 1)).expect("a place");
        assert!(busy.stop().is_cancelled() && !next.connection.reserved);
    }
}
