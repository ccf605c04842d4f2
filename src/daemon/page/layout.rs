//! The frame of every page: header, navigation and footer, and the messages after forms.
//!
//! [`page`] is for callers who are known, [`page_without_caller`] for the login and for errors.
//! There is no inline script or style, because the content policy forbids both.

use super::assets::{SCRIPT, STYLE};
use super::value;
use crate::daemon::handle::DaemonHandle;
use crate::diagnostic::visible;
use crate::http::problem::{self, HttpProblem, ProblemKind};
use crate::http::session::CSRF_FIELD;
use crate::http::{AuthMethod, Caller, Permission};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

/// The parts of the site: path, name, and whether only callers with access to every source see it.
const PARTS: [(&str, &str, bool); 5] = [
    ("/", "Home", false),
    ("/sources", "Sources", false),
    ("/resources", "Resources", true),
    ("/runs", "Runs", false),
    ("/acts", "Audit log", true),
];

/// The messages after a form, by the word in `?done=`. Only these: a link with a text of its own
/// could otherwise make the page say anything.
const DONE: [(&str, &str); 13] = [
    ("acted", "Done. The history and the audit log show it."),
    ("begun", "Approved. A pass was requested."),
    ("approved", "Approved. A pass was requested."),
    ("approved-revert", "Approved. Now the run can be reverted."),
    (
        "asked-revert",
        "Recorded. What is held needs an approval before the run can be reverted.",
    ),
    ("rejected", "Rejected. It stays held; change the source."),
    ("rejected-revert", "Rejected. It is not reverted."),
    ("reverted", "Reverted. The audit log shows it."),
    ("asked", "A pass was requested."),
    (
        "overruled",
        "A pass was requested. It applies outside the window.",
    ),
    ("suspended", "Suspended."),
    ("resumed", "Resumed. A pass was requested."),
    ("out", "You are logged out."),
];

/// Renders a page for a caller. `here` is the path of the part of the site; with a slash at its end,
/// the page is one within the part.
pub(super) fn page(
    handle: &DaemonHandle,
    caller: &Caller,
    here: &str,
    title: &str,
    main: &Markup,
) -> Result<Markup, HttpProblem> {
    let daemon = handle.daemon()?;
    let setup = daemon.current.get();
    let environment = setup.config.environment.as_deref();
    let header = html! {
        @if let Some(environment) = environment { span.environment { (environment) } }
        nav aria-label="Main" {
            ul {
                @for (path, name, whole) in PARTS {
                    @if !whole || caller.sources.is_none() {
                        li { a href=(path) aria-current=[current(path, here)] { (name) } }
                    }
                }
            }
        }
        // What it finds may come from any source.
        @if caller.sources.is_none() {
            form.find role="search" aria-label="Everything" method="get" action="/search" {
                label.unseen for="find" { "Search everything" }
                input #find type="search" name="q" placeholder="Search" maxlength="200" title="Press / to search" aria-keyshortcuts="/";
            }
        }
        div.who {
            span { (caller.name) " (" (caller.role) ")" }
            // A caller with a token in the header, or without any, has no session to end.
            @if caller.auth_method == AuthMethod::Session {
                form method="post" action="/logout" { (csrf(caller)) button.quiet { "Log out" } }
            }
        }
    };
    let footer =
        html! { p { "roster " (env!("CARGO_PKG_VERSION")) " on " (daemon.board.replica) } };
    Ok(document(title, &brand(&header), main, &footer))
}

/// The value of `aria-current` of the link to a part.
fn current(path: &str, here: &str) -> Option<&'static str> {
    match here.strip_suffix('/') {
        _ if here == path => Some("page"),
        Some(part) if part == path => Some("true"),
        _ => None,
    }
}

/// The way to a page within a part: the path and name of each page above it, and its own name.
pub(super) fn breadcrumbs(above: &[(&str, &str)], name: &str) -> Markup {
    html! {
        nav.crumbs aria-label="Breadcrumbs" {
            ol {
                @for (path, name) in above { li { a href=(path) { (visible(name)) } } }
                li aria-current="page" { (visible(name)) }
            }
        }
    }
}

/// Renders a page without a caller: the login, and errors.
pub(super) fn page_without_caller(title: &str, main: &Markup) -> Markup {
    document(title, &brand(&html! {}), main, &html! {})
}

/// Renders a page for customers, who have no business on the other pages.
pub(super) fn page_for_customers(title: &str, main: &Markup) -> Markup {
    document(title, &html! {}, main, &html! {})
}

/// The top of a page of the site.
fn brand(header: &Markup) -> Markup {
    html! { header.top { a.brand href="/" { "Roster" } (header) } }
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
                // An empty icon, so that browsers do not ask for `/favicon.ico`.
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(STYLE.path);
                script src=(SCRIPT.path) defer {}
            }
            body {
                a.skip href="#main" { "Skip to content" }
                (header)
                // The script shows it if a refresh fails.
                p #stale role="status" hidden { "The daemon does not answer. This page may be out of date." }
                // Focusable, because the script moves the focus here if the focused element is
                // gone.
                main #main tabindex="-1" { (main) }
                footer.end { (footer) }
            }
        }
    }
}

/// The hidden field that proves a form was sent from a page of this session.
pub(super) fn csrf(caller: &Caller) -> Markup {
    html! {
        @if let Some(token) = &caller.csrf {
            input type="hidden" name=(CSRF_FIELD) value=(token);
        }
    }
}

/// Shows what the previous form did.
pub(super) fn done_message(word: Option<&str>) -> Markup {
    let found = word.and_then(|word| DONE.iter().find(|(known, _)| *known == word));
    html! { @if let Some((_, message)) = found { p.done role="status" { (message) } } }
}

/// Whether the caller may reconcile, suspend and resume sources.
pub(super) fn is_operator(caller: &Caller) -> bool {
    caller.may(Permission::Operate)
}

/// What somebody with a browser does about a problem. The advice of many kinds is about commands and
/// the API.
fn advice(kind: &ProblemKind) -> &str {
    match kind.code {
        "bad-request" => {
            "The address or the form has a value that the page does not understand. Go back and try again."
        }
        "unauthorized" => "Your session ended, or you have none. Log in with your token.",
        "login-failed" => "The login, the password, or both are wrong, or the user may not log in.",
        "no-permission" => "Your role may not do this. Somebody with another role can.",
        "password-wrong" => {
            "A new password needs the current one. Somebody who forgot it needs a new invitation."
        }
        "misdirected" => "The name in the address is not that of this server. Check the address.",
        "not-found" => {
            "Nothing has this id, or you may not see it. Check the address, or search for it."
        }
        "method-not-allowed" => "This address is for a form. Go back and send the form again.",
        "not-acceptable" => "The server has nothing in the form that your browser asked for.",
        "suspended" => "Somebody suspended the source. Its page can resume it.",
        "wrong-state" => {
            "Somebody else may have acted meanwhile. Load the page again to see what is possible now."
        }
        "already-decided" => "Somebody decided it before. Load the page again to see the decision.",
        "not-configured" => "Whoever runs Roster has to add the missing setting.",
        "link-used" => {
            "The link of an invitation works once. If the password is not set, ask for a new invitation."
        }
        "link-expired" => {
            "The link is too old, a newer one replaced it, or the user is blocked or inactive. Ask for a new invitation."
        }
        "too-large" => "The file or the form is too large. Send less at once.",
        "unsupported-media-type" => {
            "The form was sent in a way that the page does not understand. Load it again."
        }
        "confirmation-needed" => "The act is final. Go back and enter the id once more.",
        "too-many-requests" => "Wait a while, then try again.",
        _ => kind.advice,
    }
}

/// Renders a problem as a page. It has no header, because the caller may be unknown.
pub(in crate::daemon) fn problem(problem: &HttpProblem, request: &str) -> Response {
    let login = problem.kind == problem::UNAUTHORIZED;
    let main = html! {
        div.alone {
            p.status { (problem.kind.status.as_str()) }
            h1 { (problem.kind.title) }
            @if !problem.detail.is_empty() { p { (problem.detail) } }
            p.small { (value::prose(advice(problem.kind))) }
            p {
                @if login { a.button href="/login" { "Log in" } } @else { a.button href="/" { "Go to the home page" } }
            }
            p.small { "Request " code { (request) } }
        }
    };
    (
        problem.kind.status,
        page_without_caller(problem.kind.title, &main),
    )
        .into_response()
}
