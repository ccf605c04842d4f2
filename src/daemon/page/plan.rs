//! Shows a stored plan as a diff: its steps and what is held, by kind and verb, and who sees more or
//! less, with a search.
//!
//! Input is the plan document as it was stored. A plan can have thousands of steps, so
//! entries are filtered, grouped and cut into pages here on the server. Start with [`section`].

use super::{link, value};
use crate::diagnostic::{codes, thousands};
use crate::document::{
    ConsequenceDocument, DocumentList, FieldChangeDocument, HoldDocument, OriginDocument,
    PlanDocument, StepDocument, read_effects,
};
use crate::http::Caller;
use crate::kinds;
use crate::model::KindId;
use crate::plan::render::{effects, joined, visibility};
use crate::plan::visibility::PlanVisibility;
use crate::plan::{PlanEffects, PlanSummary, RuntimeChanges, StepVerb, shared_by};
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The number of entries on one page.
const PAGE_SIZE: usize = 200;
/// The choice for held steps in the list of verbs.
const HELD: &str = "held";
/// The number of ids that a line about effects names.
const MAX_NAMED: usize = 20;
/// The number of entries up to which all groups are open.
const MAX_OPEN_ENTRIES: usize = 30;

/// The search in a plan, and the message after a form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PlanPageQuery {
    /// Words that a step must contain.
    q: String,
    /// A kind. Empty for all.
    kind: String,
    /// A verb, or [`HELD`]. Empty for all.
    verb: String,
    /// The index of the first entry on the page.
    from: usize,
    /// The word for what a form did.
    pub done: Option<String>,
}

impl PlanPageQuery {
    fn is_unfiltered(&self) -> bool {
        self.q.trim().is_empty() && self.kind.is_empty() && self.verb.is_empty()
    }

    fn matches_entry(&self, entry: &PlanPageEntry<'_>, words: &[String]) -> bool {
        let verb = match &*self.verb {
            "" => true,
            HELD => entry.is_held(),
            verb => !entry.is_held() && entry.verb().word() == verb,
        };
        let kind = self.kind.is_empty() || kinds::get(entry.kind()).name == self.kind;
        // The text last: building it is the expensive part, and most entries are out by now.
        verb && kind && {
            let text = entry.searched_text();
            words.iter().all(|word| text.contains(word))
        }
    }

    /// The link to the same search from another entry on.
    fn page(&self, page: &str, from: usize) -> String {
        let [q, kind, verb] =
            [&self.q, &self.kind, &self.verb].map(|text| link::percent_encode(text));
        format!("{page}?q={q}&kind={kind}&verb={verb}&from={from}#plan")
    }
}

/// A step, or an entry of a hold.
#[derive(Clone, Copy)]
enum PlanPageEntry<'p> {
    Step(&'p StepDocument<'p>),
    Held(&'p HoldDocument<'p>),
}

impl<'p> PlanPageEntry<'p> {
    fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }

    fn verb(&self) -> StepVerb {
        match self {
            Self::Step(step) => step.verb,
            Self::Held(held) => held.verb,
        }
    }

    fn kind(&self) -> KindId {
        match self {
            Self::Step(step) => step.kind,
            Self::Held(held) => held.kind,
        }
    }

    fn external_id(&self) -> &'p str {
        match self {
            Self::Step(step) => &step.external_id,
            Self::Held(held) => &held.external_id,
        }
    }

    /// The reason of a step, or the code of a hold.
    fn cause(&self) -> &'static str {
        match self {
            Self::Step(step) => step.reason.word(),
            Self::Held(held) => held.code.name(),
        }
    }

    /// What it does to runtime facts.
    fn runtime(&self) -> RuntimeChanges {
        match self {
            Self::Step(step) => step.runtime(),
            Self::Held(_) => RuntimeChanges::default(),
        }
    }

    /// What else a reader has to know of it, in words.
    fn side_effects(&self) -> Vec<String> {
        let shared = match self {
            Self::Step(step) => shared_by(&step.accounts),
            Self::Held(_) => None,
        };
        self.runtime().effect().into_iter().chain(shared).collect()
    }

    fn origin(&self) -> Option<&'p OriginDocument<'p>> {
        match self {
            Self::Step(step) => step.origin.as_ref(),
            Self::Held(held) => held.origin.as_ref(),
        }
    }

    fn changes(&self) -> &'p [FieldChangeDocument<'p>] {
        match self {
            Self::Step(step) => &step.changes,
            Self::Held(held) => &held.changes,
        }
    }

    fn consequences(&self) -> &'p [ConsequenceDocument<'p>] {
        match self {
            Self::Step(step) => &step.consequences,
            Self::Held(held) => &held.consequences,
        }
    }

    /// The text in which a search looks. It does not contain the message of a hold.
    fn searched_text(&self) -> String {
        let kind = kinds::get(self.kind()).name;
        let (id, verb, cause) = (self.external_id(), self.verb(), self.cause());
        let path = self.origin().map_or("", |origin| &origin.path);
        let changes = serde_json::to_string(self.changes()).unwrap_or_default();
        let runtime = self.runtime();
        let waits = if runtime.awaits_approval {
            "pending approval"
        } else {
            ""
        };
        let effect = self.side_effects().join(" ");
        format!("{kind} {id} {verb} {cause} {path} {changes} {waits} {effect}").to_lowercase()
    }
}

/// Whether it is held, its kind and its verb.
type PlanGroupKey = (bool, KindId, StepVerb);

/// The group of an entry. Groups are sorted with steps before held ones, then by kind and verb.
fn group_key(entry: &PlanPageEntry<'_>) -> PlanGroupKey {
    (entry.is_held(), entry.kind(), entry.verb())
}

/// Shows the plan. `page` is the path of the page it is on.
pub(super) fn section(
    plan: PlanDocument<'_>,
    wanted: &PlanPageQuery,
    caller: &Caller,
    page: &str,
) -> Markup {
    let (steps, held) = (plan.steps.into_vec(), plan.held.into_vec());
    let changes = plan.visibility.into_vec().into_iter();
    let visibility = PlanVisibility {
        changes: changes.map(Into::into).collect(),
        omitted: plan.visibility_omitted,
    };
    // Nobody edits what is stored.
    let listed = plan.effects.map(DocumentList::into_vec);
    let effects = read_effects(listed, plan.effects_omitted).unwrap_or_default();
    let found = plan.diagnostics.unwrap_or_default().into_vec().into_iter();
    let alone = found.filter(|found| found.code == codes::LAST_ADMINISTRATOR);
    let alone: Vec<_> = alone.map(|found| found.message).collect();
    let alone = alone.iter().map(|message| &**message);
    let sentence = effects::sentence(&effects, alone, effects::as_text);
    let all = steps.iter().map(PlanPageEntry::Step);
    let all: Vec<_> = all.chain(held.iter().map(PlanPageEntry::Held)).collect();
    let words = wanted.q.to_lowercase();
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let mut found: BTreeMap<PlanGroupKey, Vec<PlanPageEntry<'_>>> = BTreeMap::new();
    for entry in all
        .iter()
        .filter(|entry| wanted.matches_entry(entry, &words))
    {
        found.entry(group_key(entry)).or_default().push(*entry);
    }
    let count: usize = found.values().map(Vec::len).sum();
    // A link to the last page may be older than the plan, which has become shorter.
    let from = wanted.from.min(count.saturating_sub(1));
    html! {
        p { "Revision " (link::revision(&plan.source.revision)) ": " (summary(&plan.summary)) }
        @if let Some(sentence) = sentence { (effects_section(&sentence, (&effects, &visibility), &words, caller)) }
        @if plan.errored { p.wrong { "Errors refused the plan, so it has no steps. See the diagnostics." } }
        @if !all.is_empty() { (search(wanted, page)) }
        p role="status" {
            (count_sentence(&all, count, wanted))
            @if count > PAGE_SIZE { " Showing " (from + 1) " to " (count.min(from + PAGE_SIZE)) "." }
            @if total(&plan.summary) > steps.len() as u64 { " The plan is large. Only its first steps are shown." }
        }
        @for ((held, kind, verb), entries) in page_groups(found, from) {
            (group(kinds::get(kind).name, verb, held, &entries, count <= MAX_OPEN_ENTRIES, caller))
        }
        (pages(wanted, page, from, count))
        (visibility_section(&visibility, &words))
    }
}

/// Who gains or loses what by the plan, as far as the words of the search occur.
fn effects_section(
    sentence: &str,
    (effects, visibility): (&PlanEffects, &PlanVisibility),
    words: &[String],
    caller: &Caller,
) -> Markup {
    let mut lines = effects::lines(effects, MAX_NAMED, visibility);
    lines.retain(|line| {
        let text = line.text().to_lowercase();
        words.iter().all(|word| text.contains(word))
    });
    let links = |keys: &[String], count: usize| {
        html! {
            @for (at, key) in keys.iter().enumerate() {
                @if at > 0 { ", " }
                (link::search_link(caller, key))
            }
            @if count > keys.len() { " and " (thousands(count - keys.len())) " more" }
        }
    };
    html! {
        p.effects { strong { (sentence) } }
        @if !lines.is_empty() {
            details.group #effects open[lines.len() <= MAX_OPEN_ENTRIES] {
                summary { "Who gains and who loses" }
                ul.steps {
                    @for line in &lines { li {
                        p {
                            @if line.names.is_empty() { (link::search_link(caller, &line.who)) } @else { (line.who) }
                            " " (line.what)
                            @if !line.names.is_empty() { ": " (joined(&line.names, line.count)) }
                        }
                        @if line.causes > 0 { p.small { "because of " (links(&line.because, line.causes)) } }
                    } }
                }
            }
        }
    }
}

/// Who sees more or less by the plan, as far as the words of the search occur.
fn visibility_section(visibility: &PlanVisibility, words: &[String]) -> Markup {
    let mut entries = visibility::entries(visibility, true);
    entries.retain(|entry| {
        let text = format!("{} {}", entry.who, entry.what.join(" ")).to_lowercase();
        words.iter().all(|word| text.contains(word))
    });
    let found: usize = entries.iter().map(|entry| entry.count).sum();
    html! {
        @if !entries.is_empty() {
            details.group #visibility open[entries.len() <= MAX_OPEN_ENTRIES] {
                summary {
                    (visibility::count_sentence(visibility))
                    @if !words.is_empty() { ", " (found) " found" }
                }
                ul.steps {
                    @for entry in &entries { li {
                        p { (entry.who) }
                        @for what in &entry.what { p { (what) } }
                    } }
                    @if visibility.omitted > 0 { li { p { "and " (visibility.omitted) " more users" } } }
                }
            }
        }
    }
}

/// Says how many steps there are, and how many the search found.
fn count_sentence(all: &[PlanPageEntry<'_>], count: usize, wanted: &PlanPageQuery) -> String {
    let held = all.iter().filter(|entry| entry.is_held()).count();
    let steps = |count: usize| match count {
        0 => "No steps".to_owned(),
        1 => "1 step".to_owned(),
        many => format!("{many} steps"),
    };
    match (wanted.is_unfiltered(), held) {
        (true, 0) => format!("{}.", steps(all.len())),
        (true, held) => format!("{} and {held} held.", steps(all.len() - held)),
        (false, 0) => format!("{count} of {}.", steps(all.len())),
        (false, _) => format!("{count} of {}, including held steps.", steps(all.len())),
    }
}

fn page_groups(
    found: BTreeMap<PlanGroupKey, Vec<PlanPageEntry<'_>>>,
    from: usize,
) -> impl Iterator<Item = (PlanGroupKey, Vec<PlanPageEntry<'_>>)> {
    let (mut skip, mut room) = (from, PAGE_SIZE);
    found.into_iter().filter_map(move |(place, entries)| {
        let skipped = skip.min(entries.len());
        skip -= skipped;
        let shown: Vec<_> = entries.into_iter().skip(skipped).take(room).collect();
        room -= shown.len();
        (!shown.is_empty()).then_some((place, shown))
    })
}

/// The links to the previous and the next page.
fn pages(wanted: &PlanPageQuery, page: &str, from: usize, count: usize) -> Markup {
    html! {
        @if count > PAGE_SIZE {
            nav.pages aria-label="Pages of the plan" {
                @if from > 0 { a href=(wanted.page(page, from.saturating_sub(PAGE_SIZE))) rel="prev" { "Previous" } }
                @if from + PAGE_SIZE < count { a href=(wanted.page(page, from + PAGE_SIZE)) rel="next" { "Next" } }
            }
        }
    }
}

/// The number of steps of the whole plan.
fn total(summary: &PlanSummary) -> u64 {
    let entries = summary.entries().into_iter();
    let steps = entries.filter(|(name, _)| StepVerb::by_word(name).is_some());
    steps.map(|(_, count)| count).sum()
}

fn summary(summary: &PlanSummary) -> String {
    let counts = summary.entries().into_iter();
    let shown: Vec<String> = counts
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if shown.is_empty() {
        "nothing to apply".to_owned()
    } else {
        shown.join(", ")
    }
}

fn search(wanted: &PlanPageQuery, page: &str) -> Markup {
    let choice = |name: &str, chosen: &str| {
        html! { option value=(name) selected[name == chosen] { (name) } }
    };
    html! {
        form.search role="search" method="get" action={ (page) "#plan" } {
            div.wide { label for="q" { "Search the plan" } input #q type="search" name="q" value=(wanted.q); }
            div {
                label for="kind" { "Kind" }
                select #kind name="kind" { option value="" { "all" } @for kind in kinds::ALL { (choice(kind.name, &wanted.kind)) } }
            }
            div {
                label for="verb" { "Verb" }
                select #verb name="verb" { option value="" { "all" } @for verb in StepVerb::ALL { (choice(verb.word(), &wanted.verb)) } (choice(HELD, &wanted.verb)) }
            }
            button { "Search" }
            @if !wanted.is_unfiltered() { a href={ (page) "#plan" } { "Show all" } }
        }
    }
}

fn group(
    kind: &str,
    verb: StepVerb,
    held: bool,
    entries: &[PlanPageEntry<'_>],
    open: bool,
    caller: &Caller,
) -> Markup {
    let state = if held { "-held" } else { "" };
    html! {
        // With an id, a group that somebody opened stays open when the script refreshes the
        // section.
        details.group id={ "group-" (kind) "-" (verb) (state) } open[open] {
            summary { (sign(verb, held)) " " (kind) ": " (verb) @if held { ", held" } " " (entries.len()) }
            ul.steps { @for entry in entries { (line(entry, verb, caller)) } }
        }
    }
}

fn sign(verb: StepVerb, held: bool) -> Markup {
    html! {
        @if held { span.verb.held aria-hidden="true" { "!" } }
        @else { span class={ "verb " (verb) } aria-hidden="true" { (verb.sign()) } }
    }
}

fn line(entry: &PlanPageEntry<'_>, verb: StepVerb, caller: &Caller) -> Markup {
    let (kind, id) = (kinds::get(entry.kind()).name, entry.external_id());
    let runtime = entry.runtime();
    let target = match verb {
        // It may not be stored yet, or no longer, so its page may not exist. A search always works.
        StepVerb::Create | StepVerb::Delete => link::search_link(caller, &format!("{kind}/{id}")),
        _ => link::resource(caller, kind, id),
    };
    html! {
        li {
            p {
                (sign(verb, entry.is_held())) " " (verb) @if runtime.awaits_approval { ", pending approval" } " " (target)
                " " span.small { (entry.cause()) } " "
                @if let Some(origin) = entry.origin() { (value::place(origin)) }
            }
            (value::plan_changes(entry.changes()))
            @if !entry.consequences().is_empty() {
                p { "What goes or changes with it:" }
                ul { @for it in entry.consequences() {
                    li { (it.verb) " " (link::search_link(caller, &format!("{}/{}", kinds::get(it.kind).name, it.external_id))) }
                } }
            }
            @for effect in entry.side_effects() { p { (effect) } }
        }
    }
}
