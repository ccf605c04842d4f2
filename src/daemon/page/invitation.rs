//! The page behind the link of an invitation: a form for a password and the terms.
//!
//! It is for customers and not for operators, so it shows nothing of the site and asks for no
//! token. Looking at it changes nothing, because mail programs follow links. The link itself is a
//! secret: no other page and no server learns it from the browser.

use super::layout;
use crate::daemon::api::invitations::{self, InvitationParam};
use crate::daemon::handle::DaemonHandle;
use crate::daemon::page::forms::FormFields;
use crate::http::problem::{self, HttpProblem};
use crate::http::{
    AccessRequirement, AuthMethod, Caller, PathParams, PeerAddress, Route, RouteAddress,
};
use crate::secrets::PASSWORD_RULE;
use crate::store::CurrentTerms;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The form as it is sent to this path again.
const PATH: &str = "/invitation/{token}";
/// What the names of the boxes for documents begin with.
const TERMS: &str = "terms.";

#[derive(Deserialize)]
struct TermsParam {
    token: String,
    sha256: String,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    let public = AccessRequirement::Public;
    let pages = [
        Route::page(Method::GET, PATH, public, show),
        Route::page(Method::POST, PATH, public, accept),
        Route::page(
            Method::GET,
            "/invitation/{token}/terms/{sha256}",
            public,
            terms,
        ),
    ];
    let pages = pages.into_iter();
    pages.map(|page| page.at(RouteAddress::Customers)).collect()
}

async fn show(
    State(handle): State<DaemonHandle>,
    peer: PeerAddress,
    caller: Option<Caller>,
    PathParams(link): PathParams<InvitationParam>,
) -> Response {
    private(match invitations::open(&handle, peer, &link.token).await {
        Ok((_, terms)) => form(caller.as_ref(), &link.token, &terms, None).into_response(),
        Err(refused) => refusal(&refused),
    })
}

async fn accept(
    State(handle): State<DaemonHandle>,
    peer: PeerAddress,
    caller: Option<Caller>,
    PathParams(link): PathParams<InvitationParam>,
    Form(fields): Form<FormFields>,
) -> Response {
    let password = fields.first_value("password").to_owned().into();
    let accepted: BTreeMap<String, String> = fields
        .pairs()
        .filter_map(|(name, value)| Some((name.strip_prefix(TERMS)?.to_owned(), value.to_owned())))
        .collect();
    let done = invitations::accept(&handle, peer, &link.token, password, accepted).await;
    private(match done {
        Ok(_) => done_page().into_response(),
        // Shown again, with what has to be different.
        Err(refused)
            if [problem::PASSWORD_WEAK, problem::TERMS_OUTDATED].contains(&refused.kind) =>
        {
            match invitations::open(&handle, peer, &link.token).await {
                Ok((_, terms)) => {
                    let form = form(caller.as_ref(), &link.token, &terms, Some(&refused));
                    (refused.kind.status, form).into_response()
                }
                Err(refused) => refusal(&refused),
            }
        }
        Err(refused) => refusal(&refused),
    })
}

/// A document, for whoever is asked to accept it.
async fn terms(
    State(handle): State<DaemonHandle>,
    peer: PeerAddress,
    PathParams(of): PathParams<TermsParam>,
) -> Response {
    private(match document(&handle, peer, of).await {
        Ok(content) => {
            let headers = [
                (header::CONTENT_TYPE, media_type(&content)),
                // A document of its own origin: it can run no script and send no form.
                (
                    header::CONTENT_SECURITY_POLICY,
                    "sandbox; default-src 'none'",
                ),
            ];
            (headers, content).into_response()
        }
        Err(refused) => refusal(&refused),
    })
}

async fn document(
    handle: &DaemonHandle,
    peer: PeerAddress,
    of: TermsParam,
) -> Result<Vec<u8>, HttpProblem> {
    let (_, terms) = invitations::open(handle, peer, &of.token).await?;
    let missing = || HttpProblem::not_found("this is not a current document");
    if !terms.iter().any(|terms| terms.current.version == of.sha256) {
        return Err(missing());
    }
    let content = handle
        .query_store(move |store| async move { store.file_content(&of.sha256).await })
        .await?;
    content.ok_or_else(missing)
}

fn media_type(content: &[u8]) -> &'static str {
    if content.starts_with(b"%PDF-") {
        "application/pdf"
    } else if std::str::from_utf8(content).is_ok() {
        // Also of HTML: its words can be read, and nothing in it is run.
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    }
}

fn form(
    caller: Option<&Caller>,
    token: &str,
    terms: &[CurrentTerms],
    refused: Option<&HttpProblem>,
) -> Markup {
    let session = caller.filter(|caller| caller.auth_method == AuthMethod::Session);
    let main = html! {
        h1 { "Set your password" }
        form.login method="post" autocomplete="on" {
            // The browser of an operator sends the cookie of the session along, and a request with
            // a session needs its token.
            @if let Some(session) = session { (layout::csrf(session)) }
            @if let Some(refused) = refused {
                p.wrong #refused role="alert" { (refused.kind.title) ": " (refused.detail) "." }
            }
            label for="password" { "New password" }
            input #password type="password" name="password" required minlength="8" maxlength="255"
                autocomplete="new-password" spellcheck="false"
                aria-describedby=(if refused.is_some() { "refused rule" } else { "rule" });
            p.small #rule { "Use " (PASSWORD_RULE) "." }
            @for (at, terms) in terms.iter().enumerate() {
                p {
                    input id={ "terms-" (at) } type="checkbox" name={ (TERMS) (terms.current.terms) }
                        value=(terms.current.version) required;
                    " " label for={ "terms-" (at) } { "I accept: " (terms.title) } " "
                    a href={ "/invitation/" (token) "/terms/" (terms.current.version) } target="_blank" rel="noopener" {
                        "Read " (terms.title)
                    }
                }
            }
            button { "Set password" }
        }
    };
    layout::page_for_customers("Set your password", &main)
}

fn done_page() -> Markup {
    let main = html! {
        h1 { "Your password is set" }
        p role="status" { "You can log in now." }
    };
    layout::page_for_customers("Your password is set", &main)
}

fn refusal(refused: &HttpProblem) -> Response {
    let main = html! {
        h1 { (refused.kind.title) }
        p role="alert" { (refused.detail) "." }
    };
    let page = layout::page_for_customers(refused.kind.title, &main);
    let mut response = (refused.kind.status, page).into_response();
    if let Some(wait) = refused.retry_after {
        let seconds = HeaderValue::from(wait.as_secs().max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// Keeps the link out of requests to other pages, and out of search engines.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    response
}
