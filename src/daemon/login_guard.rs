//! Compares passwords of people who log in: only so many at once, because each comparison takes
//! memory and time on purpose, and only so many wrong ones, by address and by name.

use crate::http::problem::{self, HttpProblem};
use crate::http::rate::{ClientKey, RateLimiter};
use crate::http::{PeerAddress, tally::LogTallies};
use crate::secrets::password_fits;
use crate::store::fold_login;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Counts wrong passwords and bounds the work.
pub(super) struct LoginGuard {
    by_address: RateLimiter,
    by_name: RateLimiter,
    places: Semaphore,
    tallies: LogTallies,
}

impl Default for LoginGuard {
    fn default() -> Self {
        let places = thread::available_parallelism().map_or(1, usize::from);
        Self {
            by_address: RateLimiter::for_wrong_secrets(),
            by_name: RateLimiter::for_wrong_secrets(),
            places: Semaphore::new(places),
            tallies: LogTallies::default(),
        }
    }
}

impl LoginGuard {
    /// Counts an attempt with this name. The address must not have too many wrong ones.
    pub(super) fn begin(
        &self,
        peer: PeerAddress,
        name: &str,
    ) -> Result<LoginAttempt<'_>, HttpProblem> {
        let now = Instant::now();
        let attempt = LoginAttempt {
            guard: self,
            address: ClientKey::address(peer.0),
            name: ClientKey::Login(Sha256::digest(fold_login(name)).into()),
            peer,
        };
        // Of an address only wrong ones count, because many people may log in from one at once. Of
        // a name every attempt counts until it succeeds, so that guesses at the same moment do too.
        self.by_address
            .check(&attempt.address, now)
            .and_then(|()| self.by_name.take(&attempt.name, now))
            .map_err(too_many)?;
        Ok(attempt)
    }
}

/// An attempt to log in, whose password has to be compared.
pub(super) struct LoginAttempt<'a> {
    guard: &'a LoginGuard,
    address: ClientKey,
    name: ClientKey,
    peer: PeerAddress,
}

impl LoginAttempt<'_> {
    /// Whether the password fits the hash. Takes the same time where there is no hash.
    pub(super) async fn fits(
        self,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<bool, HttpProblem> {
        let guard = self.guard;
        let place = guard.places.acquire().await;
        let place = place.map_err(HttpProblem::internal)?;
        let compared =
            tokio::task::spawn_blocking(move || password_fits(&password, hash.as_deref()));
        let fits = compared.await.map_err(HttpProblem::internal)?;
        drop(place);
        let now = Instant::now();
        if fits {
            guard.by_name.give_back(&self.name, now);
        } else {
            guard.by_address.charge(&self.address, now);
            let what = "refused a wrong login";
            // Anybody can cause this line, so it is logged once and then counted.
            if guard.tallies.is_first(what, Some(self.peer.0)) {
                tracing::warn!(address = %self.peer.0, "{what}");
            }
        }
        Ok(fits)
    }
}

fn too_many(wait: Duration) -> HttpProblem {
    HttpProblem::new(problem::TOO_MANY, "too many wrong passwords").retry_after(wait)
}
