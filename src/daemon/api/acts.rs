//! Acts on stored resources: one route per act of the table. The page calls `perform` too. The
//! command line checks, performs and refuses by the same [`CheckedAct`].

use super::records::MAX_ID_LENGTH;
use super::{require_max_length, require_reason};
use crate::daemon::handle::{DaemonHandle, HandlerError};
use crate::diagnostic::{none_called, plural};
use crate::document::{MAX_ACT_IDS, ResourceActReply, ResourceActRequest, TermsAcceptanceRequest};
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, JsonBody, Permission, Route, idempotency};
use crate::kinds::act::{self, ACTS, ActPlace, ResourceAct};
use crate::kinds::{self, Kind};
use crate::store::{
    ActError, ActRefusal, ActRequest, IdempotentRequest, RefusedResource, Store, TermsVersion,
};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;

/// The permission that an act needs.
pub(in crate::daemon) fn permission(act: &ResourceAct) -> Permission {
    if act.is_decision {
        Permission::Approve
    } else {
        Permission::Operate
    }
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    ACTS.into_iter().map(route).collect()
}

fn route(act: &'static ResourceAct) -> Route<DaemonHandle> {
    match act.place {
        ActPlace::Column => {
            let check = move |request: ResourceActRequest| CheckedAct::new(act, &request);
            route_with(act, check)
        }
        ActPlace::Acceptance => {
            let check =
                move |request: TermsAcceptanceRequest| CheckedAct::of_acceptance(act, &request);
            route_with(act, check).problems(&[problem::TERMS_OUTDATED])
        }
    }
}

/// The route of an act whose request is checked by a function.
fn route_with<R: DeserializeOwned + JsonSchema + Send + 'static>(
    act: &'static ResourceAct,
    check: impl Fn(R) -> Result<CheckedAct, HttpProblem> + Clone + Send + Sync + 'static,
) -> Route<DaemonHandle> {
    let handler = move |State(handle): State<DaemonHandle>,
                        caller: Caller,
                        headers: HeaderMap,
                        JsonBody(request): JsonBody<R>| {
        let checked = check(request);
        async move {
            let key = idempotency::key(&headers)?;
            let reply = perform(&handle, &caller, checked?, key).await?;
            Ok::<_, HttpProblem>(Json(reply))
        }
    };
    Route::post(act.path, act.operation, permission(act), handler)
        .with_docs(
            act.doc,
            "All ids or none. Recorded in the history and in the audit log.",
        )
        .problems(&[
            problem::NOT_FOUND,
            problem::WRONG_STATE,
            problem::ALREADY_DECIDED,
            problem::NO_PERMISSION,
        ])
}

/// Performs an act in the name of the caller.
pub(in crate::daemon) async fn perform(
    handle: &DaemonHandle,
    caller: &Caller,
    checked: CheckedAct,
    key: Option<String>,
) -> Result<ResourceActReply, HttpProblem> {
    let act = checked.act;
    if act.is_decision
        && let Err(refused) = handle.setup()?.config.may_approve(&caller.name)
    {
        return Err(HttpProblem::new(problem::NO_PERMISSION, refused));
    }
    let idempotency = key.map(|key| IdempotentRequest {
        key,
        digest: checked.digest(),
    });
    let actor = caller.name.to_string();
    handle
        .query_store(move |store| async move {
            let done = checked.perform(&store, &actor, idempotency.as_ref()).await;
            done.map_err(|error| match error {
                ActError::Refused(refused) => checked.refusal(&refused).into(),
                ActError::Store(error) => HandlerError::from(error),
                ActError::Unknown(error) => HttpProblem::internal(error).into(),
            })
        })
        .await
}

/// An act whose request is well formed: its kind exists, and it names resources and a reason.
pub struct CheckedAct {
    pub act: &'static ResourceAct,
    kind: &'static Kind,
    ids: BTreeSet<String>,
    reason: String,
    terms: Option<TermsVersion>,
}

impl CheckedAct {
    pub fn new(
        act: &'static ResourceAct,
        request: &ResourceActRequest,
    ) -> Result<Self, HttpProblem> {
        Ok(Self {
            act,
            reason: require_reason(&request.reason)?.to_owned(),
            kind: act_kind(act, request.kind.as_deref())?,
            ids: act_ids(&request.ids)?,
            terms: None,
        })
    }

    /// An act that records the acceptance of terms.
    pub fn of_acceptance(
        act: &'static ResourceAct,
        request: &TermsAcceptanceRequest,
    ) -> Result<Self, HttpProblem> {
        Ok(Self {
            act,
            reason: require_reason(&request.reason)?.to_owned(),
            kind: act_kind(act, request.kind.as_deref())?,
            ids: act_ids(&request.ids)?,
            terms: Some(TermsVersion {
                terms: request.terms.clone(),
                version: request.version.to_ascii_lowercase(),
            }),
        })
    }

    /// Identifies the request, whatever the order of its ids.
    fn digest(&self) -> [u8; 32] {
        let terms = self.terms.as_ref();
        let terms = terms.map(|terms| [&terms.terms, &terms.version]);
        let parts = serde_json::json!([self.kind.name, self.ids, self.reason, terms]).to_string();
        idempotency::digest("POST", self.act.path, parts.as_bytes())
    }

    pub async fn perform(
        &self,
        store: &Store,
        actor: &str,
        idempotency: Option<&IdempotentRequest>,
    ) -> Result<ResourceActReply, ActError> {
        let request = ActRequest {
            act: self.act,
            kind: self.kind,
            ids: &self.ids,
            actor,
            reason: &self.reason,
            terms: self.terms.as_ref(),
            idempotency,
        };
        let report = store.act(&request).await?;
        Ok(ResourceActReply::new(self.kind, report))
    }

    /// Why it was refused, as a problem.
    pub fn refusal(&self, refused: &ActRefusal) -> HttpProblem {
        match refused {
            ActRefusal::KeyReused => {
                HttpProblem::new(problem::KEY_REUSED, "use a new key for each request")
            }
            ActRefusal::NotFound(ids) => {
                let names = ids.iter().map(|id| format!("{}/{id}", self.kind.name));
                let names: Vec<String> = names.collect();
                let verb = if ids.len() == 1 { "is" } else { "are" };
                let names = names.join(", ");
                HttpProblem::not_found(format!("{names} {verb} not stored; nothing was changed"))
                    .with("ids", ids.clone())
            }
            ActRefusal::UnknownTerms(id) => {
                let name = kinds::get(kinds::TERMS).name;
                HttpProblem::not_found(format!("{name}/{id} is not stored; nothing was changed"))
                    .with("ids", vec![id.clone()])
            }
            ActRefusal::TermsOutdated(stored) => terms_outdated(stored),
            ActRefusal::WrongState(resources) => wrong_state(self.act, self.kind, resources),
        }
    }
}

/// The kind that a request is for.
fn act_kind(act: &ResourceAct, name: Option<&str>) -> Result<&'static Kind, HttpProblem> {
    let invalid = |detail: String| HttpProblem::new(problem::INVALID, detail);
    let kind = match (name, act.kind) {
        (None, Some(only)) => kinds::get(only),
        (None, None) => {
            let detail = format!("name the `kind`: `{}` is for several kinds", act.name);
            return Err(HttpProblem::not_found(detail));
        }
        (Some(name), _) => kinds::by_name(name).ok_or_else(|| {
            let names = kinds::ALL.iter().map(|kind| kind.name);
            invalid(none_called("kind", name, names))
        })?,
    };
    if act.is_for(kind) {
        return Ok(kind);
    }
    Err(HttpProblem::not_found(format!(
        "the act `{}` does not exist for the kind {}",
        act.name, kind.name
    )))
}

fn act_ids(ids: &[String]) -> Result<BTreeSet<String>, HttpProblem> {
    let invalid = |detail: String| HttpProblem::new(problem::INVALID, detail);
    if ids.is_empty() {
        return Err(invalid("`ids` is empty; name the resources".to_owned()));
    }
    if ids.len() > MAX_ACT_IDS {
        return Err(invalid(format!(
            "`ids` has more than {MAX_ACT_IDS} members"
        )));
    }
    for id in ids {
        require_max_length(MAX_ID_LENGTH, "ids", id)?;
    }
    Ok(ids.iter().cloned().collect())
}

fn terms_outdated(stored: &TermsVersion) -> HttpProblem {
    let (name, id) = (kinds::get(kinds::TERMS).name, &stored.terms);
    let detail = format!(
        "{name}/{id} has the version {}; nothing was changed; show the document of this version first",
        stored.version
    );
    HttpProblem::new(problem::TERMS_OUTDATED, detail).with("version", &*stored.version)
}

fn wrong_state(act: &ResourceAct, kind: &Kind, resources: &[RefusedResource]) -> HttpProblem {
    let code = if act.is_decision {
        problem::ALREADY_DECIDED
    } else {
        problem::WRONG_STATE
    };
    let states: Vec<&str> = resources.iter().map(|refused| &*refused.state).collect();
    let possible = act::possible(act.fact, &states);
    let named = resources
        .iter()
        .map(|refused| format!("{}/{} is {}", kind.name, refused.external_id, refused.state));
    let named: Vec<String> = named.collect();
    let way = match possible.as_slice() {
        [] if resources.len() > 1 => "no act is possible for all of them".to_owned(),
        [] if !act.instead.is_empty() => act.instead.to_owned(),
        [] => "no act is possible now".to_owned(),
        acts => format!("possible now: {}", acts.join(", ")),
    };
    let detail = format!("{}; nothing was changed; {way}", named.join(", "));
    HttpProblem::new(code, detail).with("possible", possible)
}

/// What an act did, in a sentence.
pub fn done_sentence(act: &ResourceAct, reply: &ResourceActReply) -> String {
    let names = reply.items.iter();
    let names: Vec<String> = names
        .map(|item| format!("{}/{}", item.kind, item.external_id))
        .collect();
    match names.as_slice() {
        [one] => format!("{} {one}.", act.done),
        many => format!(
            "{} {}: {}.",
            act.done,
            plural(many.len(), "resource"),
            many.join(", ")
        ),
    }
}
