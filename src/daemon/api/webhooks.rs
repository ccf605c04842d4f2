//! The route for webhooks of git hosts, which make a pass come sooner. It needs no token; the
//! signature is the authentication.

use super::SourceParam;
use crate::config::Source;
use crate::daemon::handle::DaemonHandle;
use crate::daemon::webhook::{self, WebhookError, WebhookEvent, WebhookPush};
use crate::http::problem::{self, HttpProblem};
use crate::http::{AcceptedResponse, AccessRequirement, PathParams, Route};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use chrono::Utc;
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Serialize;

/// The result of a webhook.
#[derive(Debug, Serialize, JsonSchema)]
struct WebhookReply {
    /// `reconcile`, `ping`, `repeated` or `ignored`.
    result: &'static str,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::post("/api/v1/hooks/{source}", "hook", AccessRequirement::Public, receive_webhook)
            .with_docs(
                "Receive a webhook of GitHub, GitLab, Gitea or Forgejo",
                "Signed with the `webhookSecret` of the source. A push to its branch requests a pass. A repeated delivery or body starts nothing.",
            )
            .problems(&[problem::UNAUTHORIZED, problem::NOT_FOUND, problem::INVALID]),
    ]
}

async fn receive_webhook(
    State(handle): State<DaemonHandle>,
    PathParams(SourceParam { source }): PathParams<SourceParam>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<AcceptedResponse<WebhookReply>, HttpProblem> {
    let daemon = handle.daemon()?;
    let setup = daemon.current.get();
    let known = setup.config.source(&source);
    // Without a correct signature the answer must not reveal which sources exist.
    let secret = known.and_then(|known| known.webhook_secret.as_ref());
    let Some((known, secret)) = known.zip(secret) else {
        return Err(HttpProblem::new(problem::UNAUTHORIZED, "no such webhook"));
    };
    let event = webhook::verify(&headers, &body, secret.expose_secret(), Utc::now());
    // A wrong body has a correct signature, so its sender may learn what is wrong.
    let event = event.map_err(|error| match error {
        WebhookError::Body => HttpProblem::new(problem::INVALID, error.to_string()),
        _ => HttpProblem::new(problem::UNAUTHORIZED, error.to_string()),
    })?;
    let result = match event {
        WebhookEvent::Ping => "ping",
        WebhookEvent::Other(_) => "ignored",
        WebhookEvent::Push(push) if !concerns_source(known, &push) => "ignored",
        WebhookEvent::Push(push) => {
            // Remembered only after the ref was found to matter, so that pushes to other branches
            // do not displace it.
            if daemon.remember_delivery(&source, &push) {
                daemon.current.request_pass(&source, "webhook");
                "reconcile"
            } else {
                "repeated"
            }
        }
    };
    Ok(AcceptedResponse(WebhookReply { result }))
}

/// Whether a push concerns the source. If the source follows the default branch of the remote,
/// every push does, because its name is not known here.
fn concerns_source(source: &Source, push: &WebhookPush) -> bool {
    let reference = source.git().and_then(|place| place.reference.as_deref());
    reference.is_none_or(|reference| push.concerns_ref(reference))
}
