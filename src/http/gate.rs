//! The gate before every route: who, may it, how often, how much; then the handler.

use super::access::{AccessError, AccessTokens, AuthMethod, Caller};
use super::body_limiter::BodyLimiter;
use super::concurrency::{ConcurrencyLimiter, RequestClassMap};
use super::idempotency::IdempotencyCache;
use super::problem::{self, HttpProblem};
use super::rate::{ClientKey, RateLimiter};
use super::same_site;
use super::session::LoginSessions;
use super::tally::LogTallies;
use super::token::TokenGrant;
use crate::config::{IpNetwork, ServeConfig, ServeLimits};
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
pub type ProblemPage = dyn Fn(&HttpProblem, &str) -> Response + Send + Sync;
/// Is told of every answer, for metrics.
pub type ResponseObserver = dyn Fn(&AnsweredRequest<'_>) + Send + Sync;

/// An answer, as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct AnsweredRequest<'a> {
    pub method: &'a str,
    /// The path of the route, parameters by name; `-` when there is none.
    pub route: &'a str,
    pub status: u16,
    /// How long it took.
    pub elapsed: Duration,
}

/// What all routes share.
pub struct RequestGate {
    /// The tokens in force.
    pub access: AccessTokens,
    /// The sessions that are open.
    pub sessions: LoginSessions,
    pub(super) hsts: bool,
    pub(super) page: Option<Box<ProblemPage>>,
    pub(super) observer: Option<Box<ResponseObserver>>,
    pub(super) limits: ServeLimits,
    pub(super) url: Option<String>,
    pub(super) request_rate: RateLimiter,
    failed_token_rate: RateLimiter,
    pub(super) replays: Arc<IdempotencyCache>,
    pub(super) bodies: RequestClassMap<BodyLimiter>,
    pub(super) concurrency: RequestClassMap<ConcurrencyLimiter>,
    proxies: Vec<IpNetwork>,
    pub(super) tallies: LogTallies,
}

impl fmt::Debug for RequestGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestGate").finish_non_exhaustive()
    }
}

impl RequestGate {
    /// As the configuration has it.
    pub fn new(serve: &ServeConfig) -> Result<Self, AccessError> {
        let limits = serve.limits;
        let each = Duration::from_secs(1) / limits.rate.max(1);
        Ok(Self {
            access: AccessTokens::open(serve.tokens.as_deref(), serve.insecure)?,
            sessions: LoginSessions::new(serve.uses_https()),
            hsts: serve.tls.is_some(),
            page: None,
            observer: None,
            limits,
            url: serve.url.clone(),
            request_rate: RateLimiter::new(each, limits.burst, MOST_COUNTED),
            failed_token_rate: RateLimiter::new(FAILURE_EACH, FAILURES, MOST_COUNTED),
            replays: Arc::default(),
            bodies: RequestClassMap::new(|room| {
                BodyLimiter::new(room.max_concurrent(limits.requests))
            }),
            concurrency: RequestClassMap::new(|room| {
                ConcurrencyLimiter::new(room.max_concurrent(limits.requests))
            }),
            proxies: serve.proxies.clone(),
            tallies: LogTallies::default(),
        })
    }

    /// With pages that tell people of problems.
    #[must_use]
    pub fn with_page(
        mut self,
        page: impl Fn(&HttpProblem, &str) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.page = Some(Box::new(page));
        self
    }

    /// With somebody who counts answers.
    #[must_use]
    pub fn with_observer(
        mut self,
        observer: impl Fn(&AnsweredRequest<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Opens a session for a token posted on the login form, in place of the one that the browser
    /// had; gives the cookie to set.
    pub fn login(
        &self,
        peer: PeerAddress,
        headers: &HeaderMap,
        token: &str,
    ) -> Result<HeaderValue, HttpProblem> {
        let grant = self.authenticate(peer, token.trim())?;
        tracing::info!(name = %grant.name, role = %grant.role, "session started");
        self.sessions
            .open(headers, &grant, Instant::now())
            .map_err(HttpProblem::internal)
    }

    /// Ends the session of a request; gives the cookie that takes the place of its own.
    pub fn logout(&self, headers: &HeaderMap) -> HeaderValue {
        self.sessions.close(headers)
    }

    /// A right token is always taken; who sends wrong ones is told less and less often why.
    fn authenticate(&self, peer: PeerAddress, token: &str) -> Result<TokenGrant, HttpProblem> {
        if let Some(grant) = self.access.by_token(token) {
            return Ok(grant);
        }
        self.failed_token_rate
            .take(&ClientKey::address(peer.0), Instant::now())
            .map_err(|wait| {
                HttpProblem::new(problem::TOO_MANY, "too many wrong tokens").retry_after(wait)
            })?;
        let what = "refused an invalid token";
        if self.tallies.is_first(what, Some(peer.0)) {
            tracing::warn!(address = %peer.0, "{what}");
        }
        Err(HttpProblem::new(
            problem::UNAUTHORIZED,
            "the token is unknown, expired or revoked",
        ))
    }

    /// Who sends the request; nobody when there is nothing that says so.
    pub(super) fn caller(
        &self,
        peer: PeerAddress,
        request: &Parts,
    ) -> Result<Option<Caller>, HttpProblem> {
        if let Some(value) = request.headers.get(header::AUTHORIZATION) {
            let token = value.to_str().ok().and_then(bearer).ok_or_else(|| {
                HttpProblem::new(problem::UNAUTHORIZED, "expected `Authorization: Bearer …`")
            })?;
            let grant = self.authenticate(peer, token)?;
            return Ok(Some(Caller::from_grant(&grant, AuthMethod::Token)));
        }
        let session = self
            .sessions
            .caller(&request.headers, &self.access, Instant::now());
        if session.is_some() {
            return Ok(session);
        }
        let nobody = self.access.anonymous_caller();
        // A page of another site that made its name point here would read as anybody does.
        if nobody.is_some() && !same_site::is_own_host(request, self.url.as_deref()) {
            return Err(HttpProblem::new(
                problem::MISDIRECTED,
                "use the address of the server or the name in `serve.url`",
            ));
        }
        Ok(nobody)
    }

    /// Whose address a request comes from: of a trusted proxy, the one it names.
    pub(super) fn peer(&self, parts: &Parts) -> PeerAddress {
        let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let mut address = info.map_or(Ipv4Addr::UNSPECIFIED.into(), |info| info.0.ip());
        let trusted = |address| self.proxies.iter().any(|network| network.contains(address));
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
        PeerAddress(address)
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
pub struct PeerAddress(pub IpAddr);

impl PeerAddress {
    pub(super) fn of(parts: &Parts) -> Self {
        let known = parts.extensions.get::<Self>().copied();
        known.unwrap_or(Self(Ipv4Addr::UNSPECIFIED.into()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PeerAddress {
    type Rejection = HttpProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpProblem> {
        Ok(Self::of(parts))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = HttpProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpProblem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| HttpProblem::new(problem::UNAUTHORIZED, ""))
    }
}

impl<S: Send + Sync> axum::extract::OptionalFromRequestParts<S> for Caller {
    type Rejection = HttpProblem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, HttpProblem> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
