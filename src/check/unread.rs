//! Folds diagnostics that only follow from something that could not be read.
//!
//! If a file with users cannot be parsed, every account in it seems to have no user and every
//! reference to them dangles. Such diagnostics would bury the one mistake to fix. [`fold_unread`]
//! replaces them with one warning for each cause, which counts what could not be checked. The other
//! functions find the cause: an unreadable file, a missing `externalId`, or a field with an error.

use super::field_index::{custom_field, user};
use super::{PlannedState, RuleDiagnostic};
use crate::diagnostic::{Code, Diagnostic, Origin, Severity, codes, thousands};
use crate::kinds::{self, CUSTOM_FIELD, SETTINGS, USER};
use crate::model::{Cell, CompactText, Desired, Key, KindId, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Rules that report the lack of any resource of a kind. An unreadable one might be it.
const MISSING: &[(Code, KindId)] = &[
    (codes::ACCOUNT_WITHOUT_USER, USER),
    (codes::LAST_USER, USER),
    (codes::LAST_ADMINISTRATOR, USER),
    (codes::ENUM, SETTINGS),
    (codes::LEGAL_USER, SETTINGS),
];

/// Rules that report the lack of one resource, the first in `involves`.
const DANGLING: &[Code] = &[codes::REFERENCE, codes::CUSTOM_FIELD_UNKNOWN];

/// What the summary counts for each rule, in singular and plural.
const NOUNS: &[(Code, &str, &str)] = &[
    (codes::REFERENCE, "reference", "references"),
    (codes::CUSTOM_FIELD_UNKNOWN, "custom field", "custom fields"),
    (
        codes::ACCOUNT_WITHOUT_USER,
        "account without a user",
        "accounts without a user",
    ),
    (codes::LAST_USER, "last user", "last users"),
    (
        codes::LAST_ADMINISTRATOR,
        "last administrator",
        "last administrators",
    ),
    (codes::ENUM, "user group", "user groups"),
    (codes::LEGAL_USER, "legal user", "legal users"),
    (
        codes::REQUIRED,
        "resource without a required field",
        "resources without a required field",
    ),
    (
        codes::CUSTOM_FIELD_REQUIRED,
        "required custom field",
        "required custom fields",
    ),
    (
        codes::MAIN_ORGANISATION,
        "main organisation",
        "main organisations",
    ),
    (
        codes::ORGANISATION_ACCOUNT,
        "account of an organisation",
        "accounts of organisations",
    ),
    (
        codes::ORGANISATION_DEPTH,
        "level of an organisation",
        "levels of organisations",
    ),
    (
        codes::POLICY_FOREIGN_USER,
        "user of a policy",
        "users of policies",
    ),
    (
        codes::ACCOUNT_WITHOUT_ADDRESS,
        "account without an address",
        "accounts without an address",
    ),
    (
        codes::USER_WITHOUT_ACCOUNT,
        "user without an account",
        "users without an account",
    ),
];

/// The fields that decide what a custom value may be and whether it may be missing.
const DEFINING: &[usize] = &[
    custom_field::TYPE,
    custom_field::OPTIONS,
    custom_field::REQUIRED,
    custom_field::DEFAULT,
];

/// Returns the diagnostics, with one summary for each cause in place of those that follow from it.
#[must_use]
pub fn fold_unread(findings: Vec<RuleDiagnostic>, desired: &Desired) -> Vec<Diagnostic> {
    let mut shown = Vec::new();
    let mut folded: BTreeMap<String, Vec<RuleDiagnostic>> = BTreeMap::new();
    for finding in findings {
        match cause(&finding, desired) {
            Some(cause) => folded.entry(cause).or_default().push(finding),
            None => shown.push(finding.diagnostic),
        }
    }
    shown.extend(
        folded
            .iter()
            .map(|(cause, findings)| unread_summary(cause, findings)),
    );
    shown
}

/// Returns what could not be read, if that may be what a diagnostic reports as missing.
fn cause(finding: &RuleDiagnostic, desired: &Desired) -> Option<String> {
    let code = finding.diagnostic.code;
    if DANGLING.contains(&code) {
        return may_declare(desired, finding.involves.first()?.kind);
    }
    let mut missing = MISSING.iter().filter(|(known, _)| *known == code);
    let unread = missing.find_map(|(_, kind)| desired.unread_kinds.get(kind));
    let unread = unread.map(ToString::to_string);
    unread.or_else(|| finding.unread.clone())
}

/// Returns what could not be read, if it may declare a resource of a kind.
pub(super) fn may_declare(desired: &Desired, kind: KindId) -> Option<String> {
    if let Some(what) = desired.unread_kinds.get(&kind) {
        return Some(what.to_string());
    }
    // Only the first: with one fixed, the next pass names the next one.
    let mut nameless = desired.nameless.iter();
    let nameless = nameless.find(|it| it.kind == kind)?;
    let place = Origin {
        path: nameless.path.clone(),
        at: nameless.position,
    };
    let kind = kinds::get(kind).with_article();
    Some(format!("the externalId of {kind} cannot be read ({place})"))
}

/// Users that could not be read completely, by the accounts they may belong to.
#[derive(Default)]
pub(super) struct UnreadUsers {
    /// A user who may belong to any account.
    any: Option<String>,
    named: HashMap<CompactText, String>,
}

impl UnreadUsers {
    /// Collects them. Exports have none, because they hold each faulty row as a whole.
    pub fn of(world: &PlannedState<'_>) -> Self {
        let mut found = Self::default();
        let (desired, field) = (world.desired, kinds::own_field(user::ACCOUNTS));
        if desired.partial {
            return found;
        }
        for nameless in desired.nameless.iter().filter(|it| it.kind == USER) {
            let what = may_declare(desired, USER).unwrap_or_default();
            let stated = nameless.cells.iter().find(|it| it.field == field);
            let named = stated.and_then(|stated| match &stated.cell {
                Cell::Value(value) => Some(value),
                _ => None,
            });
            found.name(named.into_iter().flat_map(Value::members), &what);
            // The list of accounts may have an error of its own, besides the missing id.
            let torn = nameless.torn.iter().filter(|(torn, _)| *torn == field);
            for (_, left) in torn {
                found.note_unread(left.all, &left.members, &what);
            }
        }
        for (key, _) in desired
            .faulty_fields
            .iter()
            .filter(|(key, it)| key.kind == USER && *it == field)
        {
            let what = faulty(world, key, user::ACCOUNTS).unwrap_or_default();
            match desired
                .salvaged_references
                .get(&(key.clone(), field.clone()))
            {
                Some(left) => found.note_unread(left.all, &left.members, &what),
                // Nothing of the list is known, so the user may belong to any account.
                None => found.note_unread(false, &[], &what),
            }
        }
        found
    }

    fn name<'t>(&mut self, accounts: impl IntoIterator<Item = &'t CompactText>, what: &str) {
        for account in accounts {
            let first = self.named.entry(account.clone());
            first.or_insert_with(|| what.to_owned());
        }
    }

    fn note_unread(&mut self, all: bool, accounts: &[CompactText], what: &str) {
        self.name(accounts, what);
        if !all && self.any.is_none() {
            self.any = Some(what.to_owned());
        }
    }

    /// Describes an unread user who may belong to this account.
    pub fn of_account(&self, account: &Key) -> Option<String> {
        self.named.get(&account.id).or(self.any.as_ref()).cloned()
    }
}

/// Describes the error in a field of a resource, if there is one.
pub(super) fn faulty(world: &PlannedState<'_>, key: &Key, field: usize) -> Option<String> {
    let of_field = (key.clone(), kinds::own_field(field));
    if !world.desired.faulty_fields.contains(&of_field) {
        return None;
    }
    let name = kinds::get(key.kind).fields[field].name;
    let left = world.desired.salvaged_references.get(&of_field);
    let place = left.zip(world.origin(key)).map(|(left, origin)| {
        let at = left.at;
        format!(" ({})", Origin { at, ..origin })
    });
    let place = place.unwrap_or_default();
    Some(format!("`{name}` of {key} has an error{place}"))
}

/// Describes the error in the definition of a custom field, if there is one.
pub(super) fn faulty_definition(world: &PlannedState<'_>, id: &CompactText) -> Option<String> {
    let key = Key::new(CUSTOM_FIELD, id);
    let mut fields = DEFINING.iter();
    fields.find_map(|field| faulty(world, &key, *field))
}

/// Whether the definition of a custom field has an error in the fields that say which values it
/// allows.
pub(super) fn hides_values(desired: &Desired, key: &Key) -> bool {
    let of = |field: &usize| {
        desired
            .faulty_fields
            .contains(&(key.clone(), kinds::own_field(*field)))
    };
    [custom_field::TYPE, custom_field::OPTIONS].iter().any(of)
}

fn unread_summary(cause: &str, folded: &[RuleDiagnostic]) -> Diagnostic {
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    for finding in folded {
        *counts.entry(finding.diagnostic.code).or_default() += 1;
    }
    let code = folded[0].diagnostic.code;
    let counts: Vec<String> = counts.into_iter().map(counted).collect();
    let message = format!("not checked because {cause}: {}", counts.join(", "));
    // A warning, because the cause itself is reported as an error and that already stops or holds
    // the plan.
    let mut found = Diagnostic::new(code, message)
        .severity(Severity::Warning)
        .help("Fix that first. Errors that remain are reported then");
    found.member.clone_from(&folded[0].diagnostic.member);
    let places = folded.iter();
    let mut places: Vec<Origin> = places
        .filter_map(|finding| finding.diagnostic.origin.clone())
        .collect();
    // `dedup` would not do: places repeat, but not side by side, and their order is that of the
    // report.
    let mut seen = BTreeSet::new();
    places.retain(|place| seen.insert(place.clone()));
    let mut places = places.into_iter();
    found.origin = places.next();
    found.related = places.collect();
    found
}

/// Formats a count with its noun, such as `8 references`.
fn counted((code, count): (Code, usize)) -> String {
    match NOUNS.iter().find(|(known, ..)| *known == code) {
        Some((_, one, _)) if count == 1 => format!("1 {one}"),
        Some((_, _, several)) => format!("{} {several}", thousands(count)),
        None => format!("{} of `{code}`", thousands(count)),
    }
}
