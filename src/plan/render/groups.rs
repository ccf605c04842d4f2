//! Decides how the steps of one kind are listed: one by one, or as a group with the same changes.
//!
//! A renamed user group changes thousands of users in the same way, and a list of them would hide
//! the one change that differs. Input are the steps of a plan; output are [`StepListEntry`]s for
//! the text and Markdown forms. Start with [`entries`].

use super::PlanDetail;
use super::wording::{ChangeLine, WordingOptions};
use crate::model::{CompactText, Digest, KindId};
use crate::plan::{Plan, Step, StepReason, StepVerb};
use std::collections::HashMap;
use std::io;

/// The number of resources from which the same changes are shown once.
pub(super) const MIN_GROUP_SIZE: u32 = 5;

/// More creates of one kind than this are counted, not listed.
const MANY_CREATES: usize = 200;

/// The number of resources that a group names. For removals it is more, because each name may be a
/// customer who should stay.
const NAMED: usize = 3;
pub(super) const NAMED_REMOVALS: usize = 20;

pub(super) enum StepListEntry<'a> {
    /// One resource and its changes.
    One(&'a Step, Vec<ChangeLine>),
    /// Many resources with the same changes, and the first of them.
    Many {
        first: &'a Step,
        count: usize,
        named: Vec<&'a CompactText>,
        lines: Vec<ChangeLine>,
    },
    /// Creates that are only counted, as in a first load, and the first of them.
    Creates(&'a Step, usize),
}

impl StepListEntry<'_> {
    /// How many resources it is about.
    pub fn count(&self) -> usize {
        match self {
            Self::Creates(_, count) | Self::Many { count, .. } => *count,
            Self::One(..) => 1,
        }
    }
}

/// Visits the entries of one kind in the order of the plan.
pub(super) fn entries<'a>(
    plan: &'a Plan,
    kind: KindId,
    detail: PlanDetail,
    wording: WordingOptions<'_>,
    visit: &mut dyn FnMut(StepListEntry<'a>) -> io::Result<()>,
) -> io::Result<()> {
    let steps = || plan.steps.iter().filter(move |step| step.key.kind == kind);
    if detail == PlanDetail::Full {
        return steps().try_for_each(|step| visit(StepListEntry::One(step, lines(step, wording))));
    }
    // Two walks over the steps: only after the first one is it known which changes are frequent. A
    // visitor gets each entry as it is made, so a large plan is never held as text.
    let creates = steps().filter(|step| step.verb == StepVerb::Create).count();
    let mut groups = groups(steps(), wording);
    let mut counted = false;
    for step in steps() {
        if step.verb == StepVerb::Create {
            if creates <= MANY_CREATES {
                visit(StepListEntry::One(step, Vec::new()))?;
            } else if !counted {
                counted = true;
                visit(StepListEntry::Creates(step, creates))?;
            }
            continue;
        }
        let lines = lines(step, wording);
        match groups.get_mut(&group_digest(step, &lines)) {
            Some(group) if group.count >= MIN_GROUP_SIZE => {
                // The group is shown where its first step is. Taking the names marks it as shown.
                let (count, named) = (group.count as usize, std::mem::take(&mut group.named));
                if !named.is_empty() {
                    visit(StepListEntry::Many {
                        first: step,
                        count,
                        named,
                        lines,
                    })?;
                }
            }
            _ => visit(StepListEntry::One(step, lines))?,
        }
    }
    Ok(())
}

/// Steps with the same verb, reason and changes.
#[derive(Default)]
struct StepGroup<'a> {
    count: u32,
    named: Vec<&'a CompactText>,
}

fn groups<'a>(
    steps: impl Iterator<Item = &'a Step>,
    wording: WordingOptions<'_>,
) -> HashMap<Digest, StepGroup<'a>> {
    let mut groups: HashMap<Digest, StepGroup<'_>> = HashMap::new();
    // Creates are listed without their fields, so there is nothing to group them by.
    for step in steps.filter(|step| step.verb != StepVerb::Create) {
        let group = groups
            .entry(group_digest(step, &lines(step, wording)))
            .or_default();
        group.count += 1;
        if group.named.len() < named(step.verb) {
            group.named.push(&step.key.id);
        }
    }
    groups
}

fn named(verb: StepVerb) -> usize {
    match verb {
        StepVerb::Deactivate | StepVerb::Delete => NAMED_REMOVALS,
        _ => NAMED,
    }
}

/// Returns a digest that is equal for steps that read the same except for their id.
fn group_digest(step: &Step, lines: &[ChangeLine]) -> Digest {
    // By the text and not the values: what reads the same may be shown as one. A digest takes 16
    // bytes where the text of a million steps would have to be kept.
    let mut text = format!("{} {}", step.verb, step.reason.word());
    for line in lines {
        text.extend(["\n", &line.name, "\0", &line.text]);
    }
    text.extend(step.side_effects());
    Digest::of(text.as_bytes())
}

/// Returns the changes of a step in words.
pub(super) fn lines(step: &Step, wording: WordingOptions<'_>) -> Vec<ChangeLine> {
    wording.lines(
        step.key.kind,
        &step.changes(),
        step.verb == StepVerb::Create,
    )
}

/// The verb of a step in words. A new account may wait for a person.
pub(super) fn verb_words(step: &Step) -> String {
    if step.runtime.awaits_approval {
        format!("{}, pending approval", step.verb)
    } else {
        step.verb.to_string()
    }
}

/// Says what a step does if it changes no field.
pub(super) fn effect_without_changes(step: &Step) -> Option<&'static str> {
    match step.verb {
        StepVerb::Adopt => Some("no field differs; this source claims it from now on"),
        StepVerb::Delete => Some("permanent: its id can never be used again"),
        _ => None,
    }
}

/// Returns the reason of a step, unless it is clear from the verb.
pub(super) fn reason(step: &Step) -> Option<&'static str> {
    match (step.verb, step.reason) {
        (_, StepReason::Declared) | (StepVerb::Adopt, StepReason::Adopted) => None,
        (_, reason) => Some(reason.word()),
    }
}
