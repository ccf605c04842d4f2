//! What stands around every page.

use super::assets::{SCRIPT, STYLE};
use crate::daemon::api::DaemonHandle;
use crate::http::problem::{self, HttpProblem};
use crate::http::session::CSRF_FIELD;
use crate::http::{AuthMethod, Caller, Permission};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

/// The parts of the site; those that are only for who sees every source are marked.
const PARTS: [(&str, &str, bool); 4] = [
    ("/", "Inbox", false),
    ("/resources", "Resources", true),
    ("/runs", "Runs", false),
    ("/acts", "Audit log", true),
];

/// What a form came to, as the page after it says.
const DONE: [(&str, &str); 7] = [
    ("begun", "Approved. A pass was requested."),
    ("approved", "Approved. A pass was requested."),
    ("asked", "A pass was requested."),
    (
        "overruled",
        "A pass was requested. It applies outside the window.",
    ),
    ("suspended", "Suspended."),
    ("resumed", "Resumed. A pass was requested."),
    ("out", "You are logged out."),
];

/// A whole page.
pub(super) fn page(
    door: &DaemonHandle,
    caller: &Caller,
    here: &str,
    title: &str,
    main: &Markup,
) -> Result<Markup, HttpProblem> {
    let daemon = door.daemon()?;
    let setup = daemon.setup();
    let environment = setup.config.environment.as_deref();
    let header = html! {
        @if let Some(environment) = environment { span.environment { (environment) } }
        nav aria-label="Main" {
            ul {
                @for (path, name, whole) in PARTS {
                    @if !whole || caller.sources.is_none() {
                        li { a href=(path) aria-current=[(path == here).then_some("page")] { (name) } }
                    }
                }
            }
        }
        div.who {
            span { (caller.name) " (" (caller.role) ")" }
            @if caller.auth_method == AuthMethod::Session {
                form method="post" action="/logout" { (csrf(caller)) button.quiet { "Log out" } }
            }
        }
    };
    let footer = html! { p { "roster " (env!("CARGO_PKG_VERSION")) " on " (daemon.replica) } };
    Ok(document(title, &header, main, &footer))
}

/// The page of somebody who is not known yet, or of whom nothing is known.
pub(super) fn page_without_caller(title: &str, main: &Markup) -> Markup {
    document(title, &html! {}, main, &html! {})
}

fn document(title: &str, header: &Markup, main: &Markup, footer: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Roster" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(STYLE.path);
                script src=(SCRIPT.path) defer {}
            }
            body {
                a.skip href="#main" { "Skip to content" }
                header.top { a.brand href="/" { "Roster" } (header) }
                p #stale role="status" hidden { "The daemon does not answer. This page may be out of date." }
                main #main tabindex="-1" { (main) }
                footer.end { (footer) }
            }
        }
    }
}

/// What makes a form one of this session.
pub(super) fn csrf(caller: &Caller) -> Markup {
    html! {
        @if let Some(token) = &caller.csrf {
            input type="hidden" name=(CSRF_FIELD) value=(token);
        }
    }
}

/// What the form before came to.
pub(super) fn done_message(word: Option<&str>) -> Markup {
    let told = word.and_then(|word| DONE.iter().find(|(known, _)| *known == word));
    html! { @if let Some((_, told)) = told { p.done role="status" { (told) } } }
}

/// Whether the caller keeps sources going.
pub(super) fn is_operator(caller: &Caller) -> bool {
    caller.may(Permission::Operate)
}

/// A problem as a page.
pub(in crate::daemon) fn problem(problem: &HttpProblem, request: &str) -> Response {
    let login = problem.kind == problem::UNAUTHORIZED;
    let main = html! {
        h1 { (problem.kind.title) }
        @if !problem.detail.is_empty() { p { (problem.detail) } }
        p {
            @if login { a href="/login" { "Log in" } } @else { a href="/" { "Go to the inbox" } }
        }
        p.small { "Request " code { (request) } }
    };
    (
        problem.kind.status,
        page_without_caller(problem.kind.title, &main),
    )
        .into_response()
}
