//! Merges the resources of all files into one list by key, and reports what is declared twice. Two
//! equal declarations of an address inside users or accounts are allowed; anything else is
//! ambiguous.

use super::document::{ParsedResource, ResourcePlace};
use crate::diagnostic::{Code, Diagnostic, Origin, codes};
use crate::kinds;
use crate::model::{DeclaredResource, Desired, Key, KeyedList, StatedField};
use rayon::prelude::*;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The resources written inside several others, with the files.
pub type RepeatedKeys = BTreeMap<Key, BTreeSet<Arc<str>>>;

/// Sorts by key and keeps one resource per key. `report` takes each problem and, with it, the
/// reason why nothing may be removed.
pub(super) fn merge(
    mut found: Vec<ParsedResource>,
    repeated: &mut RepeatedKeys,
    report: &mut impl FnMut(Diagnostic, Option<String>),
) -> KeyedList<Arc<DeclaredResource>> {
    // Files are mostly sorted within a kind, so sorting again usually costs nothing.
    found.sort_by_key(|found| found.kind);
    for kind in found.chunk_by_mut(|a, b| a.kind == b.kind) {
        if !kind.is_sorted_by(|a, b| order(a, b).is_le()) {
            // Unstable is safe, because the order includes the position and so has no ties.
            kind.par_sort_unstable_by(order);
        }
    }
    let mut kept: Vec<ParsedResource> = Vec::with_capacity(found.len());
    for next in found {
        match kept.last() {
            Some(first) if first.declared.key == next.declared.key => {
                if let Some((wrong, hides)) = compare(first, &next) {
                    report(wrong, hides);
                }
                let paths = [&first.declared.path, &next.declared.path];
                let files = repeated.entry(next.declared.key.clone()).or_default();
                files.extend(paths.map(Arc::clone));
            }
            _ => kept.push(next),
        }
    }
    kept.into_iter().map(|found| found.declared).collect()
}

/// By key. Of two with the same key, a resource of its own comes before one written inside another;
/// then the position decides.
fn order(a: &ParsedResource, b: &ParsedResource) -> Ordering {
    let (one, other) = (&a.declared, &b.declared);
    one.key
        .cmp(&other.key)
        .then_with(|| a.place.cmp(&b.place))
        .then_with(|| (&one.path, one.position).cmp(&(&other.path, other.position)))
}

/// What is wrong with `again` declaring the same resource as `first`, if anything, and why nothing
/// may be removed then.
fn compare(first: &ParsedResource, again: &ParsedResource) -> Option<(Diagnostic, Option<String>)> {
    let (one, other) = (&first.declared, &again.declared);
    if first.place == ResourcePlace::Link && again.place == ResourcePlace::Link {
        let differing = difference(one, other)?;
        let message = format!(
            "{} is declared twice, with different `{differing}`",
            one.key
        );
        let found =
            duplicate_diagnostic(codes::ADDRESS_CONFLICT, message, one, other).field(differing);
        let help = "Declare it once, as its own document, and use `ref:` elsewhere";
        return Some((found.help(help), None));
    }
    let message = format!("{} is declared twice", one.key);
    let found = duplicate_diagnostic(codes::DUPLICATE_RESOURCE, message, one, other);
    // Which of the two counts is unknown, so a removal based on either could be wrong.
    let hides = format!("{}: {}", origin(other), found.code);
    let found = if again.place == ResourcePlace::Link {
        found.help(format!("Use `ref: {}` instead", one.key.id))
    } else {
        found.help("Keep one of them")
    };
    Some((found, Some(hides)))
}

fn duplicate_diagnostic(
    code: Code,
    message: String,
    first: &DeclaredResource,
    again: &DeclaredResource,
) -> Diagnostic {
    Diagnostic::new(code, message)
        .for_resource(&again.key)
        .at(origin(again))
        .related([origin(first)])
}

fn origin(declared: &DeclaredResource) -> Origin {
    Origin {
        path: Arc::clone(&declared.path),
        at: declared.position,
    }
}

/// The name of the first field on which two declarations differ.
fn difference(one: &DeclaredResource, other: &DeclaredResource) -> Option<String> {
    let missing = |cells: &[StatedField], from: &DeclaredResource| {
        let differs = |stated: &&StatedField| {
            let there = from.stated(&stated.field);
            there.map(|there| &there.cell) != Some(&stated.cell)
        };
        cells
            .iter()
            .find(differs)
            .map(|stated| stated.field.clone())
    };
    let field = missing(&other.cells, one).or_else(|| missing(&one.cells, other))?;
    Some(kinds::get(one.key.kind).field_name(&field))
}

/// Withdraws `clear-required` for fields that the settings of this tree make optional.
pub(super) fn excuse_optional(desired: &Desired, diagnostics: &mut Vec<Diagnostic>) {
    let key = kinds::settings_key();
    let kind = kinds::get(key.kind);
    let Some(settings) = desired.resources.get(&key) else {
        return;
    };
    let Some(optional) = settings.value(kind.expect_index("optionalFields")) else {
        return;
    };
    diagnostics.retain(|found| {
        let (Some(key), Some(field)) = (&found.key, &found.field) else {
            return true;
        };
        let name = format!("{}.{field}", key.kind);
        found.code != codes::CLEAR_REQUIRED || !optional.members().any(|member| *member == name)
    });
}
