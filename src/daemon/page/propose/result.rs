//! What a proposal leads to: its faults, its plan and its patch, or the branch that it is on.

use crate::daemon::page::source_status;
use crate::document::UploadProposalReply;
use crate::http::Caller;
use maud::{Markup, html};

/// How many entries of a list are shown.
const LISTED: usize = 50;

pub(super) fn preview(made: &UploadProposalReply, caller: &Caller) -> Markup {
    // The errors say it better.
    let wrong = made.diagnostics.iter().any(|one| one.severity == "error");
    html! {
        section #preview {
            h2 { "Preview" }
            @if let (false, Some(doubt)) = (wrong, &made.doubt) { p.wrong role="alert" { "Nothing is proposed: " (doubt) "." } }
            @if !made.diagnostics.is_empty() {
                (source_status::diagnostics(made.diagnostics.iter().take(LISTED), caller))
                (more(made.diagnostics.len()))
            }
            @if !made.unwritten.is_empty() {
                h3 { "Not proposed" }
                ul.findings {
                    @for item in made.unwritten.iter().take(LISTED) {
                        li { p { (item.subject) ": " (item.message) " " span.place { (item.place) } } }
                    }
                }
                (more(made.unwritten.len()))
            }
            @if made.files.is_empty() {
                @if made.doubt.is_none() && made.diagnostics.is_empty() && made.unwritten.is_empty() {
                    p.nothing { "The manifests say all of this already." }
                }
            } @else {
                @if let Some(plan) = &made.plan {
                    h3 { "Plan of the source with this change" }
                    pre { (plan) }
                }
                details open[made.files.len() <= 3] {
                    summary { "Patch" }
                    pre { (made.patch) }
                }
            }
        }
    }
}

fn more(count: usize) -> Markup {
    html! { @if count > LISTED { p.small { "And " (count - LISTED) " more." } } }
}

/// The branch that a proposal was committed to.
pub(super) fn committed(made: &UploadProposalReply, caller: &Caller) -> Markup {
    html! {
        h1 { "Proposed" }
        @if let Some(branch) = &made.branch {
            p.done role="status" { "Branch " code { (branch.name) } " at commit " code { (branch.commit) } "." }
            @if !branch.remote.is_empty() {
                p { "The remote said:" }
                pre { (branch.remote.join("\n")) }
            }
            p { "Open a pull request for it. The directory changes when it is merged and the source " (made.source) " is reconciled." }
        }
        (preview(made, caller))
    }
}
