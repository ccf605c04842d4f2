//! Shows a stored plan as a diff: what it does to whom, its steps and what is held, by account, and
//! who sees more or less, with a search.
//!
//! Input is the plan document as it was stored. A plan can have thousands of steps, so
//! entries are filtered, grouped and cut into pages here on the server. Start with [`section`].

use super::names::{self, ResourceNames};
use super::plan_entry::PlanPageEntry;
use super::{link, plan_groups};
use crate::diagnostic::{codes, thousands, visible};
use crate::document::{DocumentList, PlanDocument, SourceState, read_effects};
use crate::http::Caller;
use crate::kinds;
use crate::model::{Key, KindId};
use crate::plan::render::effects::EffectLine;
use crate::plan::render::{counted, effects, joined, visibility};
use crate::plan::visibility::PlanVisibility;
use crate::plan::{PlanEffects, PlanSummary, StepVerb};
use crate::store::{Store, StoreError};
use maud::{Markup, html};
use serde::Deserialize;

/// The number of entries on one page.
const PAGE_SIZE: usize = 60;
/// The choice for held steps in the list of verbs.
const HELD: &str = "held";
/// The choice for groups by kind and verb.
const BY_VERB: &str = "verb";
/// The number of ids that a line about effects names.
const MAX_NAMED: usize = 8;
/// The number of lines about effects, and of those about who sees whom.
const MAX_LINES: usize = 40;
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
    /// [`BY_VERB`] groups by kind and verb. Anything else groups by account.
    by: String,
    /// The index of the first entry on the page.
    from: usize,
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
        let [q, kind, verb, by] =
            [&self.q, &self.kind, &self.verb, &self.by].map(|text| link::percent_encode(text));
        format!("{page}?q={q}&kind={kind}&verb={verb}&by={by}&from={from}#plan")
    }

    /// The link to the same search in other groups.
    fn grouped(&self, page: &str, by: &str) -> String {
        let [q, kind, verb] =
            [&self.q, &self.kind, &self.verb].map(|text| link::percent_encode(text));
        format!("{page}?q={q}&kind={kind}&verb={verb}&by={by}#plan")
    }
}

/// Shows the plan. `effects_sentence` is what the source says of the whole plan, of which only a
/// part may be stored. `page` is the path of the page it is on.
pub(super) async fn section(
    plan: PlanDocument<'_>,
    effects_sentence: Option<String>,
    wanted: &PlanPageQuery,
    (store, caller, page): (&Store, &Caller, &str),
) -> Result<Markup, StoreError> {
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
    // A plan that an older release stored has none.
    let sentence =
        effects_sentence.or_else(|| effects::sentence(&effects, alone, effects::as_text));
    let all = steps.iter().map(PlanPageEntry::Step);
    let all: Vec<_> = all.chain(held.iter().map(PlanPageEntry::Held)).collect();
    let words = wanted.q.to_lowercase();
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    let found = all
        .iter()
        .filter(|entry| wanted.matches_entry(entry, &words));
    let found: Vec<PlanPageEntry<'_>> = found.copied().collect();
    let count = found.len();
    let by_verb = wanted.by == BY_VERB || count > plan_groups::MAX_LOOKED_UP;
    let groups = if by_verb {
        plan_groups::by_verb(&found)
    } else {
        plan_groups::by_account(&found, store, caller).await?
    };
    // A link to the last page may be older than the plan, which has become shorter.
    let from = wanted.from.min(count.saturating_sub(1));
    let groups: Vec<_> = plan_groups::page(groups, from, PAGE_SIZE).collect();
    let effect_lines = effect_lines(&effects, &visibility, &words);
    let entries = groups.iter().flat_map(|group| &group.entries);
    let named = entries.flat_map(PlanPageEntry::named_resources);
    let named = named.chain(effect_lines.iter().take(MAX_LINES).flat_map(resources_of));
    let named = named.chain(sentence.iter().flat_map(|text| names::mentioned_in(text)));
    let names = ResourceNames::read(store, caller, named).await?;
    Ok(html! {
        p { "Revision " (link::revision(&plan.source.revision)) ": " (summary(&plan.summary)) }
        @if let Some(sentence) = sentence { (effects_section(&sentence, &effect_lines, &names, caller)) }
        @if plan.errored { p.wrong { "Errors refused the plan, so it has no steps. See the diagnostics." } }
        @if !all.is_empty() { (search(wanted, page)) }
        p role="status" {
            (count_sentence(&all, count, wanted))
            @if count > PAGE_SIZE { " Showing " (from + 1) " to " (count.min(from + PAGE_SIZE)) "." }
            @if total(&plan.summary) > steps.len() as u64 { " The plan is large. Only its first steps are shown." }
        }
        @if count > 0 && count <= plan_groups::MAX_LOOKED_UP { p.small {
            @if by_verb { "By kind and verb. " a href=(wanted.grouped(page, "")) { "Group by account" } }
            @else { "By account. " a href=(wanted.grouped(page, BY_VERB)) { "Group by kind and verb" } }
        } }
        @for group in &groups { (group.show(count <= MAX_OPEN_ENTRIES, caller, &names)) }
        (pages(wanted, page, from, count))
        (visibility_section(&visibility, &words))
    })
}

/// The number of steps of the last plan of a source, and of what it held.
pub(super) fn step_count(state: &SourceState) -> u64 {
    let counts = state.summary.iter();
    let counts = counts.filter(|(name, _)| *name == HELD || StepVerb::by_word(name).is_some());
    counts.map(|(_, count)| count).sum()
}

/// Who gains or loses what by the plan, as far as the words of the search occur.
fn effect_lines(
    effects: &PlanEffects,
    visibility: &PlanVisibility,
    words: &[String],
) -> Vec<EffectLine> {
    let mut lines = effects::lines(effects, MAX_NAMED, visibility);
    lines.retain(|line| {
        let text = line.text().to_lowercase();
        words.iter().all(|word| text.contains(word))
    });
    lines
}

/// The resources that a line about effects names.
fn resources_of(line: &EffectLine) -> impl Iterator<Item = Key> {
    let kind = kind_of(line);
    let several = line.names.iter();
    let several = several.filter_map(move |id| Some(Key::new(kind?, id)));
    let because = line.because.iter().filter_map(|key| Key::parse(key));
    Key::parse(&line.who)
        .into_iter()
        .chain(several)
        .chain(because)
}

/// The kind of the several of a line: it says `3 users`.
fn kind_of(line: &EffectLine) -> Option<KindId> {
    let mut kinds = kinds::ALL.into_iter();
    let kind = kinds.find(|kind| counted(line.count, kind) == line.who)?;
    Some(kind.id)
}

/// Shows who gains or loses what.
fn effects_section(
    sentence: &str,
    lines: &[EffectLine],
    known: &ResourceNames,
    caller: &Caller,
) -> Markup {
    let beside = |key: &str| Key::parse(key).map(|key| known.beside(&key));
    let named = |line: &EffectLine| {
        let kind = kind_of(line);
        let names = line.names.iter().map(|id| {
            let name = kind.and_then(|kind| known.get(&Key::new(kind, id)));
            name.map_or_else(|| id.clone(), |name| format!("{id} {name}"))
        });
        joined(&names.collect::<Vec<_>>(), line.count)
    };
    let links = |keys: &[String], count: usize| {
        html! {
            @for (at, key) in keys.iter().enumerate() {
                @if at > 0 { ", " }
                (link::search_link(caller, key)) @if let Some(name) = beside(key) { (name) }
            }
            @if count > keys.len() { " and " (thousands(count - keys.len())) " more" }
        }
    };
    html! {
        p.effects { strong { (known.sentence(sentence)) } }
        @if !lines.is_empty() {
            details.group #effects open[lines.len() <= MAX_OPEN_ENTRIES] {
                summary { "Who gains and who loses" }
                ul.steps {
                    @for line in lines.iter().take(MAX_LINES) { li {
                        p {
                            @if line.names.is_empty() { (link::search_link(caller, &line.who)) @if let Some(name) = beside(&line.who) { (name) } } @else { (line.who) }
                            " " (line.what)
                            @if !line.names.is_empty() { ": " (visible(&named(line))) }
                        }
                        @if line.causes > 0 { p.small { "because of " (links(&line.because, line.causes)) } }
                    } }
                    @if lines.len() > MAX_LINES { li { p { "and " (thousands(lines.len() - MAX_LINES)) " more; search the plan for a name" } } }
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
                    @for entry in entries.iter().take(MAX_LINES) { li {
                        p { (entry.who) }
                        @for what in &entry.what { p { (what) } }
                    } }
                    @if entries.len() > MAX_LINES { li { p { "and " (thousands(entries.len() - MAX_LINES)) " more; search the plan for a name" } } }
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
        .map(|(name, count)| format!("{name} {}", thousands(count)))
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
        form.search role="search" aria-label="Plan" method="get" action={ (page) "#plan" } {
            div.wide { label for="q" { "Search the plan" } input #q type="search" name="q" value=(wanted.q); }
            div {
                label for="kind" { "Kind" }
                select #kind name="kind" { option value="" { "all" } @for kind in kinds::ALL { (choice(kind.name, &wanted.kind)) } }
            }
            div {
                label for="verb" { "Verb" }
                select #verb name="verb" { option value="" { "all" } @for verb in StepVerb::ALL { (choice(verb.word(), &wanted.verb)) } (choice(HELD, &wanted.verb)) }
            }
            @if !wanted.by.is_empty() { input type="hidden" name="by" value=(wanted.by); }
            button { "Search" }
            @if !wanted.is_unfiltered() { a href={ (page) "#plan" } { "Show all" } }
        }
    }
}
