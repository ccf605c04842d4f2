//! What is listed of the steps of one kind: each by itself, or many that do the same as one.

use super::Detail;
use super::words::{Line, Wording};
use crate::model::{Digest, KindId, Text};
use crate::plan::{Plan, Reason, Step, Verb};
use std::collections::HashMap;
use std::io;

/// From so many resources on, the same changes are said once.
const SAME: u32 = 5;

/// More creates of one kind than this are counted, not listed.
const MANY_CREATES: usize = 200;

/// So many of a group are named; of those that lose access, more.
const NAMED: usize = 3;
const NAMED_REMOVALS: usize = 20;

/// One entry of the list.
pub(super) enum Entry<'a> {
    /// A resource and what changes.
    One(&'a Step, Vec<Line>),
    /// Many resources with the same changes; the first of them is given whole.
    Many {
        first: &'a Step,
        count: usize,
        named: Vec<&'a Text>,
        lines: Vec<Line>,
    },
    /// More creates than anybody reads.
    Creates(usize),
}

/// What is listed of the resources of `kind`, entry by entry.
pub(super) fn entries<'a>(
    plan: &'a Plan,
    kind: KindId,
    detail: Detail,
    wording: Wording,
    visit: &mut dyn FnMut(Entry<'a>) -> io::Result<()>,
) -> io::Result<()> {
    let steps = || plan.steps.iter().filter(move |step| step.key.kind == kind);
    if detail == Detail::Full {
        return steps().try_for_each(|step| visit(Entry::One(step, lines(step, wording))));
    }
    let creates = steps().filter(|step| step.verb == Verb::Create).count();
    let mut groups = groups(steps(), wording);
    let mut counted = false;
    for step in steps() {
        if step.verb == Verb::Create {
            if creates <= MANY_CREATES {
                visit(Entry::One(step, Vec::new()))?;
            } else if !counted {
                counted = true;
                visit(Entry::Creates(creates))?;
            }
            continue;
        }
        let lines = lines(step, wording);
        match groups.get_mut(&same(step, &lines)) {
            Some(group) if group.count >= SAME => {
                let (count, named) = (group.count as usize, std::mem::take(&mut group.named));
                // Nobody is named any more once the group was shown.
                if !named.is_empty() {
                    visit(Entry::Many {
                        first: step,
                        count,
                        named,
                        lines,
                    })?;
                }
            }
            _ => visit(Entry::One(step, lines))?,
        }
    }
    Ok(())
}

/// Steps that do the same.
#[derive(Default)]
struct Group<'a> {
    count: u32,
    named: Vec<&'a Text>,
}

fn groups<'a>(
    steps: impl Iterator<Item = &'a Step>,
    wording: Wording,
) -> HashMap<Digest, Group<'a>> {
    let mut groups: HashMap<Digest, Group<'_>> = HashMap::new();
    for step in steps.filter(|step| step.verb != Verb::Create) {
        let group = groups.entry(same(step, &lines(step, wording))).or_default();
        group.count += 1;
        if group.named.len() < named(step.verb) {
            group.named.push(&step.key.id);
        }
    }
    groups
}

fn named(verb: Verb) -> usize {
    match verb {
        Verb::Deactivate | Verb::Delete => NAMED_REMOVALS,
        _ => NAMED,
    }
}

/// Equal for steps that read the same but for their id.
fn same(step: &Step, lines: &[Line]) -> Digest {
    let mut text = format!("{} {}", step.verb, step.reason.word());
    for line in lines {
        text.extend(["\n", &line.name, "\0", &line.text]);
    }
    Digest::of(text.as_bytes())
}

/// What changes, in words; of a step that changes no field, what it does instead.
pub(super) fn lines(step: &Step, wording: Wording) -> Vec<Line> {
    wording.lines(step.key.kind, &step.changes(), step.verb == Verb::Create)
}

/// What a step without changes does.
pub(super) fn instead(step: &Step) -> Option<&'static str> {
    match step.verb {
        Verb::Adopt => Some("no field differs; from now on this source keeps it"),
        Verb::Delete => Some("for ever: its id cannot be used again"),
        _ => None,
    }
}

/// Why the step is there, when its verb does not say so.
pub(super) fn reason(step: &Step) -> Option<&'static str> {
    match (step.verb, step.reason) {
        (_, Reason::Declared) | (Verb::Adopt, Reason::Adopted) => None,
        (_, reason) => Some(reason.word()),
    }
}
