//! The section of an export, and the form for its first approval.
//!
//! The first pass of an export only plans, because a wrong mapping could change every customer.
//! The card shows what the plan would do, so that an approver can judge it on the home page.

use super::{link, source_status, time};
use crate::document::{FeedState, PassOutcome, SourceState, SourceView};
use crate::http::Caller;
use crate::plan::StepVerb;
use maud::{Markup, html};

/// The number of columns on the page. An ERP table may have hundreds.
const MAX_COLUMNS: usize = 40;

/// Whether the first pass of an export awaits its approval.
pub(super) fn awaits_first_approval(source: &SourceView) -> bool {
    let feed = source.state.feed.as_ref();
    // Not in mode `plan`, where an approval would change nothing. Not after a failed pass, because
    // then there is no plan to judge.
    source.mode == "apply"
        && source.state.outcome == PassOutcome::Planned
        && feed.is_some_and(|feed| !feed.begun)
}

/// Shows an export that awaits its first approval: the facts and the form, below the sentence of its
/// plan.
pub(super) fn first_pass(
    source: &SourceView,
    caller: &Caller,
    approves: bool,
    back: &str,
) -> Markup {
    let name = &source.name;
    let action = format!("{}/approve", link::source(name));
    html! {
        @if let Some(effects) = &source.state.effects { p.effects { strong { (effects) } } }
        @if let Some(feed) = &source.state.feed { (facts(feed)) }
        p.small { a href={ (link::source(name)) "/plan" } { "Plan of " (name) } }
        @if approves {
            (source_status::reason_form(caller, &action, back, [&format!("Approve {name}"), "Approve"]))
        } @else {
            p.small { "Approval needs the role approver." }
        }
    }
}

/// Says in a sentence what a plan does.
pub(super) fn plan_sentence(state: &SourceState) -> String {
    let verbs = state.summary.iter();
    // The summary also counts things that are not steps, such as `held`.
    let steps = verbs.filter(|(verb, count)| **count > 0 && StepVerb::by_word(verb).is_some());
    let steps: Vec<String> = steps
        .map(|(verb, count)| format!("{verb} {count}"))
        .collect();
    let errors = match state.errors {
        0 => String::new(),
        1 => "; 1 error, the affected resources are skipped".to_owned(),
        many => format!("; {many} errors, the affected resources are skipped"),
    };
    match steps.as_slice() {
        [] => format!("It changes nothing{errors}."),
        _ => format!("It will {}{errors}.", steps.join(", ")),
    }
}

/// Shows an export on the page of its source.
pub(super) fn section(source: &SourceView, caller: &Caller, approves: bool, back: &str) -> Markup {
    html! {
        @if awaits_first_approval(source) {
            section #beginning data-live {
                h2 { "First approval" }
                article.card.hold { h3 { (plan_sentence(&source.state)) } (first_pass(source, caller, approves, back)) }
            }
        } @else if let Some(feed) = &source.state.feed {
            section #export data-live { h2 { "Export" } (facts(feed)) }
        }
        @if source.state.feed.as_ref().is_some_and(|feed| feed.report) {
            p { a href={ "/api/v1" (link::source(&source.name)) "/report" } { "Faulty rows as CSV" } }
        }
    }
}

fn facts(feed: &FeedState) -> Markup {
    html! {
        dl.facts {
            div { dt { "Export" } dd { code { (feed.name) } " " (link::revision(&feed.digest)) } }
            div { dt { "Rows" } dd {
                (feed.rows)
                @if let Some(trailer) = feed.trailer { ", trailer: " (trailer) }
            } }
            div { dt { "Usable" } dd {
                @match &feed.doubt {
                    Some(doubt) => { span.badge.bad { "no" } " " (doubt.message) " " code { (doubt.code) } },
                    None => "yes",
                }
            } }
            @if let Some(written) = feed.written_at { div { dt { "Written" } dd { (time::relative(written)) } } }
            @if let Some(same) = &feed.same { div { dt { "Unchanged" } dd { (same) } } }
            div { dt { "Accepted" } dd {
                @match feed.accepted_at {
                    Some(at) => { (feed.accepted) ", last " (time::relative(at)) },
                    None => "none yet",
                }
            } }
            div { dt { "Columns" } dd { (columns(feed)) } }
            @for missing in &feed.missing {
                div { dt { "Missing" } dd {
                    (missing.count) " for " (missing.missed)
                    @if let Some(of) = missing.of { " of " (of) }
                    " accepted exports: " (missing.resources.join(", "))
                    @if missing.count > missing.resources.len() { " …" }
                } }
            }
        }
    }
}

fn columns(feed: &FeedState) -> String {
    let shown: Vec<&str> = feed
        .columns
        .iter()
        .take(MAX_COLUMNS)
        .map(|name| &**name)
        .collect();
    let more = feed.columns.len() - shown.len();
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", shown.join(", "))
}
