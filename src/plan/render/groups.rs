//! What is listed of the steps of one kind: each by itself, or many that do the same as one.

use super::PlanDetail;
use super::wording::{ChangeLine, WordingOptions};
use crate::model::{CompactText, Digest, KindId};
use crate::plan::{Plan, Step, StepReason, StepVerb};
use std::collections::HashMap;
use std::io;

/// From so many resources on, the same changes are said once.
const MIN_GROUP_SIZE: u32 = 5;

/// More creates of one kind than this are counted, not listed.
const MANY_CREATES: usize = 200;

/// So many of a group are named; of those that lose access, more.
const NAMED: usize = 3;
const NAMED_REMOVALS: usize = 20;

pub(super) enum StepListEntry<'a> {
    /// A resource and what changes.
    One(&'a Step, Vec<ChangeLine>),
    /// Many resources with the same changes; the first of them is given whole.
    Many {
        first: &'a Step,
        count: usize,
        named: Vec<&'a CompactText>,
        lines: Vec<ChangeLine>,
    },
    /// More creates than anybody reads.
    Creates(usize),
}

/// What is listed of the resources of `kind`, entry by entry.
pub(super) fn entries<'a>(
    plan: &'a Plan,
    kind: KindId,
    detail: PlanDetail,
    wording: WordingOptions,
    visit: &mut dyn FnMut(StepListEntry<'a>) -> io::Result<()>,
) -> io::Result<()> {
    let steps = || plan.steps.iter().filter(move |step| step.key.kind == kind);
    if detail == PlanDetail::Full {
        return steps().try_for_each(|step| visit(StepListEntry::One(step, lines(step, wording))));
    }
    let creates = steps().filter(|step| step.verb == StepVerb::Create).count();
    let mut groups = groups(steps(), wording);
    let mut counted = false;
    for step in steps() {
        if step.verb == StepVerb::Create {
            if creates <= MANY_CREATES {
                visit(StepListEntry::One(step, Vec::new()))?;
            } else if !counted {
                counted = true;
                visit(StepListEntry::Creates(creates))?;
            }
            continue;
        }
        let lines = lines(step, wording);
        match groups.get_mut(&group_digest(step, &lines)) {
            Some(group) if group.count >= MIN_GROUP_SIZE => {
                let (count, named) = (group.count as usize, std::mem::take(&mut group.named));
                // Nobody is named any more once the group was shown.
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

/// Steps that do the same.
#[derive(Default)]
struct StepGroup<'a> {
    count: u32,
    named: Vec<&'a CompactText>,
}

fn groups<'a>(
    steps: impl Iterator<Item = &'a Step>,
    wording: WordingOptions,
) -> HashMap<Digest, StepGroup<'a>> {
    let mut groups: HashMap<Digest, StepGroup<'_>> = HashMap::new();
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

/// Equal for steps that read the same but for their id.
fn group_digest(step: &Step, lines: &[ChangeLine]) -> Digest {
    let mut text = format!("{} {}", step.verb, step.reason.word());
    for line in lines {
        text.extend(["\n", &line.name, "\0", &line.text]);
    }
    Digest::of(text.as_bytes())
}

/// What changes, in words; of a step that changes no field, what it does instead.
pub(super) fn lines(step: &Step, wording: WordingOptions) -> Vec<ChangeLine> {
    wording.lines(
        step.key.kind,
        &step.changes(),
        step.verb == StepVerb::Create,
    )
}

/// What a step without changes does.
pub(super) fn effect_without_changes(step: &Step) -> Option<&'static str> {
    match step.verb {
        StepVerb::Adopt => Some("no field differs; this source claims it from now on"),
        StepVerb::Delete => Some("permanent: its id can never be used again"),
        _ => None,
    }
}

/// Why the step is there, when its verb does not say so.
pub(super) fn reason(step: &Step) -> Option<&'static str> {
    match (step.verb, step.reason) {
        (_, StepReason::Declared) | (StepVerb::Adopt, StepReason::Adopted) => None,
        (_, reason) => Some(reason.word()),
    }
}
