//! What all routes share, and who the caller is: tokens, sessions, rates and limits. `route_guard`
//! runs the checks of one route with it. Start at `RequestGate::caller`.

use super::access::{AccessError, AccessTokens, AuthMethod, Caller};
use super::body_limiter::BodyLimiter;
use super::concurrency::{ConcurrencyLimiter, RequestClassMap};
use super::idempotency::IdempotencyCache;
use super::peer_address::PeerAddress;
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

/// The login page.
pub const LOGIN: &str = "/login";

const MOST_COUNTED: usize = 10_000;

/// Renders a problem as a page for people; gets the request's id.
type ProblemPage = dyn Fn(&HttpProblem, &str) -> Response + Send + Sync;
/// Is called for every response, for metrics.
type ResponseObserver = dyn Fn(&AnsweredRequest<'_>) + Send + Sync;

/// A response as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct AnsweredRequest<'a> {
    pub method: &'a str,
    /// The route's path with the names of its parameters; `-` without a route.
    pub route: &'a str,
    pub status: u16,
    pub elapsed: Duration,
}

pub struct RequestGate {
    /// The tokens in use.
    pub access: AccessTokens,
    /// The open sessions.
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
    /// From the configuration.
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
            failed_token_rate: RateLimiter::for_wrong_secrets(),
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

    /// Adds pages that show problems to people.
    #[must_use]
    pub fn with_page(
        mut self,
        page: impl Fn(&HttpProblem, &str) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.page = Some(Box::new(page));
        self
    }

    /// Adds an observer of responses.
    #[must_use]
    pub fn with_observer(
        mut self,
        observer: impl Fn(&AnsweredRequest<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Opens a session for a token from the login form, replacing the browser's previous one;
    /// returns the cookie to set.
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

    /// Ends the session of a request; returns the cookie that replaces its own.
    pub fn logout(&self, headers: &HeaderMap) -> HeaderValue {
        self.sessions.close(headers)
    }

    /// Returns the grant of a valid token. Invalid tokens are limited by rate, valid ones never.
    fn authenticate(&self, peer: PeerAddress, token: &str) -> Result<TokenGrant, HttpProblem> {
        if let Some(grant) = self.access.by_token(token) {
            return Ok(grant);
        }
        // Only wrong tokens count, so that an attacker behind the same address cannot lock out a
        // valid token.
        self.failed_token_rate
            .take(&ClientKey::address(peer.0), Instant::now())
            .map_err(|wait| {
                HttpProblem::new(problem::TOO_MANY, "too many wrong tokens").retry_after(wait)
            })?;
        let what = "refused an invalid token";
        // Anybody can cause this line, so it is logged once and then counted.
        if self.tallies.is_first(what, Some(peer.0)) {
            tracing::warn!(address = %peer.0, "{what}");
        }
        Err(HttpProblem::new(
            problem::UNAUTHORIZED,
            "the token is unknown, expired or revoked",
        ))
    }

    /// Returns the caller; `None` if the request does not identify one.
    pub(super) fn caller(
        &self,
        peer: PeerAddress,
        request: &Parts,
    ) -> Result<Option<Caller>, HttpProblem> {
        // A header was set on purpose and wins over the cookie that the browser sends by itself.
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
        // Another site could make its own name point to this address (DNS rebinding) and read as an
        // anonymous caller.
        if nobody.is_some() && !same_site::is_own_host(request, self.url.as_deref()) {
            return Err(HttpProblem::new(
                problem::MISDIRECTED,
                "use the address of the server or the name in `serve.url`",
            ));
        }
        Ok(nobody)
    }

    /// The client's address: behind a trusted proxy, the address that it names.
    pub(super) fn peer(&self, parts: &Parts) -> PeerAddress {
        let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        // Tests call the router without a connection; all of them then count as one address.
        let mut address = info.map_or(Ipv4Addr::UNSPECIFIED.into(), |info| info.0.ip());
        let trusted = |address| self.proxies.iter().any(|network| network.contains(address));
        let named = parts.headers.get_all(FORWARDED).iter();
        let named: Vec<&str> = named
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        // Each proxy appends the address it heard from, so the last one that is not a trusted proxy
        // is the client. Anything before it may be forged.
        for name in named.into_iter().rev() {
            match forwarded(name.trim()) {
                Some(before) if trusted(address) => address = before,
                _ => break,
            }
        }
        PeerAddress(address)
    }
}

/// The header in which proxies name the client.
const FORWARDED: &str = "x-forwarded-for";

/// An address as proxies write it, some with a port.
fn forwarded(name: &str) -> Option<IpAddr> {
    // IPv6 addresses are written with brackets by some proxies and without by others.
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let with_port = || name.parse::<SocketAddr>().ok().map(|it| it.ip());
    bare.parse().ok().or_else(with_port)
}

pub(super) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
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
