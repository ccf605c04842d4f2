//! What only one may have: an e-mail, a customer number, an id in whatever case.

use super::field_index::{account, user};
use super::planned_state::LONGEST_NUMBER;
use super::rule_diagnostic::list_keys;
use super::{
    CheckContext, CheckSubjects, PlannedState, ResourceView, RuleDiagnostic, RuleDiagnostics,
};
use crate::diagnostic::{Severity, codes};
use crate::kinds::{self, ACCOUNT, USER};
use crate::model::{Key, KindId};
use rayon::slice::ParallelSliceMut;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

type TextHashState = foldhash::fast::FixedState;
type TextHashes = HashSet<u64, TextHashState>;

/// A hash of a text without regard to case and Unicode form. Nothing is allocated for ASCII:
/// almost every one of a million texts is looked at once and is nobody's double.
fn folded_hash(text: &str) -> u64 {
    let mut hasher = TextHashState::default().build_hasher();
    let mut feed = |bytes: &[u8]| {
        for chunk in bytes.chunks(64) {
            let mut lower = [0; 64];
            let lower = &mut lower[..chunk.len()];
            lower.copy_from_slice(chunk);
            lower.make_ascii_lowercase();
            hasher.write(lower);
        }
    };
    if text.is_ascii() {
        feed(text.as_bytes());
    } else {
        feed(folded(text).as_bytes());
    }
    hasher.finish()
}

fn folded(text: &str) -> String {
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        text.to_lowercase()
    } else {
        text.nfc().collect::<String>().to_lowercase()
    }
}

/// Below so many subjects, only their e-mails are looked for.
const FEW: usize = 10_000;

/// Active users by e-mail, those e-mails only that several have; each group sorted by key.
fn users_sharing_email<'a>(
    world: &PlannedState<'a>,
    subjects: &[&Key],
) -> Vec<Vec<ResourceView<'a>>> {
    let hash = |view: &ResourceView<'_>| view.text(user::EMAIL).map(folded_hash);
    let wanted: Option<TextHashes> = (subjects.len() < FEW).then(|| {
        let views = subjects.iter().filter_map(|key| world.after(key));
        views
            .filter(ResourceView::is_live)
            .filter_map(|view| hash(&view))
            .collect()
    });
    for key in subjects {
        if let Some(email) = world.after(key).and_then(|view| view.text(user::EMAIL)) {
            world.note_case_lookup(USER, Some(user::EMAIL), email);
        }
    }
    let users = || world.read_after(USER).filter(ResourceView::is_live);
    let mut hashes: Vec<u64> = users()
        .filter_map(|view| hash(&view))
        .filter(|hash| wanted.as_ref().is_none_or(|wanted| wanted.contains(hash)))
        .collect();
    hashes.par_sort_unstable();
    let twice: TextHashes = hashes
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
        .collect();
    if twice.is_empty() {
        return Vec::new();
    }
    let mut groups: BTreeMap<String, Vec<ResourceView<'a>>> = BTreeMap::new();
    for view in users().filter(|view| hash(view).is_some_and(|hash| twice.contains(&hash))) {
        let email = folded(view.text(user::EMAIL).unwrap_or_default());
        groups.entry(email).or_default().push(view);
    }
    let mut groups: Vec<Vec<ResourceView<'a>>> =
        groups.into_values().filter(|all| all.len() > 1).collect();
    for group in &mut groups {
        group.sort_unstable_by_key(|view| view.key);
    }
    groups
}

/// Active users who share an e-mail.
pub(super) fn emails(
    scene: &CheckContext<'_, '_>,
    subjects: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    let by_number = world.setting_text("loginMode") == "customer-number";
    if subjects.of_kind(USER).is_empty() {
        return;
    }
    for group in users_sharing_email(world, subjects.of_kind(USER)) {
        let makes = |view: &&ResourceView<'_>| {
            view.changes_field(user::EMAIL) || view.changes_field(user::STATUS)
        };
        // The last of those whose doing it is: the first may well be the rightful one.
        let doer = group.iter().rfind(makes);
        let Some(at) = doer.or_else(|| group.iter().rfind(|view| subjects.contains(view.key)))
        else {
            continue;
        };
        let others = || {
            group
                .iter()
                .map(|view| view.key)
                .filter(|key| *key != at.key)
        };
        let email = at.text(user::EMAIL).unwrap_or_default();
        let message = format!(
            "e-mail `{email}` is also used by {}",
            list_keys(others(), 10)
        );
        let mut found = RuleDiagnostic::at_own_field(
            world,
            codes::EMAIL_DUPLICATE,
            at.key,
            user::EMAIL,
            message,
        )
        .help("Give one of them another e-mail, or set one inactive");
        if by_number {
            found = found.severity(Severity::Warning);
        }
        found = found.involving_setting(world, "loginMode");
        out.push(others().fold(found, |found, other| {
            found.involving_field(world, other, user::EMAIL)
        }));
    }
}

/// Accounts whose customer number is, or ever was, that of another.
pub(super) fn customer_numbers(
    scene: &CheckContext<'_, '_>,
    subjects: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    let mut first: HashMap<&str, &Key> = HashMap::new();
    for key in subjects.of_kind(ACCOUNT) {
        let Some(number) = world
            .after(key)
            .and_then(|view| view.text(account::CUSTOMER_NUMBER))
        else {
            continue;
        };
        let ever = world.stored.account_with_number(number);
        let other = match ever {
            Some(id) if *id == key.id => continue,
            Some(id) => Key::new(ACCOUNT, id),
            None => match first.insert(number, key) {
                None => continue,
                Some(other) => {
                    first.insert(number, other);
                    other.clone()
                }
            },
        };
        let message = format!("customer number `{number}` belongs or once belonged to {other}");
        let code = codes::CUSTOMER_NUMBER_DUPLICATE;
        let found =
            RuleDiagnostic::at_own_field(world, code, key, account::CUSTOMER_NUMBER, message)
                .help("Give this account its own number. A customer number is never used again");
        out.push(found.involving_field(world, &other, account::CUSTOMER_NUMBER));
    }
}

/// New ids that differ only in case or Unicode form from another one, declared or stored: to everybody
/// who reads them they are one.
pub(super) fn id_case(
    scene: &CheckContext<'_, '_>,
    _: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    let hash = |key: &Key| (key.kind, folded_hash(&key.id));
    let mut created: HashMap<(KindId, u64), &Key, TextHashState> =
        HashMap::with_capacity_and_hasher(world.effects.len(), TextHashState::default());
    let effects = world.effects.iter().map(|effect| &effect.key);
    for key in effects.filter(|key| !world.stored.rows.contains(key)) {
        world.note_case_lookup(key.kind, None, &key.id);
        if let Some(first) = created.insert(hash(key), key)
            && folded(&first.id) == folded(&key.id)
        {
            let help = "Use one of them everywhere, or give the other a clearly different id";
            out.push(differs_in_case(world, key, first, help));
        }
    }
    if created.is_empty() {
        return;
    }
    let stored = world.stored.rows.iter().map(|row| &row.key);
    for other in stored {
        if let Some(key) = created.get(&hash(other))
            && folded(&other.id) == folded(&key.id)
        {
            let help = format!(
                "Write the stored id `{}`, or a clearly different one",
                other.id
            );
            out.push(differs_in_case(world, key, other, &help));
        }
    }
}

/// New ids of an export that are a stored one without the zeros before it, or as an exponent: a
/// spreadsheet took them for numbers.
pub(super) fn id_zeros(
    scene: &CheckContext<'_, '_>,
    _: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    if !world.desired.partial {
        return;
    }
    let effects = || world.effects.iter().map(|effect| &effect.key);
    effects().for_each(|key| world.note_zero_lookups(key));
    let mut zeros: HashMap<(KindId, &str), Option<&Key>, TextHashState> = HashMap::default();
    let stored = world.stored.rows.iter().map(|row| &row.key);
    for key in stored.filter(|key| key.id.starts_with('0')) {
        let bare = key.id.trim_start_matches('0');
        zeros
            .entry((key.kind, bare))
            .and_modify(|known| *known = None)
            .or_insert(Some(key));
    }
    for key in effects().filter(|key| !world.stored.rows.contains(key)) {
        let message = if let Some(Some(meant)) = zeros.get(&(key.kind, key.id.as_str())) {
            format!("{key} looks like the stored {meant} without its leading zeros")
        } else if let Some(meant) = written_out(key)
            && world.stored.rows.contains(&meant)
        {
            format!("{key} looks like the stored {meant}, shortened by a spreadsheet")
        } else {
            continue;
        };
        let field = kinds::get(key.kind).status_index();
        let mut found = RuleDiagnostic::at_own_field(world, codes::ID_ZEROS, key, field, message)
            .help("Export the column as text. Roster never treats the two as the same id");
        found.diagnostic.field = Some("externalId".to_owned());
        found.diagnostic.origin = world.origin(key);
        out.push(found);
    }
}

/// The id that `1e3` stands for, if it is a number: `1000`.
fn written_out(key: &Key) -> Option<Key> {
    let (digits, exponent) = key.id.split_once(['e', 'E'])?;
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let zeros = exponent
        .parse()
        .ok()
        .filter(|zeros| *zeros < LONGEST_NUMBER)?;
    let written = format!("{digits}{}", "0".repeat(zeros));
    (is_number(digits) && is_number(exponent)).then(|| Key::new(key.kind, &written))
}

fn differs_in_case(world: &PlannedState<'_>, key: &Key, other: &Key, help: &str) -> RuleDiagnostic {
    let how = if key.id.to_lowercase() == other.id.to_lowercase() {
        "case"
    } else {
        "the Unicode form of its letters"
    };
    let message = format!("{key} differs from {other} only in {how}");
    let field = kinds::get(key.kind).status_index();
    let mut found =
        RuleDiagnostic::at_own_field(world, codes::ID_CASE, key, field, message).help(help);
    found.diagnostic.field = Some("externalId".to_owned());
    found.diagnostic.origin = world.origin(key);
    found
}
