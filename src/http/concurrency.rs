//! Limits the requests being handled. Each class of requests has its own limit, so that a flood of
//! one class does not block another, and no single caller can take all places of a class.

use super::problem::{self, HttpProblem};
use super::rate::ClientKey;
use super::role::Permission;
use super::route_spec::{AccessRequirement, BodySizeLimit, RouteAudience, RouteSpec};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// When to try again.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// The most logins, and the most webhooks, handled at once.
const FEW: usize = 64;
/// The most plans, and the most pushes, handled at once. Each may hold a whole source in memory.
const HEAVY: usize = 4;
/// The most files received at once. Each holds a place for as long as its sender takes.
const FILES: usize = 32;

/// The class of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RequestClass {
    /// Everything without a class of its own.
    Usual,
    Login,
    /// Webhooks.
    Hook,
    Plan,
    Push,
    /// Files of jobs.
    File,
}

impl RequestClass {
    /// The class of a route.
    pub fn of(about: &RouteSpec) -> Self {
        let open = about.needs == AccessRequirement::Public && !about.method.is_safe();
        match (about.weight, about.audience) {
            (BodySizeLimit::Tree, _)
                if about.needs == AccessRequirement::Permission(Permission::Plan) =>
            {
                Self::Plan
            }
            (BodySizeLimit::Tree, _) => Self::Push,
            (BodySizeLimit::File, _) => Self::File,
            (BodySizeLimit::Usual, RouteAudience::Person) if open => Self::Login,
            (BodySizeLimit::Usual, RouteAudience::Program) if open => Self::Hook,
            (BodySizeLimit::Usual, _) => Self::Usual,
        }
    }

    /// The limit of the class, where `requests` is the overall one.
    pub fn max_concurrent(self, requests: usize) -> usize {
        match self {
            Self::Usual => requests,
            Self::Login | Self::Hook => FEW.min(requests),
            Self::Plan | Self::Push => HEAVY,
            Self::File => FILES.min(requests),
        }
    }

    /// How long a body may take to arrive; other requests have `timeout`.
    pub fn body_timeout(self, timeout: Duration) -> Duration {
        // Anybody may send these, without a token, and their bodies are small.
        match self {
            Self::Login | Self::Hook => timeout.min(Duration::from_secs(10)),
            Self::Usual | Self::Plan | Self::Push | Self::File => timeout,
        }
    }
}

/// One value for each class.
#[derive(Debug)]
pub(super) struct RequestClassMap<T>([T; 6]);

impl<T> RequestClassMap<T> {
    pub fn new(of: impl Fn(RequestClass) -> T) -> Self {
        use RequestClass::{File, Hook, Login, Plan, Push, Usual};
        Self([Usual, Login, Hook, Plan, Push, File].map(of))
    }

    pub fn get(&self, room: RequestClass) -> &T {
        &self.0[room as usize]
    }
}

/// The places of one class.
#[derive(Debug)]
pub(super) struct ConcurrencyLimiter {
    most: usize,
    taken: Arc<Mutex<HashMap<ClientKey, usize>>>,
}

/// A place in use; free again when dropped.
#[derive(Debug)]
pub(super) struct ConcurrencyPermit {
    who: ClientKey,
    taken: Arc<Mutex<HashMap<ClientKey, usize>>>,
}

impl ConcurrencyLimiter {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            taken: Arc::default(),
        }
    }

    /// Takes a place. One caller gets at most three quarters.
    pub fn take(&self, who: &ClientKey) -> Result<ConcurrencyPermit, HttpProblem> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(who).copied().unwrap_or_default();
        // With a single place, the share is still one. Otherwise nobody could ever take it.
        let share = (self.most - self.most / 4).max(1);
        if own >= share || taken.values().sum::<usize>() >= self.most {
            return Err(overloaded());
        }
        taken.insert(who.clone(), own + 1);
        Ok(ConcurrencyPermit {
            who: who.clone(),
            taken: Arc::clone(&self.taken),
        })
    }
}

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.who) {
            *own -= 1;
            // Removed at zero, so that the map holds only callers with a request in progress.
            if *own == 0 {
                taken.remove(&self.who);
            }
        }
    }
}

pub(super) fn overloaded() -> HttpProblem {
    HttpProblem::new(problem::UNAVAILABLE, "too many requests at once").retry_after(SOON)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_never_has_all_places() {
        let who = |name: &str| ClientKey::Token(name.into());
        let places = ConcurrencyLimiter::new(4);
        let own: Vec<_> = (0..3).map(|_| places.take(&who("a"))).collect();
        assert!(own.iter().all(Result::is_ok));
        assert!(places.take(&who("a")).is_err());
        let other = places.take(&who("b"));
        assert!(other.is_ok() && places.take(&who("c")).is_err());
        drop(own);
        assert!(places.take(&who("c")).is_ok());
        assert!(ConcurrencyLimiter::new(1).take(&who("a")).is_ok());
    }
}
