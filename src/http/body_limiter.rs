//! Limits the bodies that are being received. A body takes up no handler until it is complete, and
//! a slow one is dropped when too many arrive at once, so that a slow sender cannot keep others out
//! (slowloris). Start at `BodyLimiter::read`.

use super::concurrency::overloaded;
use super::problem::{self, HttpProblem};
use super::rate::ClientKey;
use axum::body::{Body, Bytes};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Below this many bytes per second, a body may be dropped in favour of another one.
const SLOW: u64 = 64 << 10;

/// The bodies arriving for one class of requests.
#[derive(Debug)]
pub(super) struct BodyLimiter {
    max_bodies: usize,
    open: Arc<Mutex<PendingBodies>>,
}

#[derive(Debug, Default)]
struct PendingBodies {
    last: u64,
    bodies: HashMap<u64, BodyProgress>,
}

#[derive(Debug)]
struct BodyProgress {
    who: ClientKey,
    since: Instant,
    bytes: u64,
    stop: CancellationToken,
}

impl BodyProgress {
    /// Bytes per second so far.
    fn speed(&self, now: Instant) -> u64 {
        // At least one, so that a body that has just begun divides by something.
        let milliseconds = now.saturating_duration_since(self.since).as_millis().max(1);
        let speed = u128::from(self.bytes) * 1000 / milliseconds;
        u64::try_from(speed).unwrap_or(u64::MAX)
    }
}

/// A body that is arriving.
#[derive(Debug)]
struct PendingBody {
    id: u64,
    open: Arc<Mutex<PendingBodies>>,
    stop: CancellationToken,
}

impl BodyLimiter {
    pub fn new(most: usize) -> Self {
        Self {
            max_bodies: most,
            open: Arc::default(),
        }
    }

    /// Reads a body to its end.
    pub async fn read(
        &self,
        who: ClientKey,
        body: Body,
        limit: usize,
        timeout: Duration,
    ) -> Result<Bytes, HttpProblem> {
        let arrival = self.begin(who, Instant::now())?;
        let slow = |detail| HttpProblem::new(problem::TIMEOUT, detail);
        tokio::select! {
            // Stopping first: a body that was dropped must not be used although its last bytes have
            // arrived.
            biased;
            () = arrival.stop.cancelled() => Err(slow("the body arrived too slowly while other requests were waiting")),
            whole = tokio::time::timeout(timeout, arrival.collect(body, limit)) => {
                whole.map_err(|_| slow("the body arrived too slowly"))?
            }
        }
    }

    /// Counts one more body. If there are too many, the slowest one of the client with the most is
    /// stopped.
    fn begin(&self, who: ClientKey, now: Instant) -> Result<PendingBody, HttpProblem> {
        let mut open = lock(&self.open);
        if open.bodies.len() >= self.max_bodies {
            // If all are fast, the load is real and the new request has to wait.
            let slowest = open.slowest(&who, now).ok_or_else(overloaded)?;
            if let Some(stopped) = open.bodies.remove(&slowest) {
                stopped.stop.cancel();
            }
        }
        open.last += 1;
        let (id, stop) = (open.last, CancellationToken::new());
        let arriving = BodyProgress {
            who,
            since: now,
            bytes: 0,
            stop: stop.clone(),
        };
        open.bodies.insert(id, arriving);
        Ok(PendingBody {
            id,
            open: Arc::clone(&self.open),
            stop,
        })
    }
}

impl PendingBodies {
    fn slowest(&self, comes: &ClientKey, now: Instant) -> Option<u64> {
        // The new body counts for its client, so that a client cannot push others out by opening
        // more.
        let mut counts: HashMap<&ClientKey, usize> = HashMap::from([(comes, 1)]);
        for body in self.bodies.values() {
            *counts.entry(&body.who).or_default() += 1;
        }
        let bodies = self.bodies.iter();
        let slow = bodies.filter(|(_, body)| body.speed(now) < SLOW);
        let slowest = slow.max_by_key(|(id, body)| {
            let count = counts.get(&body.who).copied();
            (count, Reverse(body.speed(now)), Reverse(**id))
        });
        slowest.map(|(id, _)| *id)
    }
}

impl PendingBody {
    async fn collect(&self, body: Body, limit: usize) -> Result<Bytes, HttpProblem> {
        let mut body = Limited::new(body, limit);
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    too_large(limit)
                } else {
                    HttpProblem::bad_request("the body is incomplete")
                }
            })?;
            if let Ok(data) = frame.into_data() {
                self.count_bytes(data.len());
                whole.extend_from_slice(&data);
            }
        }
        Ok(whole.into())
    }

    fn count_bytes(&self, bytes: usize) {
        if let Some(body) = lock(&self.open).bodies.get_mut(&self.id) {
            body.bytes += bytes as u64;
        }
    }
}

impl Drop for PendingBody {
    fn drop(&mut self) {
        lock(&self.open).bodies.remove(&self.id);
    }
}

fn lock(open: &Mutex<PendingBodies>) -> std::sync::MutexGuard<'_, PendingBodies> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn too_large(limit: usize) -> HttpProblem {
    HttpProblem::new(problem::TOO_LARGE, format!("at most {limit} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str) -> ClientKey {
        ClientKey::Token(name.into())
    }

    #[test]
    fn the_slowest_body_of_whoever_has_the_most_makes_room() {
        let arrivals = BodyLimiter::new(3);
        let start = Instant::now();
        let begin = |name: &str| arrivals.begin(who(name), start);
        let own = begin("b").expect("room");
        let [first, second] = [begin("a").expect("room"), begin("a").expect("room")];
        first.count_bytes(100);
        let later = start + Duration::from_secs(1);
        let third = arrivals.begin(who("c"), later).expect("room");
        assert!(second.stop.is_cancelled());
        assert!(
            [&own, &first, &third]
                .iter()
                .all(|one| !one.stop.is_cancelled())
        );
    }

    #[test]
    fn bodies_that_come_fast_are_not_stopped() {
        let arrivals = BodyLimiter::new(1);
        let start = Instant::now();
        let fast = arrivals.begin(who("a"), start).expect("room");
        fast.count_bytes(10 << 20);
        let later = start + Duration::from_secs(1);
        assert!(arrivals.begin(who("b"), later).is_err());
        drop(fast);
        assert!(arrivals.begin(who("b"), later).is_ok());
    }
}
