//! A token, once; then a session.

use super::{frame, link};
use crate::daemon::api::Door;
use crate::http::gate::LOGIN;
use crate::http::problem::{self, Problem};
use crate::http::{By, Caller, Gate, Needs, Peer, Query, Route};
use axum::Form;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    next: String,
    done: Option<String>,
}

#[derive(Deserialize)]
struct Credentials {
    token: String,
    #[serde(default)]
    next: String,
}

pub(super) fn routes(gate: &Arc<Gate>) -> Vec<Route<Door>> {
    let (doorman, porter) = (Arc::clone(gate), Arc::clone(gate));
    let login = async move |peer: Peer,
                            caller: Option<Caller>,
                            headers: HeaderMap,
                            Form(given): Form<Credentials>| {
        let cookie = doorman.login(peer, &headers, &given.token);
        log_in(cookie, caller.as_ref(), &given)
    };
    let logout = async move |headers: HeaderMap| {
        let cookie = porter.logout(&headers);
        let to = Redirect::to(&format!("{LOGIN}?done=out"));
        ([(header::SET_COOKIE, cookie)], to).into_response()
    };
    vec![
        Route::page(Method::GET, LOGIN, Needs::Nothing, ask),
        Route::page(Method::POST, LOGIN, Needs::Nothing, login),
        Route::page(Method::POST, "/logout", Needs::Somebody, logout),
    ]
}

async fn ask(caller: Option<Caller>, Query(asked): Query<Asked>) -> Markup {
    form(caller.as_ref(), &asked, None)
}

fn log_in(
    cookie: Result<HeaderValue, Problem>,
    caller: Option<&Caller>,
    given: &Credentials,
) -> Response {
    match cookie {
        Ok(cookie) => {
            let to = Redirect::to(link::local(&given.next));
            ([(header::SET_COOKIE, cookie)], to).into_response()
        }
        Err(refused) if refused.kind == problem::UNAUTHORIZED => {
            let asked = Asked {
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

fn form(caller: Option<&Caller>, asked: &Asked, refused: Option<&Problem>) -> Markup {
    let next = link::local(&asked.next);
    let session = caller.filter(|caller| caller.by == By::Session);
    let main = html! {
        h1 { "Log in" }
        (frame::done(asked.done.as_deref()))
        @if let Some(session) = session {
            p { "You are " (session.name) ". " a href=(next) { "Go on" } "." }
        }
        form.login method="post" action=(LOGIN) {
            @if let Some(session) = session { (frame::csrf(session)) }
            input type="hidden" name="next" value=(next);
            @if let Some(refused) = refused {
                p.wrong #refused role="alert" { (refused.kind.title) ": " (refused.detail) "." }
            }
            label for="token" { "Token" }
            input #token type="password" name="token" required autocomplete="current-password" spellcheck="false"
                aria-describedby=(if refused.is_some() { "refused" } else { "about" });
            p.small #about { "As " code { "roster token create" } " printed it. It is kept for twelve hours at most." }
            button { "Log in" }
        }
    };
    frame::bare("Log in", &main)
}
