//! Writes steps as lines of a `diff` block, which platforms colour by the first character.
//!
//! No value can end the block: each line starts with a sign and a word of ours, and hidden
//! characters such as line breaks are written out.

use super::delta::{FieldDelta, field_name};
use super::groups::{self, StepListEntry};
use super::text::{self, TextWriter};
use super::wording::{
    MEMBERS, WordingOptions, changed_link, counted, display_value, invisible_difference, link,
    long_text, member, thousands, visible,
};
use crate::kinds::{self, Kind};
use crate::model::{CompactText, Digest, FieldChange, KindId, Value};
use crate::plan::{HoldEntry, Step, StepReason, StepVerb};
use std::collections::HashMap;
use std::fmt::Write as _;

/// Something goes.
const GONE: char = '-';
/// Something comes.
const COMES: char = '+';
/// Something changes in place.
const CHANGED: char = '!';
const PLAIN: char = ' ';

/// Returns the lines of an entry of the list of steps.
pub(super) fn entry(
    writer: &TextWriter<'_>,
    kind: &'static Kind,
    entry: &StepListEntry<'_>,
) -> String {
    let mut out = String::new();
    match entry {
        StepListEntry::Creates(first, count) => {
            let (sign, verb) = (sign(first.verb), groups::verb_words(first));
            let what = counted(*count, kind);
            let _ = writeln!(out, "{sign} {verb}  {what} (--detail full lists them)");
        }
        StepListEntry::One(step, shown) => {
            let place = text::place(step.origin.as_ref(), step.reason == StepReason::Removed);
            let what = text::key(&step.key);
            header(&mut out, step, &format!("{what}{place}"));
            // A create has lines only if they are wanted.
            if step.verb != StepVerb::Create || !shown.is_empty() {
                fields(&mut out, step, writer.wording);
            }
        }
        StepListEntry::Many {
            first,
            count,
            named,
            ..
        } => {
            header(&mut out, first, &counted(*count, kind));
            fields(&mut out, first, writer.wording);
            let _ = writeln!(out, "#     {}", text::named_of(named, *count));
        }
    }
    out
}

/// Returns the lines of a held step.
pub(super) fn held(entry: &HoldEntry, wording: WordingOptions<'_>) -> String {
    let (sign, key) = (sign(entry.verb), text::key(&entry.key));
    let place = text::place(entry.origin.as_ref(), false);
    let changes = held_changes(entry, wording);
    format!("{sign} {}  {key}{place}\n{changes}", entry.verb)
}

/// Returns the lines of held steps, with how many steps they are about. Many with the same changes are
/// shown once, or they would leave no room for others.
pub(super) fn held_steps(
    entries: &[&HoldEntry],
    wording: WordingOptions<'_>,
) -> Vec<(usize, String)> {
    let mut groups: Vec<Vec<&HoldEntry>> = Vec::new();
    let mut at: HashMap<(StepVerb, KindId, Digest), usize> = HashMap::new();
    for held in entries {
        let changes = Digest::of(held_changes(held, wording).as_bytes());
        let index = *at
            .entry((held.verb, held.key.kind, changes))
            .or_insert(groups.len());
        match groups.get_mut(index) {
            Some(group) => group.push(held),
            None => groups.push(vec![held]),
        }
    }
    let mut lines = Vec::new();
    for group in groups {
        if wording.full || group.len() < groups::MIN_GROUP_SIZE as usize {
            lines.extend(group.iter().map(|entry| (1, held(entry, wording))));
            continue;
        }
        let first = group[0];
        let counted = counted(group.len(), kinds::get(first.key.kind));
        let named = group.iter().take(groups::NAMED_REMOVALS);
        let named: Vec<&CompactText> = named.map(|held| &held.key.id).collect();
        let text = format!(
            "{} {}  {counted}\n{}#     {}\n",
            sign(first.verb),
            first.verb,
            held_changes(first, wording),
            text::named_of(&named, group.len())
        );
        lines.push((group.len(), text));
    }
    lines
}

fn held_changes(entry: &HoldEntry, wording: WordingOptions<'_>) -> String {
    let mut out = String::new();
    // Of a new resource every field is a change. The id is enough to decide about it.
    if entry.verb != StepVerb::Create || wording.full {
        changes(&mut out, entry.key.kind, &entry.changes, wording);
    }
    for words in entry.undone_words() {
        let _ = writeln!(out, "#     {}", visible(&words));
    }
    out
}

fn header(out: &mut String, step: &Step, what: &str) {
    let (sign, verb) = (sign(step.verb), groups::verb_words(step));
    let _ = writeln!(out, "{sign} {verb}  {what}{}", text::reason(step));
}

fn sign(verb: StepVerb) -> char {
    match verb {
        StepVerb::Create | StepVerb::Reactivate => COMES,
        StepVerb::Deactivate | StepVerb::Delete => GONE,
        StepVerb::Update => CHANGED,
        StepVerb::Adopt => PLAIN,
    }
}

fn fields(out: &mut String, step: &Step, wording: WordingOptions<'_>) {
    let all = step.changes();
    if let Some(words) = groups::effect_without_changes(step).filter(|_| all.is_empty()) {
        let _ = writeln!(out, "#     {words}");
    }
    changes(out, step.key.kind, &all, wording);
    for words in step.side_effects() {
        let _ = writeln!(out, "#     {}", visible(&words));
    }
}

fn changes(out: &mut String, kind: KindId, all: &[FieldChange], wording: WordingOptions<'_>) {
    for change in all {
        let name = visible(&field_name(kind, &change.field)).into_owned();
        for (sign, text) in lines(wording, kind, change) {
            let _ = writeln!(out, "{sign}     {name}: {text}");
        }
    }
}

/// Returns the lines of one change, each with its sign.
fn lines(wording: WordingOptions<'_>, kind: KindId, change: &FieldChange) -> Vec<(char, String)> {
    if wording.personal.hides(kind, &change.field) {
        let name = field_name(kind, &change.field);
        return two_sides(change.before.as_ref(), change.after.as_ref(), |value| {
            wording.personal.masked(&name, Some(value))
        });
    }
    match FieldDelta::of(kind, change) {
        FieldDelta::Redacted => vec![(CHANGED, "(redacted)".to_owned())],
        FieldDelta::Scalar { before, after } => {
            if let (Some(before), Some(after)) = (long_text(before), long_text(after)) {
                return vec![(CHANGED, wording.word_diff(before, after))];
            }
            let mut lines = two_sides(before, after, |value| display_value(Some(value)));
            if let Some((_, last)) = lines.last_mut() {
                last.push_str(&invisible_difference(before, after));
            }
            lines
        }
        FieldDelta::Set { added, removed } => sides(
            [
                (GONE, removed.into_iter().map(|text| member(text)).collect()),
                (COMES, added.into_iter().map(|text| member(text)).collect()),
            ],
            wording,
        ),
        FieldDelta::Links {
            attributes,
            added,
            removed,
            changed,
        } => {
            let changed = changed.into_iter();
            let changed = changed.map(|(before, after)| changed_link(attributes, before, after));
            sides(
                [
                    (
                        GONE,
                        removed.into_iter().map(|it| member(&it.target)).collect(),
                    ),
                    (CHANGED, changed.collect()),
                    (
                        COMES,
                        added.into_iter().map(|it| link(attributes, it)).collect(),
                    ),
                ],
                wording,
            )
        }
    }
}

fn two_sides(
    before: Option<&Value>,
    after: Option<&Value>,
    shown: impl Fn(&Value) -> String,
) -> Vec<(char, String)> {
    let sides = [(GONE, before), (COMES, after)].into_iter();
    let sides = sides.filter_map(|(sign, value)| Some((sign, shown(value?))));
    sides.collect()
}

/// Returns a line for each side that has members.
fn sides<const N: usize>(
    sides: [(char, Vec<String>); N],
    wording: WordingOptions<'_>,
) -> Vec<(char, String)> {
    let sides = sides.into_iter().filter(|(_, all)| !all.is_empty());
    let lines = sides.map(|(sign, mut all)| {
        let more = all.len().saturating_sub(MEMBERS);
        if wording.full || more == 0 {
            return (sign, all.join(", "));
        }
        all.truncate(MEMBERS);
        (
            sign,
            format!("{} and {} more", all.join(", "), thousands(more)),
        )
    });
    lines.collect()
}
