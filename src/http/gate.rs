//! The gate before every route: who, may it, how often, how much; then the handler.

use super::access::{Access, AccessError, By, Caller};
use super::arrival::Arrivals;
use super::origin;
use super::problem::{self, Problem};
use super::rate::{Buckets, Who};
use super::replay::Replays;
use super::room::{Places, Rooms};
use super::session::Sessions;
use super::tally::LogTallies;
use super::token::Grant;
use crate::config::{Limits, Network, Serve};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The page that asks for a token.
pub const LOGIN: &str = "/login";

const MOST_COUNTED: usize = 10_000;
const FAILURES: u32 = 10;
const FAILURE_EACH: Duration = Duration::from_secs(6);

/// Makes the page that tells a person of a problem; with the request's id.
pub type ProblemPage = dyn Fn(&Problem, &str) -> Response + Send + Sync;
/// Is told of every answer, for metrics.
pub type Observer = dyn Fn(&Answered<'_>) + Send + Sync;

/// An answer, as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The method.
    pub method: &'a str,
    /// The path of the route, parameters by name; `-` when there is none.
    pub route: &'a str,
    /// The status.
    pub status: u16,
    /// How long it took.
    pub elapsed: Duration,
}

/// What all routes share.
pub struct Gate {
    /// The tokens in force.
    pub access: Access,
    /// The sessions that are open.
    pub sessions: Sessions,
    pub(super) hsts: bool,
    pub(super) page: Option<Box<ProblemPage>>,
    pub(super) observer: Option<Box<Observer>>,
    pub(super) limits: Limits,
    pub(super) url: Option<String>,
    pub(super) asked: Buckets,
    failed: Buckets,
    pub(super) replays: Arc<Replays>,
    pub(super) arrivals: Rooms<Arrivals>,
    pub(super) places: Rooms<Places>,
    proxies: Vec<Network>,
    pub(super) tallies: LogTallies,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    /// As the configuration has it.
    ///
    /// # Errors
    /// When the file of tokens is not what it should be.
    pub fn new(serve: &Serve) -> Result<Self, AccessError> {
        let limits = serve.limits;
        let each = Duration::from_secs(1) / limits.rate.max(1);
        Ok(Self {
            access: Access::open(serve.tokens.as_deref(), serve.insecure)?,
            sessions: Sessions::new(serve.https()),
            hsts: serve.tls.is_some(),
            page: None,
            observer: None,
            limits,
            url: serve.url.clone(),
            asked: Buckets::new(each, limits.burst, MOST_COUNTED),
            failed: Buckets::new(FAILURE_EACH, FAILURES, MOST_COUNTED),
            replays: Arc::default(),
            arrivals: Rooms::new(|room| Arrivals::new(room.places(limits.requests))),
            places: Rooms::new(|room| Places::new(room.places(limits.requests))),
            proxies: serve.proxies.clone(),
            tallies: LogTallies::default(),
        })
    }

    /// With pages that tell people of problems.
    #[must_use]
    pub fn with_page(
        mut self,
        page: impl Fn(&Problem, &str) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.page = Some(Box::new(page));
        self
    }

    /// With somebody who counts answers.
    #[must_use]
    pub fn with_observer(
        mut self,
        observer: impl Fn(&Answered<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Opens a session for a token posted on the login form, in place of the one that the browser
    /// had; gives the cookie to set.
    ///
    /// # Errors
    /// When the token is worth nothing.
    pub fn login(
        &self,
        peer: Peer,
        headers: &HeaderMap,
        token: &str,
    ) -> Result<HeaderValue, Problem> {
        let grant = self.grant(peer, token.trim())?;
        tracing::info!(name = %grant.name, role = %grant.role, "a session was opened");
        self.sessions
            .open(headers, &grant, Instant::now())
            .map_err(Problem::internal)
    }

    /// Ends the session of a request; gives the cookie that takes the place of its own.
    pub fn logout(&self, headers: &HeaderMap) -> HeaderValue {
        self.sessions.close(headers)
    }

    /// A right token is always taken; who sends wrong ones is told less and less often why.
    fn grant(&self, peer: Peer, token: &str) -> Result<Grant, Problem> {
        if let Some(grant) = self.access.by_token(token) {
            return Ok(grant);
        }
        self.failed
            .take(&Who::address(peer.0), Instant::now())
            .map_err(|wait| {
                Problem::new(problem::TOO_MANY, "too many wrong tokens").retry_after(wait)
            })?;
        let what = "a token that is worth nothing was refused";
        if self.tallies.is_first(what, Some(peer.0)) {
            tracing::warn!(address = %peer.0, "{what}");
        }
        Err(Problem::new(
            problem::UNAUTHORIZED,
            "the token is unknown, expired or revoked",
        ))
    }

    /// Who sends the request; nobody when there is nothing that says so.
    pub(super) fn caller(&self, peer: Peer, request: &Parts) -> Result<Option<Caller>, Problem> {
        if let Some(value) = request.headers.get(header::AUTHORIZATION) {
            let token = value.to_str().ok().and_then(bearer).ok_or_else(|| {
                Problem::new(problem::UNAUTHORIZED, "expected `Authorization: Bearer …`")
            })?;
            let grant = self.grant(peer, token)?;
            return Ok(Some(Caller::of(&grant, By::Token)));
        }
        let session = self
            .sessions
            .caller(&request.headers, &self.access, Instant::now());
        if session.is_some() {
            return Ok(session);
        }
        let nobody = self.access.nobody();
        // A page of another site that made its name point here would read as anybody does.
        if nobody.is_some() && !origin::is_own_host(request, self.url.as_deref()) {
            return Err(Problem::new(
                problem::MISDIRECTED,
                "ask for it by its address or as `serve.url` has it",
            ));
        }
        Ok(nobody)
    }

    /// Whose address a request comes from: of a trusted proxy, the one it names.
    pub(super) fn peer(&self, parts: &Parts) -> Peer {
        let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let mut address = info.map_or(Ipv4Addr::UNSPECIFIED.into(), |info| info.0.ip());
        let trusted = |address| self.proxies.iter().any(|network| network.holds(address));
        let named = parts.headers.get_all(FORWARDED).iter();
        let named: Vec<&str> = named
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        // Each proxy adds whom it heard, so the last one that is no proxy of ours is the caller.
        for name in named.into_iter().rev() {
            match forwarded(name.trim()) {
                Some(before) if trusted(address) => address = before,
                _ => break,
            }
        }
        Peer(address)
    }
}

/// The header in which proxies name whom they speak for.
const FORWARDED: &str = "x-forwarded-for";

/// An address as proxies write it, some with a port.
fn forwarded(name: &str) -> Option<IpAddr> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let with_port = || name.parse::<SocketAddr>().ok().map(|it| it.ip());
    bare.parse().ok().or_else(with_port)
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
}

/// The address that a request comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(pub IpAddr);

impl Peer {
    pub(super) fn of(parts: &Parts) -> Self {
        let known = parts.extensions.get::<Self>().copied();
        known.unwrap_or(Self(Ipv4Addr::UNSPECIFIED.into()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self::of(parts))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::new(problem::UNAUTHORIZED, ""))
    }
}

impl<S: Send + Sync> axum::extract::OptionalFromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
