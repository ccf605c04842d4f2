//! A plan as a diff to read: what is done and what is held, grouped by kind and verb, with a search.

use super::{link, value};
use crate::http::Caller;
use crate::kinds;
use crate::plan::Verb;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many entries are on one page.
const SHOWN: usize = 200;
/// What stands in place of a verb for what is held.
const HELD: &str = "held";
/// Up to how many entries all groups stand open.
const OPEN: usize = 30;

/// What of the plan is wanted, and what the form before came to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
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

impl Wanted {
    fn is_anything(&self) -> bool {
        self.q.trim().is_empty() && self.kind.is_empty() && self.verb.is_empty()
    }

    fn takes(&self, entry: &Entry<'_>, words: &[String]) -> bool {
        let verb = match &*self.verb {
            "" => true,
            HELD => entry.held,
            verb => !entry.held && entry.what["verb"] == verb,
        };
        let kind = self.kind.is_empty() || entry.what["kind"] == self.kind;
        verb && kind && {
            let text = text(entry.what);
            words.iter().all(|word| text.contains(word))
        }
    }

    /// The same from another place on.
    fn page(&self, page: &str, from: usize) -> String {
        let [q, kind, verb] = [&self.q, &self.kind, &self.verb].map(|text| link::escaped(text));
        format!("{page}?q={q}&kind={kind}&verb={verb}&from={from}#plan")
    }
}

/// A step, or what is held.
#[derive(Clone, Copy)]
struct Entry<'p> {
    what: &'p Value,
    held: bool,
}

fn entries(document: &Value) -> Vec<Entry<'_>> {
    let list = |name: &str, held| {
        let list = document[name].as_array().into_iter().flatten();
        list.map(move |what| Entry { what, held })
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
type Place = (bool, usize, usize);

/// Where an entry stands: what is done before what is held, then in the order of the kinds and verbs.
fn place(entry: &Entry<'_>) -> Option<Place> {
    let (kind, verb) = (&entry.what["kind"], &entry.what["verb"]);
    let kind = kinds::ALL.iter().position(|known| kind == known.name)?;
    let verb = Verb::ALL.iter().position(|known| verb == known.word())?;
    Some((entry.held, kind, verb))
}

/// The plan; `page` is where it stands.
pub(super) fn section(document: &Value, wanted: &Wanted, caller: &Caller, page: &str) -> Markup {
    let all = entries(document);
    let words = wanted.q.to_lowercase();
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let mut found: BTreeMap<Place, Vec<Entry<'_>>> = BTreeMap::new();
    for entry in all.iter().filter(|entry| wanted.takes(entry, &words)) {
        if let Some(place) = place(entry) {
            found.entry(place).or_default().push(*entry);
        }
    }
    let count: usize = found.values().map(Vec::len).sum();
    let from = wanted.from.min(count.saturating_sub(1));
    let kept = document["steps"].as_array().map_or(0, Vec::len) as u64;
    html! {
        p { "Of revision " (link::revision(document["source"]["revision"].as_str().unwrap_or_default())) ": " (summary(&document["summary"])) }
        @if document["errored"] == true { p.wrong { "Errors refuse the plan: there are no steps. See the findings." } }
        @if !all.is_empty() { (search(wanted, page)) }
        p role="status" {
            (told(&all, count, wanted))
            @if count > SHOWN { " These are " (from + 1) " to " (count.min(from + SHOWN)) "." }
            @if total(&document["summary"]) > kept { " The plan is large; only its first steps are kept." }
        }
        @for ((held, kind, verb), entries) in part(found, from) {
            (group(kinds::ALL[kind].name, Verb::ALL[verb], held, &entries, count <= OPEN, caller))
        }
        (pages(wanted, page, from, count))
    }
}

/// How many there are and how many of them are wanted.
fn told(all: &[Entry<'_>], count: usize, wanted: &Wanted) -> String {
    let held = all.iter().filter(|entry| entry.held).count();
    let steps = |count: usize| match count {
        0 => "No steps".to_owned(),
        1 => "1 step".to_owned(),
        many => format!("{many} steps"),
    };
    match (wanted.is_anything(), held) {
        (true, 0) => format!("{}.", steps(all.len())),
        (true, held) => format!("{} and {held} held.", steps(all.len() - held)),
        (false, 0) => format!("{count} of {}.", steps(all.len())),
        (false, _) => format!("{count} of {}, held ones included.", steps(all.len())),
    }
}

/// The groups of one page.
fn part(
    found: BTreeMap<Place, Vec<Entry<'_>>>,
    from: usize,
) -> impl Iterator<Item = (Place, Vec<Entry<'_>>)> {
    let (mut skip, mut room) = (from, SHOWN);
    found.into_iter().filter_map(move |(place, entries)| {
        let skipped = skip.min(entries.len());
        skip -= skipped;
        let shown: Vec<_> = entries.into_iter().skip(skipped).take(room).collect();
        room -= shown.len();
        (!shown.is_empty()).then_some((place, shown))
    })
}

/// The ways to what is not on this page.
fn pages(wanted: &Wanted, page: &str, from: usize, count: usize) -> Markup {
    html! {
        @if count > SHOWN {
            nav.pages aria-label="Pages of the plan" {
                @if from > 0 { a href=(wanted.page(page, from.saturating_sub(SHOWN))) rel="prev" { "Those before" } }
                @if from + SHOWN < count { a href=(wanted.page(page, from + SHOWN)) rel="next" { "More of them" } }
            }
        }
    }
}

/// How many steps the plan has.
fn total(summary: &Value) -> u64 {
    let counts = Verb::ALL
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
        "nothing to do".to_owned()
    } else {
        told.join(", ")
    }
}

fn search(wanted: &Wanted, page: &str) -> Markup {
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
                select #verb name="verb" { option value="" { "all" } @for verb in Verb::ALL { (choice(verb.word(), &wanted.verb)) } (choice(HELD, &wanted.verb)) }
            }
            button { "Search" }
            @if !wanted.is_anything() { a href={ (page) "#plan" } { "Show all" } }
        }
    }
}

fn group(
    kind: &str,
    verb: Verb,
    held: bool,
    entries: &[Entry<'_>],
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

fn sign(verb: Verb, held: bool) -> Markup {
    html! {
        @if held { span.verb.held aria-hidden="true" { "!" } }
        @else { span class={ "verb " (verb) } aria-hidden="true" { (verb.sign()) } }
    }
}

fn line(entry: &Entry<'_>, verb: Verb, caller: &Caller) -> Markup {
    let what = entry.what;
    let word = |member: &str| what[member].as_str().unwrap_or_default();
    let (kind, id) = (word("kind"), word("externalId"));
    let target = match verb {
        // It may not be stored yet, or not any more.
        Verb::Create | Verb::Delete => link::sought(caller, &format!("{kind}/{id}")),
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
