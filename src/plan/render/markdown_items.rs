//! Items of lists in Markdown: a hold with what it holds, and names of resources.

use super::RenderOptions;
use super::code_span::code;
use super::holds::{HoldGroup, consequence_lines};
use super::text;
use super::wording::{joined, thousands};
use crate::plan::HoldEntry;
use std::fmt::Write as _;

/// The number of resources that one item names.
pub(super) const NAMED: usize = 20;

/// Returns a hold as an item of a list.
pub(super) fn hold_item(hold: &HoldGroup<'_>, options: &RenderOptions) -> String {
    let prose = |text: &str| code(&options.personal.prose(text));
    let shared = hold.message();
    let mut item = format!("- **Held** ({})", hold.first().code);
    if let Some(message) = &shared {
        let _ = write!(item, ": {}", prose(message));
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
        let _ = writeln!(item, "  - {}", named(hold.entries.iter().map(say)));
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
    if let Some(words) = hold.effect_sentence() {
        let _ = writeln!(item, "  - if approved: {}", code(&words));
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

/// Joins the first few texts as code spans, and says how many more there are.
pub(super) fn named(all: impl ExactSizeIterator<Item = String>) -> String {
    let count = all.len();
    let few: Vec<String> = all.take(NAMED).map(|text| code(&text)).collect();
    joined(&few, count)
}
