//! Places for requests in work. Each room has its own, so that what fills one keeps nobody out of
//! another, and one caller never has all places of a room.

use super::problem::{self, HttpProblem};
use super::rate::ClientKey;
use super::role::Permission;
use super::route::{AccessRequirement, BodySizeLimit, RouteAudience, RouteSpec};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// After how long another try makes sense.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// Logins, and webhooks, in work at once.
const FEW: usize = 64;
/// Plans, and pushes, in work at once: each may weigh as much as a tree.
const HEAVY: usize = 4;

/// Which places a request takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RequestClass {
    /// Whatever has no room of its own.
    Usual,
    /// The login form.
    Login,
    /// Webhooks.
    Hook,
    /// Plans of trees and commits.
    Plan,
    /// Records that are pushed.
    Push,
}

impl RequestClass {
    /// The room of a route.
    pub fn of(about: &RouteSpec) -> Self {
        let open = about.needs == AccessRequirement::Public && !about.method.is_safe();
        match (about.weight, about.audience) {
            (BodySizeLimit::Tree, _)
                if about.needs == AccessRequirement::Permission(Permission::Plan) =>
            {
                Self::Plan
            }
            (BodySizeLimit::Tree, _) => Self::Push,
            (BodySizeLimit::Usual, RouteAudience::Person) if open => Self::Login,
            (BodySizeLimit::Usual, RouteAudience::Program) if open => Self::Hook,
            (BodySizeLimit::Usual, _) => Self::Usual,
        }
    }

    /// How many places there are, where `requests` are in work at once.
    pub fn max_concurrent(self, requests: usize) -> usize {
        match self {
            Self::Usual => requests,
            Self::Login | Self::Hook => FEW.min(requests),
            Self::Plan | Self::Push => HEAVY,
        }
    }

    /// How long a body may take to arrive, where any other request has `timeout`.
    pub fn body_timeout(self, timeout: Duration) -> Duration {
        match self {
            Self::Login | Self::Hook => timeout.min(Duration::from_secs(10)),
            Self::Usual | Self::Plan | Self::Push => timeout,
        }
    }
}

/// One of each for every room.
#[derive(Debug)]
pub(super) struct RequestClassMap<T>([T; 5]);

impl<T> RequestClassMap<T> {
    pub fn new(of: impl Fn(RequestClass) -> T) -> Self {
        use RequestClass::{Hook, Login, Plan, Push, Usual};
        Self([Usual, Login, Hook, Plan, Push].map(of))
    }

    pub fn get(&self, room: RequestClass) -> &T {
        &self.0[room as usize]
    }
}

/// The places of one room.
#[derive(Debug)]
pub(super) struct ConcurrencyLimiter {
    most: usize,
    taken: Arc<Mutex<HashMap<ClientKey, usize>>>,
}

/// A place that is taken. It is free again once this is dropped.
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

    /// Takes a place. One caller gets three of four.
    pub fn take(&self, who: &ClientKey) -> Result<ConcurrencyPermit, HttpProblem> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(who).copied().unwrap_or_default();
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
