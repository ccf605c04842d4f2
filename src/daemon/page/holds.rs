//! The card of a hold: what is held, since when, and the form to approve it.
//!
//! The inbox and the page of a source both show it. `forms.rs` handles the form.

use super::{layout, link, time, value};
use crate::daemon::handle::DaemonHandle;
use crate::document::HoldView;
use crate::http::{Caller, Permission};
use crate::plan::StepVerb;
use maud::{Markup, html};

/// Whether the caller may approve holds, by role and by `approvers` in the configuration. Only
/// decides whether to show the form; the handler checks again.
pub(super) fn caller_may_approve(handle: &DaemonHandle, caller: &Caller) -> bool {
    let named = || {
        let daemon = handle.daemon().ok();
        daemon.is_some_and(|daemon| {
            daemon
                .current
                .get()
                .config
                .may_approve(&caller.name)
                .is_ok()
        })
    };
    caller.may(Permission::Approve) && named()
}

/// Whether somebody has to decide about a hold.
///
/// Approving some of its resources leaves a decision about the others. Standing holds, and those
/// without an id, cannot be approved.
pub(super) fn awaits_decision(view: &HoldView) -> bool {
    view.hold.hold.is_some() && !view.hold.standing && full_approver(view).is_none()
}

fn full_approver(view: &HoldView) -> Option<&str> {
    let approval = view.approval.as_ref()?;
    approval.only.is_none().then_some(&*approval.by)
}

/// Shows a hold. `back` is the path of the page it is on.
pub(super) fn card(view: &HoldView, caller: &Caller, approves: bool, back: &str) -> Markup {
    let hold = &view.hold;
    let id = hold.hold.as_deref().unwrap_or_default();
    let state = match (awaits_decision(view), &view.approval) {
        (_, Some(approval)) if approval.only.is_none() => "approved",
        (true, _) => "waits",
        _ => "held",
    };
    html! {
        article.card.hold {
            h3 {
                span class={ "badge " (state) } { (if state == "waits" { "needs a decision" } else { state }) } " "
                (hold.verb) " " (hold.count) " " (if hold.count == 1 { "resource" } else { "resources" })
            }
            p { (value::prose(&hold.message)) }
            dl.facts {
                div { dt { "Source" } dd { a href=(link::source(&view.source)) { (view.source) } } }
                div { dt { "Rule" } dd { code { (hold.code) } } }
                div { dt { "Since" } dd { (time::time_with_distance(hold.since)) } }
                @if !id.is_empty() { div { dt { "Hold" } dd { code { (id) } } } }
                @if !hold.accounts.is_empty() {
                    div { dt { "Accounts" } dd { (hold.accounts.join(", ")) } }
                }
            }
            @if let Some(approval) = &view.approval {
                p.approval {
                    "Approved by " (approval.by) ": " (approval.reason) ". "
                    @if let Some(only) = &approval.only { "Only " (only.join(", ")) ". " }
                    "Expires " (time::time_with_distance(approval.lapses)) "."
                }
            }
            @if let Some(needed) = hold.approvals_needed.filter(|_| awaits_decision(view)) {
                p.approval {
                    "Approved by " (view.approved_by.len()) " of " (needed) " people"
                    @if !view.approved_by.is_empty() { ": " (view.approved_by.join(", ")) }
                    "."
                }
            }
            @if let Some(otherwise) = &hold.otherwise { p { (otherwise) } }
            @if let Some(effects) = &hold.effects { p { "If approved: " (effects) } }
            @if !hold.consequences.is_empty() { (consequences(view)) }
            @if awaits_decision(view) && approves && !view.approved_by.iter().any(|by| *by == *caller.name) {
                (form(view, caller, id, back))
            } @else {
                // With an id, it stays open when the script refreshes the section.
                details id={ "held-" (view.source) "-" (id) "-" (hold.code) } {
                    summary { "Resources" }
                    ul.keys { @for key in &hold.resources { li { (resource_link(view, caller, key)) } } }
                    (more_resources(view))
                }
            }
            @if !hold.commands.is_empty() {
                details id={ "commands-" (view.source) "-" (id) } {
                    summary { "Command" }
                    @for command in &hold.commands { pre { code { (command) } } }
                }
            }
        }
    }
}

/// What is deleted or changed together with the held accounts. Shown before the form, since whoever
/// approves decides about it too.
fn consequences(view: &HoldView) -> Markup {
    let hold = &view.hold;
    let more = hold
        .consequence_count
        .saturating_sub(hold.consequences.len());
    html! {
        p { "With it:" }
        ul.keys.consequences { @for consequence in &hold.consequences { li { (consequence) } } }
        @if more > 0 { p.small { "and " (more) " more" } }
    }
}

fn more_resources(view: &HoldView) -> Markup {
    // The state stores only the first resources of a large hold.
    let more = view.hold.count - view.hold.resources.len().min(view.hold.count);
    html! { @if more > 0 { p.small { "and " (more) " more. " a href={ (link::source(&view.source)) "?verb=held#plan" } { "See the plan of " (view.source) } "." } } }
}

fn form(view: &HoldView, caller: &Caller, id: &str, back: &str) -> Markup {
    let hold = &view.hold;
    let several = hold.count > 1;
    html! {
        form.act method="post" action={ "/holds/" (link::percent_encode(id)) "/approve" } {
            (layout::csrf(caller))
            input type="hidden" name="back" value=(back);
            @if several {
                fieldset {
                    legend { "What to approve" }
                    // Neither is selected in advance: approving everything has to be a choice.
                    label.choice { input type="radio" name="scope" value="all" required; " All " (hold.count) " resources" }
                    label.choice { input type="radio" name="scope" value="ticked"; " Only the ticked resources" }
                    ul.keys {
                        @for (at, key) in hold.resources.iter().enumerate() {
                            li {
                                input type="checkbox" name="only" value=(key) id={ "only-" (id) "-" (at) };
                                " " label for={ "only-" (id) "-" (at) } { (key) }
                                " " (show_link(view, caller, key))
                            }
                        }
                    }
                    (more_resources(view))
                }
            } @else {
                input type="hidden" name="scope" value="all";
                ul.keys { @for key in &hold.resources { li { (resource_link(view, caller, key)) } } }
            }
            label for={ "reason-" (id) } { "Reason (for the audit log)" }
            div.line {
                input type="text" name="reason" id={ "reason-" (id) } required maxlength="2000" autocomplete="off";
                button { "Approve" }
            }
        }
    }
}

/// A link to the resource beside its checkbox. Not around the label, where a click would tick the
/// box.
fn show_link(view: &HoldView, caller: &Caller, key: &str) -> Markup {
    let (kind, id) = key.split_once('/').unwrap_or_default();
    let stored = view.hold.verb != StepVerb::Create.word();
    html! {
        @if stored && caller.sources.is_none() {
            a.small href=(link::resource_path(kind, id)) aria-label={ "Show " (key) } { "show" }
        }
    }
}

/// A link to a resource, or to a search if it would only be created.
fn resource_link(view: &HoldView, caller: &Caller, key: &str) -> Markup {
    if view.hold.verb == StepVerb::Create.word() {
        link::search_link(caller, key)
    } else {
        link::key(caller, key)
    }
}
