//! Webhooks of git hosts: a push makes the pass come sooner.

use super::Door;
use crate::config::Source;
use crate::daemon::webhook::{self, Push, Told, WebhookError};
use crate::http::problem::{self, Problem};
use crate::http::{Accepted, Needs, Path, Route};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use chrono::Utc;
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

/// A source by name.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Named {
    /// The name of the source in the configuration.
    source: String,
}

/// The result of a webhook.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Heard {
    /// `reconcile`, `ping`, `repeated` or `ignored`.
    result: &'static str,
}

pub(super) fn routes() -> Vec<Route<Door>> {
    vec![
        Route::post("/api/v1/hooks/{source}", "hook", Needs::Nothing, hook)
            .says(
                "Receive a webhook of GitHub, GitLab, Gitea or Forgejo",
                "Signed with the `webhookSecret` of the source. A push to its branch requests a pass. A repeated delivery or body starts nothing.",
            )
            .problems(&[problem::UNAUTHORIZED, problem::NOT_FOUND, problem::INVALID]),
    ]
}

async fn hook(
    State(door): State<Door>,
    Path(Named { source }): Path<Named>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Accepted<Heard>, Problem> {
    let daemon = door.daemon()?;
    let setup = daemon.setup();
    let known = setup.config.source(&source);
    // Who sends no right signature does not learn which sources there are.
    let secret = known.and_then(|known| known.webhook_secret.as_ref());
    let Some((known, secret)) = known.zip(secret) else {
        return Err(Problem::new(
            problem::UNAUTHORIZED,
            "the webhook is not known here",
        ));
    };
    let told = webhook::verify(&headers, &body, secret.expose_secret(), Utc::now());
    let told = told.map_err(|error| match error {
        WebhookError::Body => Problem::new(problem::INVALID, error.to_string()),
        _ => Problem::new(problem::UNAUTHORIZED, error.to_string()),
    })?;
    let result = match told {
        Told::Ping => "ping",
        Told::Other(_) => "ignored",
        Told::Push(push) if !wanted(known, &push) => "ignored",
        Told::Push(push) => {
            if daemon.first_delivery(&source, &push) {
                if let Some(worker) = daemon.worker(&source) {
                    worker.knock("webhook");
                }
                "reconcile"
            } else {
                "repeated"
            }
        }
    };
    Ok(Accepted(Heard { result }))
}

/// Whether a push brings something to look at. Of the branch that the remote points at nobody here
/// knows the name.
fn wanted(source: &Source, push: &Push) -> bool {
    let reference = source.git().and_then(|place| place.reference.as_deref());
    reference.is_none_or(|reference| push.matters(reference))
}
