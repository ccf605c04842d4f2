//! Everything that is checked before a handler runs, in this order: caller, rate, permission,
//! origin, body, a place to work in, form token. Cheap checks come before those that hold
//! resources. Start at [`guard_route`].

use super::access::{AuthMethod, Caller};
use super::body_limiter::too_large;
use super::concurrency::{ConcurrencyPermit, RequestClass, SOON};
use super::connections::OpenConnection;
use super::customer_token::CustomerToken;
use super::file_body::FileLimits;
use super::gate::{LOGIN, RequestGate};
use super::idempotency::{self, IdempotencyLookup};
use super::nul;
use super::peer_address::PeerAddress;
use super::problem::{self, HttpProblem};
use super::rate::ClientKey;
use super::route_spec::{AccessRequirement, BodySizeLimit, RouteAudience, RouteSpec};
use super::same_site;
use super::session::{CSRF_FIELD, CSRF_HEADER, csrf_matches};
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Instant;

/// The checks of one route.
#[derive(Debug)]
pub struct RouteGuard {
    pub(super) gate: Arc<RequestGate>,
    pub(super) spec: RouteSpec,
}

/// A body that was read, or one that its handler reads.
struct ReceivedBody {
    whole: Bytes,
    unread: Option<Body>,
}

/// The facts about a request that the outermost layer logs, whether or not the request was allowed.
#[derive(Clone, Debug)]
pub(super) struct RouteContext {
    pub route: &'static str,
    pub peer: Option<PeerAddress>,
    pub caller: Option<Arc<str>>,
    /// Whether the caller has a token or a session.
    pub known: bool,
}

/// Runs the checks and then the handler.
pub async fn guard_route(
    State(pass): State<Arc<RouteGuard>>,
    request: Request,
    next: Next,
) -> Response {
    let mut passed = RouteContext {
        route: pass.spec.path,
        peer: None,
        caller: None,
        known: false,
    };
    let mut response = match pass.run_checks(request, next, &mut passed).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    response.extensions_mut().insert(passed);
    response
}

impl RouteGuard {
    async fn run_checks(
        self: &Arc<Self>,
        request: Request,
        next: Next,
        passed: &mut RouteContext,
    ) -> Result<Response, HttpProblem> {
        let (mut parts, body) = request.into_parts();
        let peer = self.gate.peer(&parts);
        parts.extensions.insert(peer);
        passed.peer = Some(peer);
        let caller = match self.spec.needs {
            // The token of a customer is none of the tokens that the gate knows.
            AccessRequirement::Customer => None,
            // A public route stays public for someone with an invalid token.
            AccessRequirement::Public => self.gate.caller(peer, &parts).unwrap_or(None),
            _ => self.gate.caller(peer, &parts)?,
        };
        passed.caller = caller.as_ref().map(|caller| Arc::clone(&caller.name));
        let who = client_key(peer, caller.as_ref());
        passed.known = matches!(who, ClientKey::Token(_));
        if let (true, Some(connection)) =
            (passed.known, parts.extensions.get::<Arc<OpenConnection>>())
        {
            connection.mark_known();
        }
        // Before the permission, so that refused requests count too.
        self.count(&who)?;
        if let Some(login) = self.login(caller.as_ref(), &parts) {
            return Ok(login);
        }
        nul::refuse_in_address(&parts)?;
        // Before the body: nobody without permission makes the server receive megabytes.
        self.authorize(caller.as_ref(), &mut parts).await?;
        // A browser sends the cookie with any request, also one that another site has made; a token
        // is only sent on purpose.
        let sends_token = self.spec.needs == AccessRequirement::Customer
            || caller
                .as_ref()
                .is_some_and(|it| it.auth_method == AuthMethod::Token);
        if !parts.method.is_safe() && !sends_token {
            same_site::require_same_site(&parts, self.gate.url.as_deref())?;
        }
        // The handler of a file reads the body itself, so nothing of it is here to be checked.
        let (body, unread) = if self.spec.weight == BodySizeLimit::File {
            self.limit_file(&mut parts)?;
            (Bytes::new(), Some(body))
        } else {
            (self.read(&who, &parts, body).await?, None)
        };
        nul::refuse_in_form(&parts, &body)?;
        // Only now: a request whose body is still arriving takes no place.
        let place = self.acquire_permit(&who)?;
        if let Some(caller) = caller.as_ref().filter(|it| it.csrf.is_some()) {
            check_form(caller, &parts, &body).await?;
        }
        if let Some(caller) = &caller {
            parts.extensions.insert(caller.clone());
        }
        match caller {
            Some(caller) if self.spec.is_act() => {
                let body = ReceivedBody {
                    whole: body,
                    unread,
                };
                self.act(caller, parts, body, next, place).await
            }
            _ => {
                let body = unread.unwrap_or_else(|| body.into());
                let work = next.run(Request::from_parts(parts, body));
                self.run_with_timeout(work).await
            }
        }
    }

    /// Takes a place to work in; health checks take none.
    fn acquire_permit(&self, who: &ClientKey) -> Result<Option<ConcurrencyPermit>, HttpProblem> {
        if self.spec.exempt_from_limits {
            return Ok(None);
        }
        let places = self.gate.concurrency.get(RequestClass::of(&self.spec));
        places.take(who).map(Some)
    }

    fn count(&self, who: &ClientKey) -> Result<(), HttpProblem> {
        if self.spec.exempt_from_limits {
            return Ok(());
        }
        let taken = self.gate.request_rate.take(who, Instant::now());
        taken.map_err(|wait| HttpProblem::new(problem::TOO_MANY, "").retry_after(wait))
    }

    /// Redirects people to the login page instead of answering that a token is needed.
    fn login(&self, caller: Option<&Caller>, parts: &Parts) -> Option<Response> {
        let person = self.spec.audience == RouteAudience::Person && parts.method.is_safe();
        if caller.is_some() || !person || self.spec.needs == AccessRequirement::Public {
            return None;
        }
        let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
        // After the login, people return to the page they asked for.
        let next: String = path.bytes().map(escape).collect();
        let place = HeaderValue::from_str(&format!("{LOGIN}?next={next}")).ok()?;
        Some((StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response())
    }

    async fn authorize(
        &self,
        caller: Option<&Caller>,
        parts: &mut Parts,
    ) -> Result<(), HttpProblem> {
        match self.spec.needs {
            AccessRequirement::Public => return Ok(()),
            // Before the body: without any token nothing has to be received.
            AccessRequirement::Customer => return CustomerToken::of(parts).map(|_| ()),
            AccessRequirement::Authenticated | AccessRequirement::Permission(_) => {}
        }
        let Some(caller) = caller else {
            let detail = "send `Authorization: Bearer …` with a token from `roster token create`";
            return Err(HttpProblem::new(problem::UNAUTHORIZED, detail));
        };
        if let AccessRequirement::Permission(permission) = self.spec.needs
            && !caller.may(permission)
        {
            // Not `no-permission`: a token would help, if one were configured.
            if caller.auth_method == AuthMethod::Anonymous {
                let detail =
                    "no tokens are configured, so the server is read-only; set `serve.tokens`";
                return Err(HttpProblem::new(problem::UNAUTHORIZED, detail));
            }
            let detail = format!("needs `{permission}`; your role is `{}`", caller.role);
            return Err(HttpProblem::new(problem::NO_PERMISSION, detail));
        }
        // A token for certain sources reaches only routes that name a source in their path.
        if caller.sources.is_none()
            || self.spec.filters_by_source
            || self.spec.needs == AccessRequirement::Authenticated
        {
            return Ok(());
        }
        let path = RawPathParams::from_request_parts(parts, &()).await;
        let source = path.ok().and_then(|path| {
            let mut named = path.iter().filter(|(name, _)| *name == "source");
            named.next().map(|(_, source)| source.to_owned())
        });
        if source.is_some_and(|source| caller.may_access_source(&source)) {
            return Ok(());
        }
        let detail = "the token does not cover this source";
        Err(HttpProblem::new(problem::NO_PERMISSION, detail))
    }

    /// The most bytes of a body.
    fn body_limit(&self) -> usize {
        match self.spec.weight {
            BodySizeLimit::Usual => self.gate.limits.body,
            BodySizeLimit::Tree => self.gate.limits.tree,
            BodySizeLimit::File => self.gate.limits.file,
        }
    }

    /// Refuses a body that is declared too large before it is sent.
    fn check_declared_length(&self, parts: &Parts) -> Result<(), HttpProblem> {
        let limit = self.body_limit();
        let length = parts.headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        Ok(())
    }

    /// Hands the handler the limits of a file.
    fn limit_file(&self, parts: &mut Parts) -> Result<(), HttpProblem> {
        self.check_declared_length(parts)?;
        parts.extensions.insert(FileLimits {
            most: self.body_limit(),
            pause: self.gate.limits.timeout,
        });
        Ok(())
    }

    async fn read(&self, who: &ClientKey, parts: &Parts, body: Body) -> Result<Bytes, HttpProblem> {
        // Requests without a body, and health checks, have nothing to wait for.
        if self.spec.exempt_from_limits || body.is_end_stream() {
            return Ok(Bytes::new());
        }
        let limit = self.body_limit();
        self.check_declared_length(parts)?;
        let room = RequestClass::of(&self.spec);
        let timeout = room.body_timeout(self.gate.limits.timeout);
        let arrivals = self.gate.bodies.get(room);
        arrivals.read(who.clone(), body, limit, timeout).await
    }

    async fn run_with_timeout(
        &self,
        work: impl Future<Output = Response> + Send,
    ) -> Result<Response, HttpProblem> {
        if self.spec.no_timeout {
            return Ok(work.await);
        }
        tokio::time::timeout(self.gate.limits.timeout, work)
            .await
            .map_err(|_| {
                HttpProblem::new(problem::UNAVAILABLE, "the request took too long")
                    .retry_after(SOON)
            })
    }

    /// An act continues even if its caller disconnects or times out, because half an act is worse.
    async fn act(
        &self,
        caller: Caller,
        parts: Parts,
        body: ReceivedBody,
        next: Next,
        place: Option<ConcurrencyPermit>,
    ) -> Result<Response, HttpProblem> {
        let begun = match idempotency::key(&parts.headers)? {
            None => None,
            Some(_) if self.spec.handles_idempotency => None,
            Some(key) => {
                let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
                let digest = idempotency::digest(parts.method.as_str(), path, &body.whole);
                let turn = self
                    .gate
                    .replays
                    .begin(&caller.name, key, digest, Instant::now());
                match turn? {
                    IdempotencyLookup::Replay(answer) => return Ok(*answer),
                    IdempotencyLookup::First(begun) => Some(begun),
                }
            }
        };
        let is_personal = self.spec.answers_are_personal;
        // A task of its own: dropping this future when the client goes away does not stop it.
        let work = tokio::spawn(async move {
            // Held by the task, so that an abandoned act still counts against the limit.
            let _place = place;
            let body = body.unread.unwrap_or_else(|| body.whole.into());
            let response = next.run(Request::from_parts(parts, body)).await;
            match begun {
                None => response,
                Some(begun) => match begun.end(response, is_personal).await {
                    Ok(response) => response,
                    Err(problem) => problem.into_response(),
                },
            }
        });
        self.run_with_timeout(async {
            match work.await {
                Ok(response) => response,
                Err(_) => HttpProblem::new(problem::INTERNAL, "").into_response(),
            }
        })
        .await
    }
}

fn escape(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// The client that a request counts for.
fn client_key(peer: PeerAddress, caller: Option<&Caller>) -> ClientKey {
    match caller {
        Some(caller) if caller.auth_method != AuthMethod::Anonymous => {
            ClientKey::Token(Arc::clone(&caller.name))
        }
        _ => ClientKey::address(peer.0),
    }
}

/// A form of a session must contain the session's CSRF token, in a field or, from a script, in a
/// header.
async fn check_form(caller: &Caller, parts: &Parts, body: &Bytes) -> Result<(), HttpProblem> {
    if parts.method.is_safe() {
        return Ok(());
    }
    let sent = match parts.headers.get(CSRF_HEADER) {
        Some(value) => value.to_str().unwrap_or_default().to_owned(),
        None => same_site::form_field(parts, body, CSRF_FIELD)
            .await
            .unwrap_or_default(),
    };
    if csrf_matches(caller, &sent) {
        return Ok(());
    }
    let detail = "the form belongs to another session; reload the page";
    Err(HttpProblem::new(problem::FORGED, detail))
}
