//! The forms of acts on stored resources, and their handler. Each form has one act, the ids as
//! hidden fields, and the reason.

use super::forms::FormFields;
use super::{layout, link};
use crate::daemon::api::acts;
use crate::daemon::handle::DaemonHandle;
use crate::document::{InvitationRequest, ResourceActRequest};
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, Route};
use crate::kinds::Kind;
use crate::kinds::act::{ACTS, APPROVE, ActInput, REJECT, ResourceAct};
use crate::store::{PendingAccount, StoredResource};
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
    let request = ResourceActRequest {
        kind: Some(form.first_value("kind").to_owned()),
        ids: form.all_values("ids").map(str::to_owned).collect(),
        reason: form.first_value("reason").to_owned(),
        confirm: Some(form.first_value("confirm").to_owned()).filter(|id| !id.is_empty()),
    };
    match act.input {
        ActInput::Reason => {
            acts::perform(&handle, &caller, act, request, None).await?;
        }
        ActInput::Invitation => {
            if let Some(draft) = invite(act, &handle, &caller, request, &form).await? {
                return Ok(draft);
            }
        }
    }
    Ok(form.redirect_back("acted").into_response())
}

/// Invites, and returns the draft as a file to open.
async fn invite(
    act: &'static ResourceAct,
    handle: &DaemonHandle,
    caller: &Caller,
    request: ResourceActRequest,
    form: &FormFields,
) -> Result<Option<Response>, HttpProblem> {
    let send = form.first_value("send") == "true";
    if !send && request.ids.len() > 1 {
        let detail =
            "a page gives one draft at a time; send the invitations, or use `roster user invite`";
        return Err(HttpProblem::new(problem::INVALID, detail));
    }
    let request = InvitationRequest {
        kind: request.kind,
        ids: request.ids,
        reason: request.reason,
        send,
    };
    let reply = acts::invite(handle, caller, act, request, None).await?;
    let draft = reply.items.into_iter().find_map(|item| item.draft);
    let headers = [
        (header::CONTENT_TYPE, "message/rfc822"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"invitation.eml\"",
        ),
    ];
    Ok(draft.map(|draft| (headers, draft).into_response()))
}

/// The form of one act on one resource. `back` is the path of the page it is on.
fn form(act: &ResourceAct, kind: &Kind, id: &str, caller: &Caller, back: &str) -> Markup {
    // Several of these are on one page, and labels need unique ids.
    let label = format!(
        "why-{}-{}",
        act.name,
        link::percent_encode(id).replace('%', "-")
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
            label for=(label) { (capitalised(&name)) " " (kind.name) "/" (id) ": reason (for the audit log)" }
            div.line {
                input type="text" name="reason" id=(label) required maxlength="2000" autocomplete="off";
                @match act.input {
                    ActInput::Reason => button.second { (capitalised(&name)) },
                    ActInput::Invitation => {
                        button.second { (capitalised(&name)) " by a draft" }
                        " " button.second name="send" value="true" { "Send " (name) }
                    }
                }
            }
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// The acts that are possible on a resource now, each with its form.
pub(super) fn section(
    handle: &DaemonHandle,
    caller: &Caller,
    kind: &'static Kind,
    record: &StoredResource,
) -> Markup {
    let possible = record.possible_acts();
    let possible = possible.filter(|act| may_perform(handle, caller, act));
    let possible: Vec<&ResourceAct> = possible.collect();
    let id = &record.row.key.id;
    let back = link::resource_path(kind.name, id);
    html! {
        @if !possible.is_empty() {
            section #possible {
                h2 { "Acts" }
                @for act in possible { (form(act, kind, id, caller, &back)) }
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

/// An account that waits for its approval, with the forms that decide about it.
pub(super) fn pending_card(account: &PendingAccount, caller: &Caller, approves: bool) -> Markup {
    let kind = crate::kinds::get(crate::kinds::ACCOUNT);
    let id = &account.external_id;
    html! {
        article.card.hold {
            h3 { span.badge.waits { "awaiting approval" } " " (link::resource(caller, kind.name, id)) " " (account.name) }
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
}
