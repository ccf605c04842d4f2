//! The state of a source, in words. Colours only repeat what the words say.
//!
//! The home page and the pages of a source share these parts. `why` comes from the daemon and answers
//! why nothing happens; this file only adds the badge and the facts.

use super::{layout, link, time, value};
use crate::diagnostic::{agreed, span};
use crate::document::{DiagnosticState, PassOutcome, SourceView, WorkerActivity};
use crate::http::Caller;
use chrono::Utc;
use maud::{Markup, html};

/// The badge of a source: a CSS class and a word.
pub(super) fn badge(source: &SourceView) -> (&'static str, &'static str) {
    // First, because a suspended source shows the outcome of a pass that may be weeks old.
    if source.suspended.is_some() {
        return ("waits", "suspended");
    }
    match source.state.outcome {
        PassOutcome::Never => ("plain", "no pass yet"),
        PassOutcome::Refused => ("bad", "refused"),
        PassOutcome::Failed => ("bad", "failed"),
        // An apply that held faulty resources is still an apply, but the errors need somebody.
        _ if source.state.errors > 0 => ("bad", "errors"),
        _ if source.state.waiting().count() > 0 => ("waits", "on hold"),
        PassOutcome::Applied => ("good", "applied"),
        PassOutcome::Unchanged => ("good", "up to date"),
        PassOutcome::Planned => ("plain", "planned"),
        PassOutcome::WindowClosed => ("waits", "window closed"),
    }
}

/// Whether a source belongs among the failed ones on the home page.
pub(super) fn is_failed(source: &SourceView) -> bool {
    let state = &source.state;
    matches!(state.outcome, PassOutcome::Refused | PassOutcome::Failed) || state.errors > 0
}

/// Shows the badge, and the reason of the state.
pub(super) fn why_line(source: &SourceView) -> Markup {
    let (class, word) = badge(source);
    html! { p.why { span class={ "badge " (class) } { (word) } " " (why(source)) } }
}

/// Shows the reason of the state.
pub(super) fn why(source: &SourceView) -> Markup {
    let why = match source.why.trim() {
        "" => "No pass yet.",
        why => why,
    };
    // Most reasons mention the errors already.
    let errors = match source.state.errors {
        0 => String::new(),
        _ if why.contains("error") => String::new(),
        1 => "1 error in the source; ".to_owned(),
        many => format!("{many} errors in the source; "),
    };
    html! { (errors) (value::prose(why)) }
}

/// Shows where a source is read from, its last pass and run, and what happens next.
pub(super) fn facts(source: &SourceView) -> Markup {
    let state = &source.state;
    let marks = [
        ("Last pass", &state.last_attempted),
        ("Applied", &state.last_applied),
    ];
    html! {
        dl.facts {
            div { dt { "From" } dd { code { (source.from) } } }
            div { dt { "Mode" } dd { (source.mode) @if source.mode == "plan" { " (nothing is written)" } } }
            @for (name, mark) in marks {
                div {
                    dt { (name) }
                    dd {
                        @if let Some(mark) = mark {
                            (link::revision(&mark.revision)) " " (time::relative(mark.at))
                            @if let Some(run) = mark.run { ", " (link::run(run)) }
                        } @else { "never" }
                    }
                }
            }
            div { dt { "Lag" } dd {
                @if let Some(since) = state.behind_since {
                    (span(Utc::now() - since)) " behind the source"
                } @else { "none" }
            } }
            div { dt { "Now" } dd {
                @if source.suspended.is_some() { "suspended" } @else { (activity(&source.activity)) }
            } }
            @if let Some(closed) = &source.window {
                div { dt { "Window" } dd {
                    "closed by " code { (closed.by) }
                    @if let Some(until) = closed.until { " until " (time::relative(until)) }
                } }
            }
            @if let Some(rewound) = &state.rewound { div { dt { "Rewound" } dd { (rewound) } } }
            @if state.drift > 0 {
                div { dt { "Drift" } dd {
                    (agreed(state.drift, ("resource", "resources"), ("was", "were")))
                    " changed outside Roster"
                } }
            }
            @if state.failures > 0 { div { dt { "Failures" } dd { (state.failures) " in a row" } } }
            @if let Some(replica) = &source.replica { div { dt { "Replica" } dd { (replica) } } }
        }
    }
}

fn activity(activity: &WorkerActivity) -> Markup {
    html! {
        @match activity {
            WorkerActivity::Waiting { next, .. } => { "idle; next pass " (time::relative(*next)) },
            WorkerActivity::Working { since } => { "pass running since " (time::relative(*since)) },
        }
    }
}

/// Shows diagnostics as a list.
pub(super) fn diagnostics<'f>(
    found: impl Iterator<Item = &'f DiagnosticState>,
    caller: &Caller,
) -> Markup {
    html! {
        ul.findings {
            @for found in found {
                li {
                    span class={ "badge " (severity(&found.severity)) } { (found.severity) } " "
                    @if let Some(place) = &found.place {
                        code.place { (place) } " "
                        @if found.proposed { span.small { "(as proposed, in no file yet)" } " " }
                    }
                    (value::prose(&found.message)) " "
                    span.small { code { (found.code) } }
                    // A search, because a new resource with an error is not stored.
                    @if let Some(key) = &found.resource { " " (link::search_link(caller, key)) }
                    @if let Some(help) = &found.help { p.small { (value::prose(help)) } }
                }
            }
        }
    }
}

fn severity(severity: &str) -> &'static str {
    match severity {
        "error" => "bad",
        "warning" => "waits",
        _ => "plain",
    }
}

/// A form that asks for a reason. `action` is its target, `name` labels it.
pub(super) fn reason_form(
    caller: &Caller,
    action: &str,
    back: &str,
    [name, button]: [&str; 2],
) -> Markup {
    // Several of these are on one page, and labels need unique ids. The target is unique.
    let id = format!(
        "why-{}",
        action.trim_start_matches('/').replace(['/', '%'], "-")
    );
    html! {
        form.act method="post" action=(action) {
            (layout::csrf(caller))
            input type="hidden" name="back" value=(back);
            label for=(id) { (name) ": reason (for the audit log)" }
            div.line {
                input type="text" name="reason" id=(id) required maxlength="2000" autocomplete="off";
                button.second { (button) }
            }
        }
    }
}
