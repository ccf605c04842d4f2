//! Login and logout. A token is entered once and exchanged for a session cookie.
//!
//! The gate in `http` checks the token and keeps the sessions. This file only has the form.

use super::{layout, link};
use crate::daemon::handle::DaemonHandle;
use crate::http::gate::LOGIN;
use crate::http::problem::{self, HttpProblem};
use crate::http::{
    AccessRequirement, AuthMethod, Caller, PeerAddress, QueryParams, RequestGate, Route,
};
use axum::Form;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoginQuery {
    next: String,
    done: Option<String>,
}

#[derive(Deserialize)]
struct LoginForm {
    token: String,
    #[serde(default)]
    next: String,
}

pub(super) fn routes(gate: &Arc<RequestGate>) -> Vec<Route<DaemonHandle>> {
    // Sessions belong to the gate, which the state of handlers does not contain.
    let (login_gate, logout_gate) = (Arc::clone(gate), Arc::clone(gate));
    let login = async move |peer: PeerAddress,
                            caller: Option<Caller>,
                            headers: HeaderMap,
                            Form(given): Form<LoginForm>| {
        let cookie = login_gate.login(peer, &headers, &given.token);
        log_in(cookie, caller.as_ref(), &given)
    };
    let logout = async move |headers: HeaderMap| {
        let cookie = logout_gate.logout(&headers);
        let to = Redirect::to(&format!("{LOGIN}?done=out"));
        ([(header::SET_COOKIE, cookie)], to).into_response()
    };
    vec![
        Route::page(Method::GET, LOGIN, AccessRequirement::Public, ask),
        Route::page(Method::POST, LOGIN, AccessRequirement::Public, login),
        Route::page(
            Method::POST,
            "/logout",
            AccessRequirement::Authenticated,
            logout,
        ),
    ]
}

async fn ask(caller: Option<Caller>, QueryParams(asked): QueryParams<LoginQuery>) -> Markup {
    form(caller.as_ref(), &asked, None)
}

fn log_in(
    cookie: Result<HeaderValue, HttpProblem>,
    caller: Option<&Caller>,
    given: &LoginForm,
) -> Response {
    match cookie {
        Ok(cookie) => {
            let to = Redirect::to(link::local_path(&given.next));
            ([(header::SET_COOKIE, cookie)], to).into_response()
        }
        // A wrong token is mostly a typo: show the form again. Too many of them are answered with a
        // problem page, which says when to try again.
        Err(refused) if refused.kind == problem::UNAUTHORIZED => {
            let asked = LoginQuery {
                next: given.next.clone(),
                done: None,
            };
            (
                StatusCode::UNAUTHORIZED,
                form(caller, &asked, Some(&refused)),
            )
                .into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

fn form(caller: Option<&Caller>, asked: &LoginQuery, refused: Option<&HttpProblem>) -> Markup {
    // `next` is part of the link that brought somebody here, so anybody may have written it.
    let next = link::local_path(&asked.next);
    let session = caller.filter(|caller| caller.auth_method == AuthMethod::Session);
    let main = html! { div.alone {
        h1 { "Log in" }
        (layout::done_message(asked.done.as_deref()))
        @if let Some(session) = session {
            p { "You are " (session.name) ". " a href=(next) { "Continue" } "." }
        }
        form.login method="post" action=(LOGIN) {
            // The browser sends the cookie of an open session along, and a request with a session
            // needs its token. Without this, nobody could log in as somebody else.
            @if let Some(session) = session { (layout::csrf(session)) }
            input type="hidden" name="next" value=(next);
            @if let Some(refused) = refused {
                p.wrong #refused role="alert" { (refused.kind.title) ": " (refused.detail) "." }
            }
            label for="token" { "Token" }
            input #token type="password" name="token" required autocomplete="current-password" spellcheck="false"
                aria-describedby=(if refused.is_some() { "refused" } else { "about" });
            p.small #about { "As " code { "roster token create" } " printed it. The session lasts at most 12 hours." }
            button { "Log in" }
        }
    } };
    layout::page_without_caller("Log in", &main)
}
