//! Items of lists in Markdown: a hold with what it holds, and names of resources.

use super::RenderOptions;
use super::code_span::code;
use super::holds::{HoldGroup, consequence_lines};
use super::text;
use super::wording::{counted, joined, thousands};
use crate::kinds;
use crate::plan::HoldEntry;
use std::fmt::Write as _;

/// The number of resources that one item names.
pub(super) const NAMED: usize = 10;

/// Returns a hold as an item of a list. What an approval does to people is its first line, because
/// that is what somebody decides about.
pub(super) fn hold_item(hold: &HoldGroup<'_>, options: &RenderOptions) -> String {
    let prose = |text: &str| code(&options.personal.prose(text));
    let shared = hold.message_alone();
    let mut item = format!("- **Held** ({})", hold.first().code);
    let effects = hold.effect_sentence();
    if let Some(words) = &effects {
        let _ = write!(item, ", if approved: {}", code(words));
    }
    if let Some(message) = &shared {
        let lead = if effects.is_some() { "\n  - " } else { ": " };
        let _ = write!(item, "{lead}{}", prose(message));
    }
    item.push('\n');
    let say = |held: &&HoldEntry| format!("{} {}", held.verb, text::key(&held.key));
    let renames = hold.renames();
    let takes_others = hold
        .entries
        .iter()
        .any(|held| !held.consequences.is_empty());
    if !renames.is_empty() {
        let pairs = renames.iter();
        let pairs = pairs.map(|(held, new)| format!("{} → {}", text::key(&held.key), new.id));
        let _ = writeln!(item, "  - {}", named(pairs));
    } else if shared.is_some() && !takes_others {
        let _ = writeln!(item, "  - {}", held_resources(hold));
    } else {
        for held in hold.entries.iter().take(NAMED) {
            let _ = match &shared {
                Some(_) => writeln!(item, "  - {}", code(&say(held))),
                None => writeln!(item, "  - {}: {}", code(&say(held)), prose(&held.message)),
            };
            for line in consequence_lines(held, NAMED) {
                let _ = writeln!(item, "    - {}", code(&line));
            }
        }
        let more = hold.entries.len().saturating_sub(NAMED);
        if more > 0 {
            let _ = writeln!(item, "  - and {} more", thousands(more));
        }
    }
    let commands: Vec<String> = hold.commands().iter().map(|text| code(text)).collect();
    if !commands.is_empty() {
        let _ = writeln!(item, "  - to approve: {}", commands.join(" or "));
    }
    let people = hold.people_needed();
    let needs = [people.as_deref(), hold.required_action()];
    for words in needs.into_iter().flatten() {
        let _ = writeln!(item, "  - {words}");
    }
    item
}

/// Names what is held: `deactivate 3 users: …`, or each with its verb if they differ.
fn held_resources(hold: &HoldGroup<'_>) -> String {
    let (first, keys) = (hold.first(), hold.resources());
    let mut entries = hold.entries.iter();
    let is_alike = entries.all(|it| (it.verb, it.key.kind) == (first.verb, first.key.kind));
    if !is_alike || keys.len() == 1 {
        let say = |held: &&HoldEntry| format!("{} {}", held.verb, text::key(&held.key));
        return named(hold.entries.iter().map(say));
    }
    let counted = counted(keys.len(), kinds::get(first.key.kind));
    let keys = named(keys.iter().map(|key| text::key(key)));
    format!("{} {counted}: {keys}", first.verb)
}

/// Joins the first few texts as code spans, and says how many more there are.
pub(super) fn named(all: impl ExactSizeIterator<Item = String>) -> String {
    let count = all.len();
    let few: Vec<String> = all.take(NAMED).map(|text| code(&text)).collect();
    joined(&few, count)
}
