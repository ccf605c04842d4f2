//! An act whose request was checked: performs it, and says as a problem why it was refused. The
//! routes of the API and the command line use the same. Start at [`CheckedAct`].

use super::request::MAX_ID_LENGTH;
use super::{not_stored, require_max_length, require_reason};
use crate::config::Config;
use crate::daemon::invitation::InvitationOrder;
use crate::diagnostic::{none_called, plural, visible};
use crate::document::{
    MAX_ACT_IDS, NamingPlaceDocument, ResourceActReply, ResourceActRequest, TermsAcceptanceRequest,
};
use crate::http::idempotency;
use crate::http::problem::{self, HttpProblem};
use crate::kinds::act::{self, ResourceAct};
use crate::kinds::{self, Kind, USER};
use crate::model::Key;
use crate::reconcile;
use crate::store::{
    ActError, ActRefusal, ActRequest, IdempotentRequest, NewInvitations, OpenJob, RefusedResource,
    SourceMappings, Store, TermsVersion,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An act whose request is well formed: its kind exists, and it names resources and a reason.
pub struct CheckedAct {
    pub act: &'static ResourceAct,
    resources: BTreeSet<Key>,
    /// Whether the request named them with their kinds.
    has_kinds: bool,
    reason: String,
    invitations: Option<InvitationOrder>,
    confirm: Option<String>,
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
            resources: act_resources(act, request)?,
            has_kinds: !request.resources.is_empty(),
            invitations: None,
            confirm: request.confirm.clone(),
            terms: None,
        })
    }

    /// An act that records the acceptance of terms.
    pub fn of_acceptance(
        act: &'static ResourceAct,
        request: &TermsAcceptanceRequest,
    ) -> Result<Self, HttpProblem> {
        let plain = ResourceActRequest {
            kind: request.kind.clone(),
            ids: request.ids.clone(),
            reason: request.reason.clone(),
            ..ResourceActRequest::default()
        };
        let terms = TermsVersion {
            terms: request.terms.clone(),
            version: request.version.to_ascii_lowercase(),
        };
        Ok(Self {
            terms: Some(terms),
            ..Self::new(act, &plain)?
        })
    }

    pub(super) fn resources(&self) -> &BTreeSet<Key> {
        &self.resources
    }

    /// Orders an invitation for each user.
    #[must_use]
    pub fn with_invitations(mut self, order: InvitationOrder) -> Self {
        self.invitations = Some(order);
        self
    }

    /// Identifies the request, whatever the order of its resources.
    pub(super) fn digest(&self) -> [u8; 32] {
        let sends = self.invitations.as_ref().map(InvitationOrder::sends);
        let terms = self.terms.as_ref();
        let terms = terms.map(|terms| [&terms.terms, &terms.version]);
        let mut parts = Vec::new();
        for kind in kinds::ALL {
            let keys = self.resources.iter().filter(|key| key.kind == kind.id);
            let ids: Vec<&str> = keys.map(|key| key.id.as_str()).collect();
            if !ids.is_empty() {
                parts.extend([json!(kind.name), json!(ids)]);
            }
        }
        parts.extend([json!(self.reason), json!(sends), json!(terms)]);
        let parts = json!(parts);
        let parts = parts.to_string();
        idempotency::digest("POST", self.act.path, parts.as_bytes())
    }

    pub async fn perform(
        &self,
        store: &Store,
        config: &Config,
        (actor, idempotency): (&str, Option<&IdempotentRequest>),
    ) -> Result<ResourceActReply, ActError> {
        let feeds = config.sources.iter();
        let feeds = feeds.filter_map(|source| Some((source, source.feed()?)));
        let mappings: SourceMappings = feeds
            .map(|(source, feed)| (Arc::clone(&source.name), Arc::clone(&feed.mapping)))
            .collect();
        let order = self.invitations.as_ref();
        let invitations = order.map(|order| order.invitations(&self.resources));
        let request = ActRequest {
            act: self.act,
            resources: &self.resources,
            actor,
            reason: &self.reason,
            confirm: self.confirm.as_deref(),
            terms: self.terms.as_ref(),
            idempotency,
            invitations: invitations
                .as_ref()
                .map(|by_user| NewInvitations { by_user }),
            mappings: &mappings,
        };
        let report = store.act(&request).await?;
        let drafts = match order {
            Some(order) => order.drafts(store, &report.items).await?,
            None => BTreeMap::new(),
        };
        Ok(ResourceActReply::new(report).with_drafts(drafts))
    }

    /// The reply of an erasure, with the places where the sources still name the person. Reads the
    /// sources.
    pub fn with_places(&self, reply: ResourceActReply, config: &Config) -> ResourceActReply {
        if !self.act.erases {
            return reply;
        }
        let keys = self.resources.iter();
        let places = keys.flat_map(|key| reconcile::places_naming(config, key));
        reply.with_places(places.map(NamingPlaceDocument::from).collect())
    }

    fn unconfirmed(&self) -> HttpProblem {
        let name = self.act.name;
        let detail = match (self.resources.len(), self.resources.iter().next()) {
            (1, Some(key)) => format!(
                "`{name}` cannot be undone; give the id once more: `--confirm {}`, in the API `confirm`",
                key.id
            ),
            _ => format!("`{name}` cannot be undone and takes one id at a time"),
        };
        HttpProblem::new(problem::UNCONFIRMED, detail)
    }

    /// Why it was refused, as a problem.
    pub fn refusal(&self, refused: &ActRefusal) -> HttpProblem {
        match refused {
            ActRefusal::KeyReused => {
                HttpProblem::new(problem::KEY_REUSED, "use a new key for each request")
            }
            ActRefusal::NoAddress(ids) => {
                let names = ids.iter().map(|id| Key::new(USER, id).to_string());
                let names = names.collect::<Vec<_>>().join(", ");
                let has = if ids.len() == 1 { "has" } else { "have" };
                let detail = format!(
                    "{names} {has} no e-mail address; nothing was changed; declare one, or write a draft"
                );
                HttpProblem::new(problem::WRONG_STATE, detail).with("possible", Vec::<&str>::new())
            }
            ActRefusal::NotFound(keys) if self.has_kinds => {
                let names: Vec<String> = keys.iter().map(Key::to_string).collect();
                not_stored(keys).with("resources", names)
            }
            ActRefusal::NotFound(keys) => not_stored(keys),
            ActRefusal::JobsOpen(jobs) => jobs_open(jobs),
            ActRefusal::Unconfirmed => self.unconfirmed(),
            ActRefusal::UnknownTerms(id) => {
                let name = kinds::get(kinds::TERMS).name;
                HttpProblem::not_found(format!("{name}/{id} is not stored; nothing was changed"))
                    .with("ids", vec![id.clone()])
            }
            ActRefusal::TermsOutdated(stored) => terms_outdated(stored),
            ActRefusal::WrongState(resources) => wrong_state(self.act, resources),
        }
    }
}

fn jobs_open(jobs: &[OpenJob]) -> HttpProblem {
    let named = jobs
        .iter()
        .map(|job| format!("{} is {}", job.id, job.status));
    let named: Vec<String> = named.collect();
    let detail = format!(
        "somebody still works on {} of the user: {}; nothing was changed; complete what is open first",
        plural(jobs.len(), "job"),
        named.join(", ")
    );
    HttpProblem::new(problem::JOBS_OPEN, detail).with("jobs", json!(jobs))
}

/// The resources that a request is for: its ids of one kind, or keys of several kinds.
fn act_resources(
    act: &ResourceAct,
    request: &ResourceActRequest,
) -> Result<BTreeSet<Key>, HttpProblem> {
    if request.resources.is_empty() {
        if request.kind.is_none() && act.kind.is_none() && request.ids.is_empty() {
            let detail = "`resources` is empty; name them, or give `ids` with their `kind`";
            return Err(invalid(detail.to_owned()));
        }
        let kind = act_kind(act, request.kind.as_deref())?;
        require_count("ids", &request.ids)?;
        let keys = request.ids.iter().map(|id| {
            require_max_length(MAX_ID_LENGTH, "ids", id)?;
            Ok(Key::new(kind.id, id))
        });
        return keys.collect();
    }
    if !request.ids.is_empty() || request.kind.is_some() {
        return Err(invalid(
            "give `ids` with their `kind`, or `resources`, and not both".to_owned(),
        ));
    }
    require_count("resources", &request.resources)?;
    let keys = request.resources.iter().map(|text| {
        let key = Key::parse(text).ok_or_else(|| {
            let shown = visible(text);
            invalid(format!("{shown} is not KIND/ID, such as `Account/acme`"))
        })?;
        require_max_length(MAX_ID_LENGTH, "resources", &key.id)?;
        require_act_for(act, kinds::get(key.kind))?;
        Ok(key)
    });
    keys.collect()
}

fn invalid(detail: String) -> HttpProblem {
    HttpProblem::new(problem::INVALID, detail)
}

/// The kind of the ids of a request.
fn act_kind(act: &ResourceAct, name: Option<&str>) -> Result<&'static Kind, HttpProblem> {
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
    require_act_for(act, kind)?;
    Ok(kind)
}

fn require_act_for(act: &ResourceAct, kind: &Kind) -> Result<(), HttpProblem> {
    if act.is_for(kind) {
        return Ok(());
    }
    Err(HttpProblem::not_found(format!(
        "the act `{}` does not exist for the kind {}",
        act.name, kind.name
    )))
}

/// Fails unless a list names resources, and not too many.
fn require_count(list: &'static str, names: &[String]) -> Result<(), HttpProblem> {
    if names.is_empty() {
        return Err(invalid(format!(
            "`{list}` is empty; name the resources, or tick at least one"
        )));
    }
    if names.len() > MAX_ACT_IDS {
        let detail = format!("`{list}` has more than {MAX_ACT_IDS} members");
        return Err(invalid(detail));
    }
    Ok(())
}

fn terms_outdated(stored: &TermsVersion) -> HttpProblem {
    let (name, id) = (kinds::get(kinds::TERMS).name, &stored.terms);
    let detail = format!(
        "{name}/{id} has the version {}; nothing was changed; show the document of this version first",
        stored.version
    );
    HttpProblem::new(problem::TERMS_OUTDATED, detail).with("version", &*stored.version)
}

fn wrong_state(act: &ResourceAct, resources: &[RefusedResource]) -> HttpProblem {
    let code = if act.is_decision {
        problem::ALREADY_DECIDED
    } else {
        problem::WRONG_STATE
    };
    let states: Vec<&str> = resources.iter().map(|refused| &*refused.state).collect();
    let possible = act::possible(act.fact, &states);
    let named = resources
        .iter()
        .map(|refused| format!("{} is {}", refused.key, refused.state));
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
