//! What a reviewer has to see first, whatever the size of the plan.
//!
//! Each risk is written in full if all of them fit on the first screen. Otherwise each is one short
//! line there, and the rest is folded below.

use super::RenderOptions;
use super::access::AccessChanges;
use super::code_span::code;
use super::effects;
use super::groups;
use super::holds::{HoldGroup, holds};
use super::markdown_items::{NAMED, hold_item, named};
use super::markdown_writer::{BlockTopic, MarkdownWriter};
use super::text::{self, TextWriter};
use super::visibility;
use super::wording::{counted, plural, thousands};
use crate::diagnostic::Severity;
use crate::kinds;
use crate::model::{FieldChange, Key};
use crate::plan::{Plan, PlanEffects, Step, StepVerb, shared_by};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;

/// The bytes in which every risk is named: about what a platform shows without scrolling.
const FIRST_SCREEN: usize = 1_500;

/// The bytes of these for a sentence about effects.
pub(super) const EFFECT_BYTES: usize = 400;

/// The number of resources with an item of their own.
const LISTED: usize = 50;

const HEADING: &str = "#### Look at this first\n\n";

/// All risks of a plan, the most dangerous first.
pub(super) struct RiskList(Vec<PlanRisk>);

/// Things of one sort to look at.
struct PlanRisk {
    topic: BlockTopic,
    /// What it is, with its count.
    lead: String,
    /// The first things that it concerns, as code spans.
    named: Vec<String>,
    /// How many things it concerns.
    total: usize,
    /// Everything about it, as items of a list, with how many things each is about.
    items: Vec<(usize, String)>,
}

impl RiskList {
    pub fn of(plan: &Plan, options: &RenderOptions) -> Self {
        // The sentence about effects stands before all of these, which name single steps.
        let all = [
            refused(plan),
            held(plan, options),
            removed(plan, StepVerb::Delete, "Deletes"),
            removed(plan, StepVerb::Deactivate, "Deactivates"),
            undone(plan),
            access(plan, options, "Takes rights", |access| access.losses),
            access(plan, options, "Gives rights", |access| access.gains),
            terms(plan),
            addresses(plan),
            seen(plan),
        ];
        Self(all.into_iter().filter(|risk| risk.total > 0).collect())
    }

    /// Whether all fit on the first screen, of which `used` bytes are taken.
    pub fn fit(&self, used: usize) -> bool {
        let items = self.0.iter().flat_map(|risk| &risk.items);
        let length: usize = items.map(|(_, item)| item.len()).sum();
        used + HEADING.len() + length <= FIRST_SCREEN
    }

    /// Writes each in full.
    pub fn write(&self, page: &mut MarkdownWriter<'_>) -> io::Result<()> {
        page.begin(HEADING, "\n");
        self.items(page)?;
        page.end_section()
    }

    /// Writes each in full, folded.
    pub fn write_folded(&self, page: &mut MarkdownWriter<'_>) -> io::Result<()> {
        let opening = "<details><summary>What to look at, in full</summary>\n\n";
        page.begin(opening, "\n</details>\n\n");
        self.items(page)?;
        page.end_section()
    }

    fn items(&self, page: &mut MarkdownWriter<'_>) -> io::Result<()> {
        for risk in &self.0 {
            for (many, item) in &risk.items {
                page.block((risk.topic, *many), item)?;
            }
        }
        Ok(())
    }

    /// Writes a line for each, within what is left of the first screen.
    pub fn write_short(&self, used: usize, page: &mut MarkdownWriter<'_>) -> io::Result<()> {
        let leads: usize = self.0.iter().map(|risk| risk.short(0).len()).sum();
        let mut spare = FIRST_SCREEN.saturating_sub(used + HEADING.len() + leads + 1);
        let mut lines = String::from(HEADING);
        for (at, risk) in self.0.iter().enumerate() {
            // What one does not need is left to the next ones.
            let line = risk.short(spare / (self.0.len() - at));
            spare -= line.len() - risk.short(0).len();
            lines.push_str(&line);
        }
        lines.push('\n');
        // Its details are tried one by one, so nothing is lost if this does not fit.
        page.block_if_room(&lines)
    }
}

impl PlanRisk {
    /// Returns one line that uses at most `spare` bytes for names.
    fn short(&self, spare: usize) -> String {
        let mut line = format!("- {}", self.lead);
        let start = line.len();
        let mut count = 0;
        for name in &self.named {
            let lead = if count == 0 { ": " } else { ", " };
            // With room for saying how many more there are.
            if line.len() - start + lead.len() + name.len() + 24 > spare {
                break;
            }
            line.extend([lead, name]);
            count += 1;
        }
        let more = self.total - count;
        if count > 0 && more > 0 {
            let _ = write!(line, " and {} more", thousands(more));
        }
        line.push('\n');
        line
    }
}

fn refused(plan: &Plan) -> PlanRisk {
    let errors = plan.count(Severity::Error);
    let counted = plural(errors, "error");
    let lead = if plan.errored {
        format!("**Refused**: {counted}; nothing is applied until all are fixed")
    } else {
        format!("**Skipped**: {counted}; the affected resources are not applied")
    };
    PlanRisk {
        topic: BlockTopic::Error,
        named: Vec::new(),
        total: errors,
        // The errors themselves follow and are counted there.
        items: vec![(0, format!("- {lead}\n"))],
        lead,
    }
}

fn held(plan: &Plan, options: &RenderOptions) -> PlanRisk {
    let mut all = holds(plan);
    all.retain(|hold| !hold.is_standing());
    let what = |hold: &HoldGroup<'_>| {
        let first = hold.first();
        let count = counted(hold.resources().len(), kinds::get(first.key.kind));
        code(&format!("{}: {} {count}", first.code, first.verb))
    };
    let needs = if all.len() == 1 { "needs" } else { "need" };
    let mut lead = format!("**{}** {needs} a decision", plural(all.len(), "hold"));
    let effects = all.iter().filter_map(HoldGroup::effects);
    let effects: Vec<PlanEffects> = effects.collect();
    let effects = PlanEffects::union(effects.iter());
    let none = std::iter::empty();
    if let Some(words) = effects::short_sentence(&effects, none, code, EFFECT_BYTES) {
        // What it is about, or the decision would wait for somebody who opens the folds.
        let _ = write!(lead, " (if approved: {})", words.trim_end_matches('.'));
    }
    PlanRisk {
        topic: BlockTopic::Hold,
        lead,
        named: all.iter().take(NAMED).map(what).collect(),
        total: all.len(),
        items: all
            .iter()
            .map(|hold| (1, hold_item(hold, options)))
            .collect(),
    }
}

/// A deleted id can never be used again, while a deactivation can be undone.
fn removed(plan: &Plan, verb: StepVerb, word: &str) -> PlanRisk {
    let steps: Vec<&Step> = plan.steps.iter().filter(|step| step.verb == verb).collect();
    let items = kinds::ALL.iter().filter_map(|kind| {
        let of_kind = steps.iter().filter(|step| step.key.kind == kind.id);
        let of_kind: Vec<&&Step> = of_kind.collect();
        let counted = counted(of_kind.len(), kind);
        let named = || named(of_kind.iter().map(|step| text::key(&step.key)));
        let item = || format!("- **{word}** {counted}: {}\n", named());
        (!of_kind.is_empty()).then(|| (1, item()))
    });
    PlanRisk {
        topic: BlockTopic::Removal,
        lead: format!("**{word}** {}", kind_counts(&steps)),
        named: names(&steps),
        total: steps.len(),
        items: items.collect(),
    }
}

fn access(
    plan: &Plan,
    options: &RenderOptions,
    title: &str,
    side: fn(AccessChanges) -> Vec<FieldChange>,
) -> PlanRisk {
    let wording = TextWriter::new(plan, options).wording;
    let mut steps = Vec::new();
    let mut items = Vec::new();
    for step in &plan.steps {
        let changes = side(AccessChanges::of(step));
        if changes.is_empty() {
            continue;
        }
        steps.push(step);
        if items.len() < LISTED {
            let lines = wording.lines(step.key.kind, &changes, false);
            let lines = lines.iter();
            let lines = lines.map(|line| code(&format!("{}: {}", line.name, line.text)));
            let lines: Vec<String> = lines.collect();
            let (key, why) = (code(&text::key(&step.key)), why(step));
            items.push((
                1,
                format!("- **{title}** {key}: {} ({why})\n", lines.join(", ")),
            ));
        }
    }
    // Counted instead of listed. All of them are in the folded part anyway.
    let more = steps.len() - items.len();
    if more > 0 {
        let resources = plural(more, "more resource");
        items.push((1, format!("- **{title}**: {resources}, listed below\n")));
    }
    PlanRisk {
        topic: BlockTopic::Access,
        lead: format!("**{title}**: {}", kind_counts(&steps)),
        named: names(&steps),
        total: steps.len(),
        items,
    }
}

/// What would take back the work of somebody else, by the change that is taken back.
fn undone(plan: &Plan) -> PlanRisk {
    let steps = plan.steps.iter().map(|step| (&step.key, &step.undoes));
    let held = plan.held.iter().map(|held| (&held.key, &held.undoes));
    let mut resources: BTreeSet<&Key> = BTreeSet::new();
    let mut by_change: BTreeMap<(Reverse<i64>, String), BTreeSet<&Key>> = BTreeMap::new();
    for (key, undoes) in steps.chain(held) {
        for change in undoes {
            let lacks = match change.is_contained {
                Some(false) => ", which this revision does not contain",
                _ => "",
            };
            let what = format!("{}{lacks}", code(&change.title()));
            let of_change = by_change.entry((Reverse(change.run), what)).or_default();
            of_change.insert(key);
            resources.insert(key);
        }
    }
    let changes: Vec<String> = by_change.keys().map(|(_, what)| what.clone()).collect();
    let items = by_change.into_iter().map(|((_, what), keys)| {
        let keys: Vec<&Key> = keys.into_iter().collect();
        let keys = named(keys.iter().map(|key| text::key(key)));
        (1, format!("- **Reverts** {what}: {keys}\n"))
    });
    PlanRisk {
        topic: BlockTopic::Change,
        lead: format!(
            "**Reverts** {} of {}",
            plural(changes.len(), "earlier change"),
            plural(resources.len(), "resource")
        ),
        total: changes.len(),
        items: items.collect(),
        named: changes,
    }
}

fn terms(plan: &Plan) -> PlanRisk {
    let steps = plan.steps.iter();
    let found = steps.filter_map(|step| Some((step, step.runtime.effect()?)));
    let (steps, words): (Vec<&Step>, Vec<String>) = found.unzip();
    let items = steps.iter().zip(words);
    let items = items.map(|(step, words)| {
        (
            1,
            format!("- **Terms** {} {words}\n", code(&text::key(&step.key))),
        )
    });
    PlanRisk {
        topic: BlockTopic::Access,
        lead: format!("**Terms**: {}", kind_counts(&steps)),
        named: names(&steps),
        total: steps.len(),
        items: items.collect(),
    }
}

fn addresses(plan: &Plan) -> PlanRisk {
    let found = plan
        .steps
        .iter()
        .filter_map(|step| Some((step, shared_by(&step.accounts)?)));
    let (steps, words): (Vec<&Step>, Vec<String>) = found.unzip();
    let items = steps.iter().zip(words);
    let items = items.map(|(step, words)| {
        let (key, words) = (code(&text::key(&step.key)), code(&words));
        (1, format!("- **Address** {key} {words}\n"))
    });
    PlanRisk {
        topic: BlockTopic::Change,
        lead: format!("**Shared addresses**: {}", kind_counts(&steps)),
        named: names(&steps),
        total: steps.len(),
        items: items.collect(),
    }
}

fn seen(plan: &Plan) -> PlanRisk {
    let entries = visibility::entries(&plan.visibility, false);
    let total = plan.visibility.count();
    let listed = || entries.iter().take(LISTED);
    let mut items: Vec<(usize, String)> = listed()
        .map(|entry| {
            let what: Vec<String> = entry.what.iter().map(|what| code(what)).collect();
            let (who, what) = (code(&entry.who), what.join(", "));
            (1, format!("- **Visibility** {who}: {what}\n"))
        })
        .collect();
    let named: usize = listed().map(|entry| entry.count).sum();
    if total > named {
        let more = plural(total - named, "more user");
        items.push((1, format!("- **Visibility**: {more}\n")));
    }
    PlanRisk {
        topic: BlockTopic::Access,
        lead: format!("**Visibility** of {}", plural(total, "user")),
        // An entry may stand for many users, so a list of the first would count wrongly.
        named: Vec::new(),
        total,
        items,
    }
}

fn names(steps: &[&Step]) -> Vec<String> {
    let keys = steps
        .iter()
        .take(NAMED)
        .map(|step| code(&text::key(&step.key)));
    keys.collect()
}

/// Returns `12 users, 1 tag`.
fn kind_counts(steps: &[&Step]) -> String {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for step in steps {
        *counts.entry(step.key.kind).or_default() += 1;
    }
    let words = counts.into_iter();
    let words: Vec<String> = words
        .map(|(kind, count)| counted(count, kinds::get(kind)))
        .collect();
    words.join(", ")
}

/// Says why a step is there, and where it is declared.
fn why(step: &Step) -> String {
    let why = match (step.verb, groups::reason(step)) {
        (StepVerb::Create, _) => "new",
        (_, Some(reason)) => reason,
        (_, None) => step.reason.word(),
    };
    match &step.origin {
        Some(origin) => format!("{why}, {}", code(&origin.to_string())),
        None => why.to_owned(),
    }
}
