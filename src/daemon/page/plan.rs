//! A plan as a diff to read: grouped by kind and verb, with a search.

use super::{link, value};
use crate::http::Caller;
use crate::kinds;
use crate::plan::Verb;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// How many steps are shown at once; the search finds all that are kept.
const SHOWN: usize = 300;
/// Up to how many steps all groups stand open.
const OPEN: usize = 30;

/// What of the plan is wanted, and what the form before came to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// Words that stand in a step.
    q: String,
    /// Only this kind; empty: all.
    kind: String,
    /// Only this verb; empty: all.
    verb: String,
    /// What was done.
    pub done: Option<String>,
}

impl Wanted {
    fn is_anything(&self) -> bool {
        self.q.trim().is_empty() && self.kind.is_empty() && self.verb.is_empty()
    }

    fn takes(&self, step: &Value, words: &[String]) -> bool {
        let is = |member: &str, wanted: &str| wanted.is_empty() || step[member] == wanted;
        is("kind", &self.kind) && is("verb", &self.verb) && {
            let text = text(step);
            words.iter().all(|word| text.contains(word))
        }
    }
}

/// What is searched in a step.
fn text(step: &Value) -> String {
    let word = |member: &str| step[member].as_str().unwrap_or_default();
    let head = [
        word("kind"),
        word("externalId"),
        word("verb"),
        word("reason"),
    ]
    .join(" ");
    let path = step["origin"]["path"].as_str().unwrap_or_default();
    format!("{head} {path} {}", step["changes"]).to_lowercase()
}

type Groups<'p> = BTreeMap<(usize, usize), Vec<&'p Value>>;

/// In the order of the kinds, and of the verbs within a kind.
fn groups<'p>(steps: &[&'p Value]) -> Groups<'p> {
    let mut groups = Groups::new();
    for step in steps {
        let kind = kinds::ALL.iter().position(|kind| step["kind"] == kind.name);
        let verb = Verb::ALL
            .iter()
            .position(|verb| step["verb"] == verb.word());
        let (Some(kind), Some(verb)) = (kind, verb) else {
            continue;
        };
        groups.entry((kind, verb)).or_default().push(step);
    }
    groups
}

/// The plan; `page` is where it stands.
pub(super) fn section(document: &Value, wanted: &Wanted, caller: &Caller, page: &str) -> Markup {
    let none = Vec::new();
    let steps = document["steps"].as_array().unwrap_or(&none);
    let words = wanted.q.to_lowercase();
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let taken = steps.iter().filter(|step| wanted.takes(step, &words));
    let found: Vec<&Value> = taken.collect();
    let shown = &found[..found.len().min(SHOWN)];
    let open = found.len() <= OPEN;
    html! {
        p { "Of revision " (link::revision(document["source"]["revision"].as_str().unwrap_or_default())) ": " (summary(&document["summary"])) }
        @if document["errored"] == true { p.wrong { "Errors refuse the plan: there are no steps. See the findings." } }
        @if !steps.is_empty() { (search(wanted, page)) }
        p role="status" {
            @if steps.is_empty() { "No steps." }
            @else if wanted.is_anything() { (steps.len()) (if steps.len() == 1 { " step." } else { " steps." }) }
            @else { (found.len()) " of " (steps.len()) " steps." }
            @if found.len() > shown.len() { " The first " (shown.len()) " are shown; search for the others." }
            @if total(&document["summary"]) > steps.len() as u64 { " The plan is large; only its first steps are kept." }
        }
        @for ((kind, verb), steps) in groups(shown) {
            (group(kinds::ALL[kind].name, Verb::ALL[verb], &steps, open, caller))
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
            div { label for="q" { "Search the plan" } input #q type="search" name="q" value=(wanted.q); }
            div {
                label for="kind" { "Kind" }
                select #kind name="kind" { option value="" { "all" } @for kind in kinds::ALL { (choice(kind.name, &wanted.kind)) } }
            }
            div {
                label for="verb" { "Verb" }
                select #verb name="verb" { option value="" { "all" } @for verb in Verb::ALL { (choice(verb.word(), &wanted.verb)) } }
            }
            button { "Search" }
            @if !wanted.is_anything() { a href={ (page) "#plan" } { "Show all" } }
        }
    }
}

fn group(kind: &str, verb: Verb, steps: &[&Value], open: bool, caller: &Caller) -> Markup {
    html! {
        details.group id={ "group-" (kind) "-" (verb) } open[open] {
            summary { (sign(verb)) " " (kind) ": " (verb) " " (steps.len()) }
            ul.steps { @for step in steps { (line(step, verb, caller)) } }
        }
    }
}

fn sign(verb: Verb) -> Markup {
    html! { span class={ "verb " (verb) } aria-hidden="true" { (verb.sign()) } }
}

fn line(step: &Value, verb: Verb, caller: &Caller) -> Markup {
    let word = |member: &str| step[member].as_str().unwrap_or_default();
    let (kind, id) = (word("kind"), word("externalId"));
    let target = match verb {
        // It may not be stored yet, or not any more.
        Verb::Create | Verb::Delete => link::sought(caller, &format!("{kind}/{id}")),
        _ => link::resource(caller, kind, id),
    };
    html! {
        li {
            p {
                (sign(verb)) " " (verb) " " (target)
                " " span.small { (word("reason")) } " " (value::place(&step["origin"]))
            }
            (value::changes(&step["changes"]))
        }
    }
}
