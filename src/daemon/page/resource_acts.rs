//! The forms of acts on stored resources, and their handler. Each form has one act, the ids as
//! hidden fields, and the reason.

use super::forms::FormFields;
use super::{layout, link};
use crate::daemon::api::acts;
use crate::daemon::api::checked_act::CheckedAct;
use crate::daemon::handle::DaemonHandle;
use crate::document::{
    InvitationRequest, ResourceActReply, ResourceActRequest, TermsAcceptanceRequest,
};
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, Route};
use crate::kinds::act::{ACCEPT_TERMS, ACTS, APPROVE, ActInput, ERASE, REJECT, ResourceAct};
use crate::kinds::{self, Kind};
use crate::store::{CurrentTerms, PendingAccount, StoredResource, TermsVersion};
use axum::Form;
use axum::extract::State;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    ACTS.into_iter().map(route).collect()
}

fn route(act: &'static ResourceAct) -> Route<DaemonHandle> {
    let handler =
        move |State(handle): State<DaemonHandle>, caller: Caller, Form(form): Form<FormFields>| {
            perform(act, handle, caller, form)
        };
    Route::page(Method::POST, act.form, acts::permission(act), handler)
}

async fn perform(
    act: &'static ResourceAct,
    handle: DaemonHandle,
    caller: Caller,
    form: FormFields,
) -> Result<Response, HttpProblem> {
    let kind = Some(form.first_value("kind").to_owned());
    let ids = form.all_values("ids").map(str::to_owned).collect();
    let reason = form.first_value("reason").to_owned();
    let checked = match act.input {
        ActInput::Reason => {
            let confirm = Some(form.first_value("confirm").to_owned()).filter(|id| !id.is_empty());
            let request = ResourceActRequest {
                kind,
                ids,
                reason,
                confirm,
                ..ResourceActRequest::default()
            };
            CheckedAct::new(act, &request)?
        }
        ActInput::Invitation => {
            let request = InvitationRequest {
                kind,
                ids,
                reason,
                send: form.first_value("send") == "true",
            };
            let mut reply = invite(act, &handle, &caller, request).await?;
            if let Some(draft) = draft(&mut reply) {
                return Ok(draft);
            }
            return done(&handle, &caller, &reply, &form);
        }
        ActInput::Terms => {
            let request = TermsAcceptanceRequest {
                kind,
                ids,
                reason,
                terms: form.first_value("terms").to_owned(),
                version: form.first_value("version").to_owned(),
            };
            CheckedAct::of_acceptance(act, &request)?
        }
    };
    let reply = acts::perform(&handle, &caller, checked, None).await?;
    if act.erases {
        return Ok(erasure_page(&handle, &caller, &reply)?.into_response());
    }
    done(&handle, &caller, &reply, &form)
}

/// The way back, or what is wrong now because of the act.
fn done(
    handle: &DaemonHandle,
    caller: &Caller,
    reply: &ResourceActReply,
    form: &FormFields,
) -> Result<Response, HttpProblem> {
    if reply.warnings.is_empty() {
        return Ok(form.redirect_back("acted").into_response());
    }
    Ok(warning_page(handle, caller, reply, form)?.into_response())
}

/// What an act did, with what is wrong now because of it.
fn warning_page(
    handle: &DaemonHandle,
    caller: &Caller,
    reply: &ResourceActReply,
    form: &FormFields,
) -> Result<Markup, HttpProblem> {
    let back = link::local_path(form.first_value("back"));
    let main = html! {
        h1 { "Done, with warnings" }
        p.done role="status" { "The history and the audit log show it." }
        @for warning in &reply.warnings { p.wrong { (warning.message) " (" (warning.code) ")" } }
        p { a href=(back) { "Back" } }
    };
    layout::page(handle, caller, "/resources/", "Done", &main)
}

/// What an erasure left, with the places where the sources still name the person. The page of the
/// person is gone.
fn erasure_page(
    handle: &DaemonHandle,
    caller: &Caller,
    reply: &ResourceActReply,
) -> Result<Markup, HttpProblem> {
    let main = html! {
        h1 { "Erased" }
        p.done role="status" { "Everything that was stored about the person is gone. The audit log shows that it was done, and not to whom." }
        @for warning in &reply.warnings { p.wrong { (warning.message) } }
        @if reply.places.is_empty() {
            p { "No source names the person now." }
        } @else {
            h2 { "Still named by the sources" }
            p { "Nothing of it is stored again. Remove it:" }
            ul.steps {
                @for place in &reply.places {
                    li { (place.source) " " code { (place.origin.path) @if let Some(line) = place.origin.line { ":" (line) } } }
                }
            }
        }
        p.small { "Git history, exports on other systems and backups are not touched." }
    };
    layout::page(handle, caller, "/resources/", "Erased", &main)
}

async fn invite(
    act: &'static ResourceAct,
    handle: &DaemonHandle,
    caller: &Caller,
    request: InvitationRequest,
) -> Result<ResourceActReply, HttpProblem> {
    if !request.send && request.ids.len() > 1 {
        let detail =
            "a page gives one draft at a time; send the invitations, or use `roster user invite`";
        return Err(HttpProblem::new(problem::INVALID, detail));
    }
    acts::invite(handle, caller, act, request, None).await
}

/// The draft of an invitation, as a file to open. The page of the user says what keeps its link from
/// working.
fn draft(reply: &mut ResourceActReply) -> Option<Response> {
    let draft = reply.items.iter_mut().find_map(|item| item.draft.take());
    let headers = [
        (header::CONTENT_TYPE, "message/rfc822"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"invitation.eml\"",
        ),
    ];
    draft.map(|draft| (headers, draft).into_response())
}

/// The form of one act on one resource. `back` is the path of the page it is on.
fn form(act: &ResourceAct, kind: &Kind, id: &str, caller: &Caller, back: &str) -> Markup {
    form_with(act, kind, id, caller, back, None)
}

fn form_with(
    act: &ResourceAct,
    kind: &Kind,
    id: &str,
    caller: &Caller,
    back: &str,
    terms: Option<&TermsVersion>,
) -> Markup {
    // Several of these are on one page, and labels need unique ids.
    let label = format!(
        "why-{}-{}",
        act.name,
        link::percent_encode(terms.map_or(id, |terms| &terms.terms)).replace('%', "-")
    );
    let name = act.name.replace('-', " ");
    let confirm = format!("{label}-id");
    html! {
        form.act method="post" action=(act.form) {
            (layout::csrf(caller))
            input type="hidden" name="back" value=(back);
            input type="hidden" name="kind" value=(kind.name);
            input type="hidden" name="ids" value=(id);
            @if act.is_final {
                p.small { (act.doc) ". This cannot be undone." }
                label for=(confirm) { "Type the id " code { (id) } " once more" }
                input type="text" name="confirm" id=(confirm) required autocomplete="off";
            }
            @if let Some(terms) = terms {
                input type="hidden" name="terms" value=(terms.terms);
                input type="hidden" name="version" value=(terms.version);
            }
            label for=(label) {
                (capitalised(&name)) @if let Some(terms) = terms { " " (terms.terms) " for" }
                " " (kind.name) "/" (id) ": reason (for the audit log)"
            }
            div.line {
                input type="text" name="reason" id=(label) required maxlength="2000" autocomplete="off";
                @match act.input {
                    ActInput::Reason | ActInput::Terms => button.second { (capitalised(&name)) },
                    ActInput::Invitation => {
                        button.second { (capitalised(&name)) " by a draft" }
                        " " button.second name="send" value="true" { "Send " (name) }
                    }
                }
            }
        }
    }
}

pub(super) fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// A form that opens on a click: nobody reads a resource to find the acts first.
fn folded(act: &ResourceAct, form: &Markup) -> Markup {
    html! {
        details.act id={ "act-" (act.name) } { summary { (capitalised(&act.name.replace('-', " "))) } (form) }
    }
}

/// The acts that are possible on a resource now, each with its form.
pub(super) fn section(
    handle: &DaemonHandle,
    caller: &Caller,
    kind: &'static Kind,
    record: &StoredResource,
) -> Markup {
    // Last, because nobody should reach for it first.
    let erase = Some(&ERASE).filter(|act| act.is_for(kind));
    let possible = record.possible_acts().chain(erase);
    let possible = possible.filter(|act| may_perform(handle, caller, act));
    let possible: Vec<&ResourceAct> = possible.collect();
    let id = &record.row.key.id;
    let back = link::resource_path(kind.name, id);
    html! {
        @if !possible.is_empty() {
            section #possible {
                h2 { "Acts" }
                @for act in possible { (folded(act, &form(act, kind, id, caller, &back))) }
            }
        }
    }
}

/// The acts that can be performed on several resources at once, for a list in which they are
/// ticked.
pub(super) fn bulk_acts(
    handle: &DaemonHandle,
    caller: &Caller,
    kind: &'static Kind,
) -> Vec<&'static ResourceAct> {
    let acts = ACTS.into_iter().filter(|act| {
        act.is_for(kind)
            && !act.is_final
            && act.input == ActInput::Reason
            && may_perform(handle, caller, act)
    });
    acts.collect()
}

/// The end of a list with ticks: the reason, and a button for each act.
pub(super) fn bulk_form(acts: &[&ResourceAct], kind: &Kind, caller: &Caller, back: &str) -> Markup {
    html! {
        (layout::csrf(caller))
        input type="hidden" name="back" value=(back);
        input type="hidden" name="kind" value=(kind.name);
        label for="why-ticked" { "Reason for an act on the ticked ones (for the audit log)" }
        div.line {
            input #why-ticked type="text" name="reason" maxlength="2000" autocomplete="off";
            @for act in acts {
                button.second formaction=(act.form) { (capitalised(&act.name.replace('-', " "))) }
            }
        }
        p.small { "All of the ticked ones or none: one for which the act is not possible refuses it." }
    }
}

/// The form that erases a user whose row is gone.
pub(super) fn erasure_section(
    handle: &DaemonHandle,
    caller: &Caller,
    kind: &'static Kind,
    id: &str,
) -> Markup {
    let is_shown = ERASE.is_for(kind) && may_perform(handle, caller, &ERASE);
    html! {
        @if is_shown {
            section #possible {
                h2 { "Acts" }
                (folded(&ERASE, &form(&ERASE, kind, id, caller, "/resources")))
            }
        }
    }
}

/// The terms that a user has accepted, and a form for each document that is open, for an acceptance
/// that was given otherwise. `stored` are the stored documents.
pub(super) fn terms_section(
    handle: &DaemonHandle,
    caller: &Caller,
    record: &StoredResource,
    stored: &[CurrentTerms],
) -> Markup {
    let Some(accepted) = record.terms.as_ref().filter(|_| !stored.is_empty()) else {
        return html! {};
    };
    let is_open = |terms: &&TermsVersion| accepted.iter().all(|it| it.accepted != **terms);
    let open = stored.iter().map(|terms| &terms.current).filter(is_open);
    let (kind, id) = (kinds::get(record.row.key.kind), &record.row.key.id);
    let back = link::resource_path(kind.name, id);
    let terms = kinds::get(kinds::TERMS).name;
    html! {
        section #terms {
            h2 { "Terms" }
            ul.steps {
                @for it in accepted {
                    li { (link::resource(caller, terms, &it.accepted.terms)) " accepted " time datetime=(it.at) { (it.at) } ", version " code { (it.accepted.version) } }
                }
                @for it in open.clone() { li { (link::resource(caller, terms, &it.terms)) " not accepted" } }
            }
            @if may_perform(handle, caller, &ACCEPT_TERMS) {
                @for it in open { (form_with(&ACCEPT_TERMS, kind, id, caller, &back, Some(it))) }
            }
        }
    }
}

/// Only decides whether to show the form; the handler checks again.
fn may_perform(handle: &DaemonHandle, caller: &Caller, act: &ResourceAct) -> bool {
    if act.is_decision {
        super::holds::caller_may_approve(handle, caller)
    } else {
        caller.may(acts::permission(act))
    }
}

/// What is known of an account that waits for its approval, and the forms that decide about it.
pub(super) fn pending_account(account: &PendingAccount, caller: &Caller, approves: bool) -> Markup {
    let kind = kinds::get(kinds::ACCOUNT);
    let id = &account.external_id;
    html! {
            p { (link::resource(caller, kind.name, id)) " " (account.name) }
            dl.facts {
                @if let Some((user, name)) = &account.first_user {
                    div { dt { "First user" } dd { (link::resource(caller, "User", user)) " " (name) } }
                }
                @if let Some(address) = &account.address { div { dt { "Address" } dd { (address) } } }
                @if let Some((source, path, line)) = &account.declared {
                    div { dt { "Declared" } dd { (source) " " code { (path) ":" (line) } } }
                }
            }
            @if approves {
                @for act in [&APPROVE, &REJECT] { (form(act, kind, id, caller, "/")) }
            } @else {
                p.small { "The decision needs the role approver." }
            }
    }
}
