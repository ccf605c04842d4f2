//! What needs a person, as one list of cards on one line each, which open in place.

use super::{export, holds, layout, link, resource_acts, source_status, time};
use crate::document::{DaemonStatus, HoldView, SourceView};
use crate::http::Caller;
use crate::store::PendingAccount;
use maud::{Markup, html};

/// The number of pending accounts shown. The list of accounts has all.
pub(super) const MAX_PENDING: u32 = 20;
/// The number of diagnostics shown for a failed source. Its own page has the rest.
const MAX_DIAGNOSTICS: usize = 5;
/// The number of holds shown. The pages of the sources have the rest.
const MAX_HOLDS: usize = 30;
/// The most resources of a hold that are listed here.
const MAX_LISTED: usize = 25;
/// The path of the page.
const HERE: &str = "/";

/// What needs a person.
pub(super) struct NeedsSection<'a> {
    pub status: &'a DaemonStatus,
    /// The holds that wait for a decision.
    pub holds: Vec<&'a HoldView>,
    /// The number of accounts that wait for an approval, and the first of them.
    pub pending: &'a (u64, Vec<PendingAccount>),
    pub caller: &'a Caller,
    pub approves: bool,
}

impl NeedsSection<'_> {
    /// The list.
    pub fn section(&self) -> Markup {
        let counts = self.counts();
        html! {
            section #waiting data-live {
                h2 { "Needs you" }
                p role="status" { @if counts.is_empty() { "Nothing." } @else { (counts.join(", ")) "." } }
                // What needs a decision comes before what is broken. What somebody stopped on
                // purpose comes last.
                @for source in self.beginning() { (self.beginning_card(source)) }
                @for view in self.holds.iter().take(MAX_HOLDS) { (self.hold_card(view)) }
                @if self.holds.len() > MAX_HOLDS { p { (self.holds.len() - MAX_HOLDS) " more holds are on the pages of their " a href="/sources" { "sources" } "." } }
                @for account in &self.pending.1 { (self.pending_card(account)) }
                @if self.pending_number() > self.pending.1.len() {
                    p { a href="/resources?kind=Account&status=pending" { "All accounts that wait for an approval" } }
                }
                @if !self.status.diagnostics.is_empty() { (self.directory_card()) }
                @for source in self.failed() { (self.failed_card(source)) }
                @for source in self.suspended() { (self.suspended_card(source)) }
            }
        }
    }

    fn failed(&self) -> impl Iterator<Item = &SourceView> {
        let sources = self.status.sources.iter();
        // The errors of an export that awaits its first approval are on the card of that.
        sources.filter(|source| {
            source_status::is_failed(source) && !export::awaits_first_approval(source)
        })
    }

    fn suspended(&self) -> impl Iterator<Item = &SourceView> {
        let sources = self.status.sources.iter();
        sources.filter(|source| source.suspended.is_some())
    }

    fn beginning(&self) -> impl Iterator<Item = &SourceView> {
        let sources = self.status.sources.iter();
        sources.filter(|source| export::awaits_first_approval(source))
    }

    fn pending_number(&self) -> usize {
        usize::try_from(self.pending.0).unwrap_or(usize::MAX)
    }

    /// How many of what there are, as `2 holds`.
    fn counts(&self) -> Vec<String> {
        let counts = [
            (self.holds.len(), "hold", "holds"),
            (
                self.beginning().count(),
                "first approval",
                "first approvals",
            ),
            (self.pending_number(), "pending account", "pending accounts"),
            (self.status.diagnostics.len(), "warning", "warnings"),
            (self.failed().count(), "failed source", "failed sources"),
            (
                self.suspended().count(),
                "suspended source",
                "suspended sources",
            ),
        ];
        counts
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
            .collect()
    }

    fn beginning_card(&self, source: &SourceView) -> Markup {
        let name = &source.name;
        card(
            &format!("begin-{}", element_name(name)),
            ("waits", "awaiting first approval"),
            &html! { (name) ": " (export::plan_sentence(&source.state)) },
            &html! {},
            &html! {
                (self.diagnostics(source))
                (export::first_pass(source, self.caller, self.approves, HERE))
            },
        )
    }

    fn hold_card(&self, view: &HoldView) -> Markup {
        let place = holds::HoldPlace {
            caller: self.caller,
            approves: self.approves,
            back: HERE,
            listed: MAX_LISTED,
        };
        card(
            &holds::element_id(view),
            holds::badge(view),
            &html! { (super::hold_sentence::sentence(&view.hold)) },
            &html! { (view.source) " · " (time::relative(view.hold.since)) },
            &holds::body(view, place),
        )
    }

    fn pending_card(&self, account: &PendingAccount) -> Markup {
        card(
            &format!("pending-{}", element_name(&account.external_id)),
            ("waits", "awaiting approval"),
            &html! { "New account " (account.name) },
            &html! { (account.external_id) },
            &resource_acts::pending_account(account, self.caller, self.approves),
        )
    }

    fn directory_card(&self) -> Markup {
        let found = &self.status.diagnostics;
        let sentence = match &found[..] {
            [one] => one.message.clone(),
            many => format!("{} warnings about the directory", many.len()),
        };
        card(
            "directory",
            ("waits", "warning"),
            &super::value::prose(&sentence),
            &html! {},
            &source_status::diagnostics(found.iter(), self.caller),
        )
    }

    fn failed_card(&self, source: &SourceView) -> Markup {
        let state = &source.state;
        let body = html! { p { (source_status::why(source)) } (self.diagnostics(source)) };
        let first = state
            .findings
            .first()
            .map_or(&source.why, |found| &found.message);
        card(
            &format!("failed-{}", element_name(&source.name)),
            source_status::badge(source),
            &html! { (source.name) ": " (super::value::prose(first)) },
            &html! {
                @if state.errors > 1 { (state.errors) " errors · " }
                @if let Some(since) = state.since { (time::relative(since)) }
            },
            &body,
        )
    }

    /// The first diagnostics of a source.
    fn diagnostics(&self, source: &SourceView) -> Markup {
        let found = &source.state.findings;
        html! {
            @if !found.is_empty() {
                (source_status::diagnostics(found.iter().take(MAX_DIAGNOSTICS), self.caller))
                p.small { a href={ (link::source(&source.name)) "/diagnostics" } { "All diagnostics of " (source.name) } }
            }
        }
    }

    fn suspended_card(&self, source: &SourceView) -> Markup {
        let all = source
            .suspended
            .as_ref()
            .is_some_and(|suspended| suspended.all);
        let body = html! {
            @if all { p { "With every other source. " a href="/sources" { "Resume them together" } "." } }
            @else if layout::is_operator(self.caller) {
                (source_status::reason_form(self.caller, &format!("{}/resume", link::source(&source.name)), HERE, [&format!("Resume {}", source.name), "Resume"]))
            }
            p.small { a href=(link::source(&source.name)) { "Source " (source.name) } }
        };
        card(
            &format!("suspended-{}", element_name(&source.name)),
            ("waits", "suspended"),
            &html! { (source.name) ": " (source_status::why(source)) },
            &html! { @if let Some(suspended) = &source.suspended { (time::relative(suspended.since)) } },
            &body,
        )
    }
}

/// A name as part of the id of an element.
fn element_name(name: &str) -> String {
    link::percent_encode(name).replace('%', "-")
}

/// A card on one line, which opens in place. With an id, it stays open when the script refreshes
/// the list.
fn card(id: &str, badge: (&str, &str), what: &Markup, aside: &Markup, body: &Markup) -> Markup {
    html! {
        details.need id=(id) {
            summary {
                span class={ "badge " (badge.0) } { (badge.1) }
                " " span.what { (what) }
                " " span.aside { (aside) }
            }
            div.inside { (body) }
        }
    }
}
