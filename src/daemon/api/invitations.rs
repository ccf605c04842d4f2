//! The links of invitations: a person sets a password, without a token. The page calls the same
//! functions.

use crate::daemon::handle::{DaemonHandle, HandlerError};
use crate::daemon::invitation::token_digest;
use crate::document::{AcceptedInvitationReply, InvitationAcceptanceRequest};
use crate::http::problem::{self, HttpProblem};
use crate::http::rate::ClientKey;
use crate::http::{AccessRequirement, JsonBody, PathParams, PeerAddress, Route};
use crate::secrets::{PASSWORD_RULE, hash_password, password_weakness};
use crate::store::{
    ActError, CurrentTerms, InvitationAcceptance, InvitationError, StoredInvitation,
    require_current_terms, require_open,
};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Instant;

/// The token of a link.
#[derive(Deserialize, JsonSchema)]
pub(in crate::daemon) struct InvitationParam {
    /// The end of the link.
    pub token: String,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::post(
            "/api/v1/invitations/{token}",
            "acceptInvitation",
            AccessRequirement::Public,
            accept_route,
        )
        .with_docs(
            "Accept an invitation",
            "Sets the password of the person and lets them log in. Needs no token: the link itself \
             gives the right, once. All current terms have to be accepted.",
        )
        .problems(&[
            problem::LINK_USED,
            problem::LINK_EXPIRED,
            problem::TERMS_OUTDATED,
            problem::PASSWORD_WEAK,
        ]),
    ]
}

async fn accept_route(
    State(handle): State<DaemonHandle>,
    peer: PeerAddress,
    PathParams(link): PathParams<InvitationParam>,
    JsonBody(request): JsonBody<InvitationAcceptanceRequest>,
) -> Result<Json<AcceptedInvitationReply>, HttpProblem> {
    let password = request.password.into();
    let external_id = accept(&handle, peer, &link.token, password, request.terms).await?;
    Ok(Json(AcceptedInvitationReply { external_id }))
}

/// Returns the invitation of a link that works, and the current terms. Changes nothing.
pub(in crate::daemon) async fn open(
    handle: &DaemonHandle,
    peer: PeerAddress,
    token: &str,
) -> Result<(StoredInvitation, Vec<CurrentTerms>), HttpProblem> {
    let digest = token_digest(token);
    let (found, terms) = handle
        .query_store(move |store| async move {
            let found = store.invitation_of_token(&digest).await?;
            Ok::<_, HandlerError>((found, store.current_terms().await?))
        })
        .await?;
    match require_open(found) {
        Ok(invitation) => Ok((invitation, terms)),
        Err(refused) => Err(count_unknown(handle, peer, refusal(refused))),
    }
}

/// Uses a link. Returns the external id of the person.
pub(in crate::daemon) async fn accept(
    handle: &DaemonHandle,
    peer: PeerAddress,
    token: &str,
    password: SecretString,
    accepted: BTreeMap<String, String>,
) -> Result<String, HttpProblem> {
    // Checked first, because hashing a password is slow on purpose. The transaction checks again.
    let (invitation, terms) = open(handle, peer, token).await?;
    if let Some(lack) = password_weakness(&password) {
        let detail = format!("the password {lack}; use {PASSWORD_RULE}");
        return Err(HttpProblem::new(problem::PASSWORD_WEAK, detail));
    }
    require_current_terms(terms, &accepted).map_err(refusal)?;
    let digest = token_digest(token);
    handle
        .query_store(move |store| async move {
            let hash = hash_password(&password)
                .ok_or_else(|| HttpProblem::internal("the password could not be hashed"))?;
            let given = InvitationAcceptance {
                token_hash: &digest,
                password_hash: &hash,
                terms: &accepted,
            };
            let done = store.accept_invitation(&given).await;
            done.map_err(|error| match error {
                InvitationError::Act(ActError::Store(error)) => HandlerError::from(error),
                other => refusal(other).into(),
            })
        })
        .await?;
    Ok(invitation.user)
}

/// Counts links that do not exist, so that nobody can try many.
fn count_unknown(handle: &DaemonHandle, peer: PeerAddress, refused: HttpProblem) -> HttpProblem {
    if refused.kind != problem::NOT_FOUND {
        return refused;
    }
    let counted = handle.daemon().map(|daemon| {
        let who = ClientKey::address(peer.0);
        daemon.wrong_links.take(&who, Instant::now())
    });
    match counted {
        Ok(Err(wait)) => HttpProblem::new(problem::TOO_MANY, "too many links that do not exist")
            .retry_after(wait),
        _ => refused,
    }
}

/// Why a link was not used, as a problem.
fn refusal(refused: InvitationError) -> HttpProblem {
    match refused {
        InvitationError::Unknown => HttpProblem::not_found(
            "this link does not exist; open the whole link from the newest mail",
        ),
        InvitationError::Used => HttpProblem::new(
            problem::LINK_USED,
            "a link works once; log in with your password, or ask for a new invitation",
        ),
        InvitationError::Expired => {
            HttpProblem::new(problem::LINK_EXPIRED, "ask for a new invitation")
        }
        InvitationError::TermsOutdated(current) => {
            let versions = current.iter().map(|terms| {
                (
                    terms.current.terms.clone(),
                    terms.current.version.clone().into(),
                )
            });
            let versions: serde_json::Map<String, serde_json::Value> = versions.collect();
            let detail = "accept the current version of each document, as in `terms`";
            HttpProblem::new(problem::TERMS_OUTDATED, detail).with("terms", versions)
        }
        InvitationError::Act(error) => HttpProblem::internal(error),
    }
}
