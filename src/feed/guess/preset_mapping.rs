//! Drafts a mapping from a preset, as the text of the preset with changes, so that its comments
//! stay.

use super::mapping_draft::{MappingDraft, quoted, table_start};
use super::{ExportProfile, PresetFit, status};
use crate::diagnostic::visible;
use crate::feed::mapping::Mapping;
use crate::feed::preset;
use std::fmt::Write;

/// Returns the preset under another name. Columns that it does not know are ignored, with a
/// comment.
pub(super) fn mapping_from_preset(
    preset: &str,
    fit: Option<&PresetFit>,
    look: &ExportProfile,
    name: &str,
) -> MappingDraft {
    let text = preset::text(preset).unwrap_or_default();
    let mut text = text.replacen(
        &format!("name: {preset}\n"),
        &format!("name: {}\n{}", quoted(name), table_start(look)),
        1,
    );
    let unknown = fit.map_or(&[][..], |fit| &fit.unknown).iter();
    // A column that may show who is inactive is not put under `ignore:` silently. It goes to
    // `undecided:`, which keeps the mapping from being used.
    let (undecided, unknown): (Vec<&String>, Vec<&String>) = unknown.partition(|name| {
        let at = look.columns.find(name);
        at.is_some_and(|at| status::polarity_of(look, at).is_some())
    });
    if !unknown.is_empty() {
        let more: Vec<String> = unknown.iter().map(|name| quoted(name)).collect();
        let more = more.join(", ");
        text = if text.contains("\nignore: [") {
            text.replacen("\nignore: [", &format!("\nignore: [{more}, "), 1)
        } else {
            text.replacen("\naccounts:", &format!("\nignore: [{more}]\naccounts:"), 1)
        };
    }
    let mut head = format!("# Made from the preset {preset}.\n");
    if !unknown.is_empty() {
        let _ = writeln!(
            head,
            "# The preset does not know {}. Map them or leave them ignored.",
            joined(&unknown)
        );
    }
    match fit {
        Some(fit) if !fit.missing.is_empty() => {
            let _ = writeln!(
                head,
                "# The export has no {}. If they have other names, add those under `columns:`.",
                fit.missing.join(", ")
            );
        }
        None => head.push_str("# The export has none of its columns.\n"),
        Some(_) => {}
    }
    // Text replacement cannot fit every preset. An unchanged preset is better than a broken one.
    if Mapping::parse(&text).is_err() {
        preset::text(preset)
            .unwrap_or_default()
            .clone_into(&mut text);
    }
    // After the check, because `undecided:` makes parsing fail on purpose.
    if !undecided.is_empty() {
        head.push_str("# Roster does not read this mapping before you resolve `undecided:`. Each column may show who is inactive:\n# map it as `status`, or move it to `ignore:`.\n");
        let names: Vec<String> = undecided.iter().map(|name| quoted(name)).collect();
        let line = format!("\nundecided: [{}]\naccounts:", names.join(", "));
        let place = if text.contains("\naccounts:") {
            "accounts:"
        } else {
            "users:"
        };
        let line = line.replacen("accounts:", place, 1);
        text = text.replacen(&format!("\n{place}"), &line, 1);
    }
    MappingDraft {
        text: head + &text,
        preset: Some(preset.to_owned()),
    }
}

fn joined(names: &[&String]) -> String {
    let names: Vec<_> = names.iter().map(|name| visible(name)).collect();
    names.join(", ")
}
