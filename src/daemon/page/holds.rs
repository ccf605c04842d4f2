//! A hold: a sentence, what would change of each resource, what that does, who declared it, and the
//! form that approves it.
//!
//! The home page and the page of a source both show it. `forms.rs` handles the form.

use super::hold_sentence::{changes, sentence};
use super::{layout, link, names, time, value};
use crate::daemon::handle::DaemonHandle;
use crate::diagnostic::visible;
use crate::document::{HeldResource, HoldState, HoldView};
use crate::http::{Caller, Permission};
use crate::plan::StepVerb;
use crate::plan::render::joined;
use crate::reconcile;
use maud::{Markup, html};

/// How many accounts are named.
const MAX_ACCOUNTS: usize = 5;

/// Where a hold is shown.
#[derive(Clone, Copy)]
pub(super) struct HoldPlace<'a> {
    pub caller: &'a Caller,
    /// Whether the caller may approve it.
    pub approves: bool,
    /// The path of the page.
    pub back: &'a str,
    /// How many resources are listed at most. With more, the card leads to the page of the source.
    pub listed: usize,
}

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
/// without an id, cannot be approved. A rejection is a decision that a later approval replaces.
pub(super) fn awaits_decision(view: &HoldView) -> bool {
    can_be_approved(view) && view.rejection.is_none()
}

fn can_be_approved(view: &HoldView) -> bool {
    view.hold.hold.is_some() && !view.hold.standing && full_approver(view).is_none()
}

fn full_approver(view: &HoldView) -> Option<&str> {
    let approval = view.approval.as_ref()?;
    approval.only.is_none().then_some(&*approval.by)
}

/// The class and the word of the state of a hold.
pub(super) fn badge(view: &HoldView) -> (&'static str, &'static str) {
    match (awaits_decision(view), full_approver(view)) {
        (_, Some(_)) => ("approved", "approved"),
        (true, _) => ("waits", "needs a decision"),
        _ if view.rejection.is_some() => ("bad", "rejected"),
        _ => ("plain", "held"),
    }
}

/// The id of the element of a hold on a page.
pub(super) fn element_id(view: &HoldView) -> String {
    let id = view.hold.hold.as_deref().unwrap_or(&view.hold.code);
    format!(
        "hold-{}-{id}",
        link::percent_encode(&view.source).replace('%', "-")
    )
}

/// Shows a hold on the page of its source.
pub(super) fn card(view: &HoldView, place: HoldPlace<'_>) -> Markup {
    let (class, word) = badge(view);
    html! {
        article.card.hold id=(element_id(view)) {
            h2 { (sentence(&view.hold)) " " span class={ "badge " (class) } { (word) } }
            (body(view, place))
        }
    }
}

/// What is below the sentence of a hold.
pub(super) fn body(view: &HoldView, place: HoldPlace<'_>) -> Markup {
    let hold = &view.hold;
    // Where several people have to approve, each of them does so once.
    let has_approved = reconcile::has_approved(view, place.caller.name.as_ref(), &[]);
    let decides = can_be_approved(view) && place.approves && !has_approved;
    html! {
        @if let Some(effects) = &hold.effects { p.effects { "If approved: " strong { (effects) } } }
        @if !hold.effect_lines.is_empty() {
            details id={ "effects-" (element_id(view)) } {
                summary.small { "Who gains and who loses" }
                ul.steps { @for line in &hold.effect_lines { li { (effect_line(hold, line)) } } }
            }
        }
        (declared(view))
        @if let Some(approval) = &view.approval {
            p.approval {
                "Approved by " (approval.by) ": " (approval.reason) ". "
                @if let Some(only) = &approval.only { "Only " (only.join(", ")) ". " }
                "Expires " (time::relative(approval.lapses)) "."
                @if let Some(run) = hold.reverts { " Applied when " (link::run(run)) " is " a href={ "/runs/" (run) "/revert" } { "reverted again" } "." }
            }
        }
        @if let Some(needed) = hold.approvals_needed.filter(|_| awaits_decision(view)) {
            p.approval {
                @if view.needs_more_people() {
                    (reconcile::approvals_so_far(view)) "."
                } @else {
                    "Approved by 0 of " (needed) " people."
                }
            }
        }
        @if let Some(rejection) = &view.rejection {
            p.approval { "Rejected by " (rejection.by) " " (time::relative(rejection.at)) ": " (rejection.reason) ". "
                @if hold.reverts.is_some() { "Approve it all the same, or leave the run as it is." } @else { "Change the source, or approve it all the same." }
            }
        }
        @if let Some(otherwise) = &hold.otherwise { p { (otherwise) } }
        @if hold.code != crate::diagnostic::codes::GUARD.name() { p { (value::prose(&hold.message)) } }
        @if !hold.consequences.is_empty() { (consequences(view)) }
        @if decides && hold.resources.len() <= place.listed { (form(view, place)) }
        @else {
            ul.held { @for detail in shown(view, place.listed) {
                li { p { (resource_link(view, place.caller, &detail.resource)) (about(&detail)) (author(view, &detail)) } (held_changes(view, &detail)) }
            } }
            (more_resources(view, hold.count - hold.resources.len().min(place.listed)))
            @if decides { p { a.button href={ (own_page(view)) "#" (element_id(view)) } { "Decide about " (changes(hold.count)) } } }
        }
        (folded(view))
    }
}

/// A line about effects, with the names of those of the hold whom it lists by id.
fn effect_line(hold: &HoldState, line: &str) -> Markup {
    let name = |id: &str| {
        let mut details = hold.details.iter();
        let found = details.find(|it| it.resource.split_once('/').is_some_and(|(_, of)| of == id));
        found?.name.as_deref()
    };
    let (what, ids) = line.split_once(": ").unwrap_or((line, ""));
    html! {
        (visible(what))
        @for (at, id) in ids.split(", ").filter(|id| !id.is_empty()).enumerate() {
            (if at == 0 { ": " } else { ", " }) (visible(id)) (names::beside(name(id)))
        }
    }
}

/// The id of the hold, its rule, and the command that approves it.
fn folded(view: &HoldView) -> Markup {
    let hold = &view.hold;
    let id = hold.hold.as_deref().unwrap_or_default();
    html! {
        // With an id, it stays open when the script refreshes the section.
        details id={ "commands-" (view.source) "-" (id) "-" (hold.code) } {
            summary.small { "Rule, id and command" }
            dl.facts {
                div { dt { "Rule" } dd { code { (hold.code) } } }
                @if !id.is_empty() { div { dt { "Hold" } dd { code { (id) } } } }
                @if !hold.accounts.is_empty() { div { dt { "Accounts" } dd { (hold.accounts.join(", ")) } } }
            }
            p.small { (value::prose(&hold.message)) }
            @for command in &hold.commands { pre { code { (command) } } }
        }
    }
}

/// Who declared it, and since when it waits.
fn declared(view: &HoldView) -> Markup {
    let commits = view.hold.commits.iter();
    let (listed, count) = (
        commits.clone().flat_map(|commits| &commits.listed),
        commits.map(|commits| commits.count).sum::<usize>(),
    );
    let shown = listed.clone().count();
    html! {
        p.small {
            "Held since " (time::relative(view.hold.since)) " · source "
            a href=(link::source(&view.source)) { (view.source) }
            @if let Some(run) = view.hold.reverts { " · " a href={ "/runs/" (run) "/revert" } { "revert of run " (run) } }
            @for commit in listed {
                " · " (visible(&commit.subject)) " by " (visible(&commit.author)) " " (link::revision(&commit.revision))
            }
            @if count > shown { " and " (count - shown) " more commits" }
            @if view.hold.commits.is_some() && count == 0 { " · who declared it is not known" }
            @if !view.hold.accounts.is_empty() {
                @let accounts = &view.hold.accounts;
                " · accounts " (joined(&accounts[..accounts.len().min(MAX_ACCOUNTS)], accounts.len()))
                @if view.hold.count > view.hold.resources.len() {
                    " (of the first " (view.hold.resources.len()) " resources)"
                }
            }
        }
    }
}

/// The listed resources. Holds that an older release kept have no details.
fn shown(view: &HoldView, limit: usize) -> impl Iterator<Item = HeldResource> {
    let hold = &view.hold;
    hold.resources.iter().take(limit).map(|resource| {
        let mut details = hold.details.iter();
        let found = details.find(|detail| detail.resource == *resource);
        found.cloned().unwrap_or_else(|| HeldResource {
            resource: resource.clone(),
            ..HeldResource::default()
        })
    })
}

/// What a reader needs to know of a resource beside its id.
fn about(detail: &HeldResource) -> Markup {
    html! {
        @if let Some(name) = &detail.name { " " (visible(name)) }
        @if let Some(place) = &detail.place { " " code.place { (place) } }
    }
}

/// The author of the commit that declared a resource, where the hold names several commits.
fn author(view: &HoldView, detail: &HeldResource) -> Markup {
    let listed = view.hold.commits.iter().flat_map(|commits| &commits.listed);
    let several = listed.clone().count() > 1;
    let mut listed = listed.filter(|commit| Some(&commit.revision) == detail.commit.as_ref());
    html! {
        @if several {
            @if let Some(commit) = listed.next() {
                " " span.small { "declared by " (visible(&commit.author)) " " (link::revision(&commit.revision)) }
            } @else if let Some(commit) = &detail.commit {
                " " span.small { "declared in " (link::revision(commit)) }
            } @else { " " span.small { "declared in one of these commits" } }
        }
    }
}

/// What would change of a resource, and which recorded changes that would take back.
fn held_changes(view: &HoldView, detail: &HeldResource) -> Markup {
    html! {
        (value::plan_changes(&detail.changes))
        @if detail.changes_omitted { p.small { a href=(plan_page(view)) { "See its changes in the plan" } } }
        @for words in &detail.reverts { p.small { (visible(words)) } }
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

fn more_resources(view: &HoldView, more: usize) -> Markup {
    html! { @if more > 0 { p.small { "and " (more) " more. " a href=(plan_page(view)) { "See the plan of " @if let Some(run) = view.hold.reverts { "the revert of run " (run) } @else { (view.source) } } "." } } }
}

/// The page that lists all of a hold.
pub(super) fn own_page(view: &HoldView) -> String {
    if let Some(run) = view.hold.reverts {
        return format!("/runs/{run}/revert");
    }
    let id = link::percent_encode(view.hold.hold.as_deref().unwrap_or_default());
    format!("{}/holds?hold={id}", link::source(&view.source))
}

/// The page of the plan that holds it.
fn plan_page(view: &HoldView) -> String {
    match view.hold.reverts {
        Some(run) => format!("/runs/{run}/revert#plan"),
        None => format!("{}/plan?verb=held", link::source(&view.source)),
    }
}

fn form(view: &HoldView, place: HoldPlace<'_>) -> Markup {
    let hold = &view.hold;
    let id = hold.hold.as_deref().unwrap_or_default();
    // The state lists only the first resources of a large hold. Then everything is a choice of its
    // own, because it approves what is not on the page.
    let all = hold.count > hold.resources.len();
    html! {
        form.act method="post" action={ "/holds/" (link::percent_encode(id)) "/approve" } data-changes=[(!all).then_some("")] {
            (layout::csrf(place.caller))
            input type="hidden" name="back" value=(place.back);
            @if hold.count == 1 {
                input type="hidden" name="scope" value="all";
                ul.held { @for detail in shown(view, 1) {
                    li { p { (resource_link(view, place.caller, &detail.resource)) (about(&detail)) (author(view, &detail)) } (held_changes(view, &detail)) }
                } }
            } @else {
                fieldset {
                    legend { "What to approve" }
                    @if all {
                        label.choice { input type="radio" name="scope" value="all" required; " All " (hold.count) " resources" }
                        label.choice { input type="radio" name="scope" value="ticked"; " Only the ticked resources" }
                    } @else {
                        input type="hidden" name="scope" value="ticked";
                    }
                    ul.held { @for (at, detail) in shown(view, place.listed).enumerate() { (choice(view, place.caller, (id, at), &detail, !all)) } }
                    (more_resources(view, hold.count - hold.resources.len().min(hold.count)))
                }
            }
            label for={ "reason-" (id) } { "Reason (for the audit log)" }
            div.line {
                input type="text" name="reason" id={ "reason-" (id) } required maxlength="2000" autocomplete="off";
                button.approve { @if all { "Approve" } @else { "Approve " (changes(hold.count)) } }
                @if view.rejection.is_none() {
                    // What is ticked does not matter to it; the reason is checked by the server.
                    button.reject formaction={ "/holds/" (link::percent_encode(id)) "/reject" } formnovalidate[all] { "Reject" }
                }
            }
        }
    }
}

/// A resource with its box.
fn choice(
    view: &HoldView,
    caller: &Caller,
    (hold, at): (&str, usize),
    detail: &HeldResource,
    ticked: bool,
) -> Markup {
    let id = format!("only-{hold}-{at}");
    html! {
        li {
            p {
                input type="checkbox" name="only" value=(detail.resource) id=(id) checked[ticked];
                " " label.choice-name for=(id) { span.key { (detail.resource) } @if let Some(name) = &detail.name { " " (visible(name)) } }
                " " (show_link(view, caller, &detail.resource))
                @if let Some(place) = &detail.place { " " code.place { (place) } }
                (author(view, detail))
            }
            (held_changes(view, detail))
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
