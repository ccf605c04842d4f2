//! Rules on values that must be unique: e-mails, customer numbers and ids.
//!
//! All of them compare a few changed resources with everything stored. Hashes keep that cheap:
//! texts are folded and hashed without allocation, and only equal hashes are compared in full. Each
//! rule also notes its lookups, so that a partial snapshot learns which rows it lacks.

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

/// Hashes a text regardless of case and Unicode form. ASCII text is not allocated, because almost
/// none of a million texts has a duplicate.
fn folded_hash(text: &str) -> u64 {
    let mut hasher = TextHashState::default().build_hasher();
    let mut feed = |bytes: &[u8]| {
        // Folded on the stack, 64 bytes at a time: longer than nearly all ids and e-mails.
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

/// Below this number of subjects, other e-mails are filtered out early. A first load creates nearly
/// every user, so the filter would keep everything.
const FEW: usize = 10_000;

/// Returns the active users who share an e-mail, one group for each e-mail, sorted by key.
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
    // A partial snapshot holds only rows that were asked for. Without this, a stored user with the
    // same e-mail would not be found in an incremental pass.
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
    // Only hashes that occur twice are looked at again. Usually there are none, and no e-mail is
    // folded into a string.
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

/// Reports active users who share an e-mail.
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
        // The error goes to a user whom this plan changes, because the others may have had the
        // e-mail for years. Of several, the last: the first in order may be the rightful owner.
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
        // Login by customer number does not need a unique e-mail.
        if by_number {
            found = found.severity(Severity::Warning);
        }
        found = found.involving_setting(world, "loginMode");
        out.push(others().fold(found, |found, other| {
            found.involving_field(world, other, user::EMAIL)
        }));
    }
}

/// Reports accounts with a customer number that another account has or once had.
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
        // Also numbers of deleted accounts: login names contain the number, so reusing it would
        // give old login names to another company.
        let ever = world.stored.account_with_number(number);
        let other = match ever {
            Some(id) if *id == key.id => continue,
            Some(id) => Key::new(ACCOUNT, id),
            None => match first.insert(number, key) {
                None => continue,
                Some(other) => {
                    // Put back, so that a third account is compared with the same first one.
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

/// Reports new ids that differ only in case or Unicode form from another declared or stored id.
pub(super) fn id_case(
    scene: &CheckContext<'_, '_>,
    _: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    // Only new ids: stored pairs that differ in case have lived together so far. A new one usually
    // comes from an export that writes `É` as two characters and would create every account again.
    let hash = |key: &Key| (key.kind, folded_hash(&key.id));
    let mut created: HashMap<(KindId, u64), &Key, TextHashState> =
        HashMap::with_capacity_and_hasher(world.effects.len(), TextHashState::default());
    let effects = world.effects.iter().map(|effect| &effect.key);
    for key in effects.filter(|key| !world.stored.rows.contains(key)) {
        world.note_case_lookup(key.kind, None, &key.id);
        // Equal hashes are not proof: two different ids may share one.
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

/// Reports new ids of an export that look like a stored id after a spreadsheet took it for a
/// number: without its leading zeros, or with an exponent.
pub(super) fn id_zeros(
    scene: &CheckContext<'_, '_>,
    _: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    // Exports come out of spreadsheets. In a manifest, somebody typed the id.
    if !world.desired.partial {
        return;
    }
    let effects = || world.effects.iter().map(|effect| &effect.key);
    effects().for_each(|key| world.note_zero_lookups(key));
    let mut zeros: HashMap<(KindId, &str), Option<&Key>, TextHashState> = HashMap::default();
    let stored = world.stored.rows.iter().map(|row| &row.key);
    for key in stored.filter(|key| key.id.starts_with('0')) {
        // `None` marks a number that several stored ids share, such as `01` and `001`. It is
        // unclear which one is meant, and the message could only guess.
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
        // `externalId` is not in the table of fields, so it has no index to pass above.
        found.diagnostic.field = Some("externalId".to_owned());
        found.diagnostic.origin = world.origin(key);
        out.push(found);
    }
}

/// Writes an id like `1e3` out as `1000`.
fn written_out(key: &Key) -> Option<Key> {
    let (digits, exponent) = key.id.split_once(['e', 'E'])?;
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    // Bounded, because `1e999999999` would become a text of a gigabyte.
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
