//! The outermost layer: the request's id, its line in the access log, security headers, and the
//! guarantee that every failure is a problem, even one raised by a library or a panic.

use super::gate::{AnsweredRequest, RequestGate};
use super::problem::{self, HttpProblem, MEDIA_TYPE};
use super::route_guard::RouteContext;
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tower_http::catch_panic::CatchPanicLayer;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_ID: usize = 64;

const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Headers of every response, unless the handler set them.
const HEADERS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Wraps a router.
pub(super) fn wrap_router(router: Router, gate: &Arc<RequestGate>) -> Router {
    router
        .fallback(async || HttpProblem::not_found("no such path"))
        // Inside the last layer, so that a panic is logged and answered like any other failure.
        .layer(CatchPanicLayer::custom(panic_response))
        .layer(from_fn_with_state(Arc::clone(gate), finish))
}

/// The panic hook logs the message; the caller learns nothing about it.
fn panic_response(_: Box<dyn Any + Send>) -> Response {
    HttpProblem::new(problem::INTERNAL, "").into_response()
}

async fn finish(State(gate): State<Arc<RequestGate>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let person = reads_pages(&request);
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let address = address.map(|info| info.0.ip());
    let mut response = render_problem(next.run(request).await, &id, person, &gate);
    add_security_headers(response.headers_mut(), &gate);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let passed = response.extensions().get::<RouteContext>();
    let answered = AnsweredRequest {
        method: method.as_str(),
        // Never the path itself, because it contains the ids of customers.
        route: passed.map_or("-", |passed| passed.route),
        status: response.status().as_u16(),
        elapsed: begun.elapsed(),
    };
    let caller = passed.and_then(|passed| passed.caller.as_deref());
    let peer = passed.and_then(|passed| passed.peer);
    let address = peer.map(|peer| peer.0).or(address);
    let known = passed.is_some_and(|passed| passed.known);
    let what = by_tally(response.status(), known);
    if what.is_none_or(|what| gate.tallies.is_first(what, address)) {
        log(&answered, caller, address, &id);
    }
    if let Some(observer) = &gate.observer {
        observer(&answered);
    }
    response
}

/// The name under which a response is only counted and not logged: strangers can send any number of
/// requests, and so can rejected callers.
fn by_tally(status: StatusCode, known: bool) -> Option<&'static str> {
    let away = [
        StatusCode::UNAUTHORIZED,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    if known && !away.contains(&status) {
        return None;
    }
    let failed = status.is_client_error() || status.is_server_error();
    Some(if failed {
        HttpProblem::of_status(status).kind.title
    } else {
        "Answered without a token"
    })
}

fn log(answered: &AnsweredRequest<'_>, caller: Option<&str>, address: Option<IpAddr>, id: &str) {
    tracing::info!(
        target: "roster::http::access",
        method = answered.method,
        route = answered.route,
        status = answered.status,
        milliseconds = u64::try_from(answered.elapsed.as_millis()).unwrap_or(u64::MAX),
        caller = caller.unwrap_or("-"),
        address = address.map_or("-".to_owned(), |it| it.to_string()),
        request = id,
        "answered"
    );
}

/// The id from a proxy, if it is valid, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let given = headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    match given {
        // Anybody can send the header, and its value goes into every log line of the request.
        Some(id) if !id.is_empty() && id.len() <= LONGEST_ID && id.chars().all(known) => {
            id.to_owned()
        }
        _ => format!("{:016x}", rand::random::<u64>()),
    }
}

fn reads_pages(request: &Request) -> bool {
    let accepts = request.headers().get(header::ACCEPT);
    let html = accepts.is_some_and(|value| value.to_str().is_ok_and(|it| it.contains("text/html")));
    html && !request.uri().path().starts_with("/api/")
}

/// Turns every failure into a problem, or into a page if a person reads it.
fn render_problem(response: Response, id: &str, person: bool, gate: &RequestGate) -> Response {
    let status = response.status();
    let problem = match response.extensions().get::<HttpProblem>() {
        Some(problem) => problem.clone(),
        None if status.is_client_error() || status.is_server_error() => {
            // A problem built elsewhere is complete already, and its body would be lost.
            if has_error_body(&response) {
                return response;
            }
            HttpProblem::of_status(status)
        }
        None => return response,
    };
    let (parts, _) = response.into_parts();
    let mut answer = match &gate.page {
        Some(page) if person => page(&problem, id),
        _ => problem.to_response(Some(id)),
    };
    let body = [header::CONTENT_TYPE, header::CONTENT_LENGTH];
    // Headers such as `Retry-After` and `WWW-Authenticate` belong to the failure, whatever its
    // form.
    for (name, value) in &parts.headers {
        if !body.contains(name) && !answer.headers().contains_key(name) {
            answer.headers_mut().append(name, value.clone());
        }
    }
    if let Some(passed) = parts.extensions.get::<RouteContext>() {
        answer.extensions_mut().insert(passed.clone());
    }
    answer
}

/// Whether a failure already has its own page or problem, like a repeated answer.
fn has_error_body(response: &Response) -> bool {
    let media = response.headers().get(header::CONTENT_TYPE);
    let media = media.and_then(|value| value.to_str().ok()).unwrap_or("");
    media.starts_with(MEDIA_TYPE) || media.starts_with("text/html")
}

fn add_security_headers(headers: &mut HeaderMap, gate: &RequestGate) {
    let media = headers.get(header::CONTENT_TYPE);
    let page = media.is_some_and(|it| it.as_bytes().starts_with(b"text/html"));
    let policy = if page { PAGE_POLICY } else { DATA_POLICY };
    let own = [("content-security-policy", policy)];
    for &(name, value) in HEADERS.iter().chain(&own) {
        // A handler may know better, for example a page that may be cached.
        if !headers.contains_key(name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if gate.hsts {
        let year = Duration::from_hours(365 * 24).as_secs();
        if let Ok(value) = HeaderValue::from_str(&format!("max-age={year}")) {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
        }
    }
}
