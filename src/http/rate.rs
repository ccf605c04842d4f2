//! Rate limits: each client has a bucket of requests that refills over time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The client that a request counts for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ClientKey {
    /// The holder of a token, by its name.
    Token(Arc<str>),
    /// The name of a login, as its digest: names of people are not kept.
    Login([u8; 32]),
    /// An address; for IPv6 its /64 network, because a single host usually has a whole one.
    Address(IpAddr),
    /// All clients that there is no room to count separately.
    Overflow,
}

impl ClientKey {
    /// The address as it is counted.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => IpAddr::V4(v4),
                None => IpAddr::V6((v6.to_bits() & (u128::MAX << 64)).into()),
            },
            IpAddr::V4(_) => address,
        })
    }
}

/// Buckets of requests, one per client.
#[derive(Debug)]
pub struct RateLimiter {
    refill_interval: Duration,
    burst: u32,
    max_clients: usize,
    full_at: Mutex<HashMap<ClientKey, Instant>>,
}

impl RateLimiter {
    /// One more request every `each`, `burst` at once, for at most `most` clients.
    pub fn new(each: Duration, burst: u32, most: usize) -> Self {
        Self {
            refill_interval: each,
            burst,
            max_clients: most,
            full_at: Mutex::default(),
        }
    }

    /// For secrets that somebody guesses: ten wrong ones at once, and one more every six seconds.
    pub fn for_wrong_secrets() -> Self {
        Self::new(Duration::from_secs(6), 10, 10_000)
    }

    /// How long a client has to wait until there is a request in the bucket. Takes none.
    pub fn check(&self, who: &ClientKey, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let room = full_at.len() < self.max_clients;
        let at = full_at.get(who).copied().or_else(|| {
            let overflow = full_at.get(&ClientKey::Overflow).copied();
            overflow.filter(|_| !room)
        });
        self.wait_at(at.unwrap_or(now), now)
    }

    /// Counts a request also where the bucket is empty: the client then waits longer.
    pub fn charge(&self, who: &ClientKey, now: Instant) {
        self.with_bucket(who, now, |at| *at = (*at).max(now) + self.refill_interval);
    }

    /// Puts a request back that was taken.
    pub fn give_back(&self, who: &ClientKey, now: Instant) {
        self.with_bucket(who, now, |at| {
            *at = at.checked_sub(self.refill_interval).unwrap_or(now);
        });
    }

    /// Takes one request from the bucket.
    pub fn take(&self, who: &ClientKey, now: Instant) -> Result<(), Duration> {
        self.with_bucket(who, now, |at| {
            self.wait_at(*at, now)?;
            *at = (*at).max(now) + self.refill_interval;
            Ok(())
        })
    }

    /// How long until a bucket that is full at this moment has a request.
    fn wait_at(&self, full_at: Instant, now: Instant) -> Result<(), Duration> {
        // An idle client saves up no more than one full bucket.
        let next = full_at.max(now) + self.refill_interval;
        let wait = next.saturating_duration_since(now + self.refill_interval * self.burst);
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    fn with_bucket<T>(
        &self,
        who: &ClientKey,
        now: Instant,
        change: impl FnOnce(&mut Instant) -> T,
    ) -> T {
        // A bucket is stored as the moment when it will be full again; a full bucket need not be
        // stored.
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        // An attacker with many addresses must not fill the memory: the rest shares one bucket.
        if full_at.len() >= self.max_clients && !full_at.contains_key(who) {
            full_at.retain(|_, at| *at > now);
        }
        let room = full_at.len() < self.max_clients || full_at.contains_key(who);
        let at = full_at
            .entry(if room {
                who.clone()
            } else {
                ClientKey::Overflow
            })
            .or_insert(now);
        change(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(last: u8) -> ClientKey {
        ClientKey::address(IpAddr::from([10, 0, 0, last]))
    }

    #[test]
    fn a_burst_passes_and_then_one_each_interval() {
        let buckets = RateLimiter::new(Duration::from_millis(100), 3, 10);
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(buckets.take(&who(1), start), Ok(()));
        }
        assert_eq!(
            buckets.take(&who(1), start),
            Err(Duration::from_millis(100))
        );
        assert_eq!(buckets.take(&who(2), start), Ok(()));
        let later = start + Duration::from_millis(100);
        assert_eq!(buckets.take(&who(1), later), Ok(()));
        assert!(buckets.take(&who(1), later).is_err());
    }

    #[test]
    fn many_addresses_take_no_more_memory_and_share_what_is_left() {
        let buckets = RateLimiter::new(Duration::from_secs(1), 1, 2);
        let start = Instant::now();
        assert!(buckets.take(&who(1), start).is_ok() && buckets.take(&who(2), start).is_ok());
        assert!(buckets.take(&who(3), start).is_ok());
        assert!(buckets.take(&who(4), start).is_err());
        assert!(buckets.full_at.lock().expect("whole").len() <= 3);
        let later = start + Duration::from_secs(2);
        assert!(buckets.take(&who(5), later).is_ok());
    }

    #[test]
    fn what_is_checked_takes_nothing_and_what_is_charged_is_owed() {
        let buckets = RateLimiter::new(Duration::from_secs(1), 2, 10);
        let start = Instant::now();
        for _ in 0..5 {
            assert_eq!(buckets.check(&who(1), start), Ok(()));
        }
        for _ in 0..4 {
            buckets.charge(&who(1), start);
        }
        assert_eq!(buckets.check(&who(1), start), Err(Duration::from_secs(3)));
        assert_eq!(buckets.check(&who(2), start), Ok(()));
        let later = start + Duration::from_secs(3);
        assert_eq!(buckets.take(&who(1), later), Ok(()));
        assert!(buckets.check(&who(1), later).is_err());
        buckets.give_back(&who(1), later);
        assert_eq!(buckets.take(&who(1), later), Ok(()));
    }

    #[test]
    fn one_network_is_one_asker() {
        let who = |text: &str| ClientKey::address(text.parse().expect("an address"));
        assert_eq!(who("2001:db8::1"), who("2001:db8::ffff:2"));
        assert_ne!(who("2001:db8::1"), who("2001:db8:0:1::1"));
        assert_eq!(who("::ffff:10.0.0.1"), who("10.0.0.1"));
    }
}
