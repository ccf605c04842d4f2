//! A plan as a diff to read: what is done and what is held, grouped by kind and verb, with a search.

use super::{link, value};
use crate::http::Caller;
use crate::kinds;
use crate::plan::StepVerb;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many entries are on one page.
const PAGE_SIZE: usize = 200;
/// What stands in place of a verb for what is held.
const HELD: &str = "held";
/// Up to how many entries all groups stand open.
const MAX_OPEN_ENTRIES: usize = 30;

/// What of the plan is wanted, and what the form before came to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PlanPageQuery {
    /// Words that stand in a step.
    q: String,
    /// Only this kind; empty: all.
    kind: String,
    /// Only this verb, or what is held; empty: all.
    verb: String,
    /// How many are left out before the first one.
    from: usize,
    /// What was done.
    pub done: Option<String>,
}

impl PlanPageQuery {
    fn is_unfiltered(&self) -> bool {
        self.q.trim().is_empty() && self.kind.is_empty() && self.verb.is_empty()
    }

    fn matches_entry(&self, entry: &PlanPageEntry<'_>, words: &[String]) -> bool {
        let verb = match &*self.verb {
            "" => true,
            HELD => entry.held,
            verb => !entry.held && entry.value["verb"] == verb,
        };
        let kind = self.kind.is_empty() || entry.value["kind"] == self.kind;
        verb && kind && {
            let text = text(entry.value);
            words.iter().all(|word| text.contains(word))
        }
    }

    /// The same from another place on.
    fn page(&self, page: &str, from: usize) -> String {
        let [q, kind, verb] =
            [&self.q, &self.kind, &self.verb].map(|text| link::percent_encode(text));
        format!("{page}?q={q}&kind={kind}&verb={verb}&from={from}#plan")
    }
}

/// A step, or what is held.
#[derive(Clone, Copy)]
struct PlanPageEntry<'p> {
    value: &'p Value,
    held: bool,
}

fn entries(document: &Value) -> Vec<PlanPageEntry<'_>> {
    let list = |name: &str, held| {
        let list = document[name].as_array().into_iter().flatten();
        list.map(move |what| PlanPageEntry { value: what, held })
    };
    list("steps", false).chain(list("held", true)).collect()
}

/// What is searched in a step.
fn text(step: &Value) -> String {
    let word = |member: &str| step[member].as_str().unwrap_or_default();
    let head = [
        word("kind"),
        word("externalId"),
        word("verb"),
        word("reason"),
        word("code"),
    ]
    .join(" ");
    let path = step["origin"]["path"].as_str().unwrap_or_default();
    format!("{head} {path} {}", step["changes"]).to_lowercase()
}

/// By whether it is held, kind and verb.
type PlanGroupKey = (bool, usize, usize);

/// Where an entry stands: what is done before what is held, then in the order of the kinds and verbs.
fn group_key(entry: &PlanPageEntry<'_>) -> Option<PlanGroupKey> {
    let (kind, verb) = (&entry.value["kind"], &entry.value["verb"]);
    let kind = kinds::ALL.iter().position(|known| kind == known.name)?;
    let verb = StepVerb::ALL
        .iter()
        .position(|known| verb == known.word())?;
    Some((entry.held, kind, verb))
}

/// The plan; `page` is where it stands.
pub(super) fn section(
    document: &Value,
    wanted: &PlanPageQuery,
    caller: &Caller,
    page: &str,
) -> Markup {
    let all = entries(document);
    let words = wanted.q.to_lowercase();
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let mut found: BTreeMap<PlanGroupKey, Vec<PlanPageEntry<'_>>> = BTreeMap::new();
    for entry in all
        .iter()
        .filter(|entry| wanted.matches_entry(entry, &words))
    {
        if let Some(place) = group_key(entry) {
            found.entry(place).or_default().push(*entry);
        }
    }
    let count: usize = found.values().map(Vec::len).sum();
    let from = wanted.from.min(count.saturating_sub(1));
    let kept = document["steps"].as_array().map_or(0, Vec::len) as u64;
    html! {
        p { "Revision " (link::revision(document["source"]["revision"].as_str().unwrap_or_default())) ": " (summary(&document["summary"])) }
        @if document["errored"] == true { p.wrong { "Errors refused the plan, so it has no steps. See the diagnostics." } }
        @if !all.is_empty() { (search(wanted, page)) }
        p role="status" {
            (count_sentence(&all, count, wanted))
            @if count > PAGE_SIZE { " Showing " (from + 1) " to " (count.min(from + PAGE_SIZE)) "." }
            @if total(&document["summary"]) > kept { " The plan is large. Only its first steps are shown." }
        }
        @for ((held, kind, verb), entries) in page_groups(found, from) {
            (group(kinds::ALL[kind].name, StepVerb::ALL[verb], held, &entries, count <= MAX_OPEN_ENTRIES, caller))
        }
        (pages(wanted, page, from, count))
    }
}

/// How many there are and how many of them are wanted.
fn count_sentence(all: &[PlanPageEntry<'_>], count: usize, wanted: &PlanPageQuery) -> String {
    let held = all.iter().filter(|entry| entry.held).count();
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

/// The ways to what is not on this page.
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

/// How many steps the plan has.
fn total(summary: &Value) -> u64 {
    let counts = StepVerb::ALL
        .iter()
        .filter_map(|verb| summary[verb.word()].as_u64());
    counts.sum()
}

fn summary(summary: &Value) -> String {
    let counts = summary.as_object().into_iter().flatten();
    let told: Vec<String> = counts
        .filter(|(_, count)| count.as_u64().is_some_and(|count| count > 0))
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if told.is_empty() {
        "nothing to apply".to_owned()
    } else {
        told.join(", ")
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
    let what = entry.value;
    let word = |member: &str| what[member].as_str().unwrap_or_default();
    let (kind, id) = (word("kind"), word("externalId"));
    let target = match verb {
        // It may not be stored yet, or not any more.
        StepVerb::Create | StepVerb::Delete => link::search_link(caller, &format!("{kind}/{id}")),
        _ => link::resource(caller, kind, id),
    };
    html! {
        li {
            p {
                (sign(verb, entry.held)) " " (verb) " " (target)
                " " span.small { (word(if entry.held { "code" } else { "reason" })) } " " (value::place(&what["origin"]))
            }
            (value::changes(&what["changes"]))
        }
    }
}
