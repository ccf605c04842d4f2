//! Fields of one resource, where only the plan as a whole can tell whether they are right.

use super::custom::stored_ones;
use super::field_index::{account, address, settings, user};
use super::rule_diagnostic::list_keys;
use super::{
    CheckContext, CheckSubjects, PlannedState, ResourceView, RuleDiagnostic, RuleDiagnostics, zip,
};
use crate::diagnostic::{codes, did_you_mean};
use crate::kinds::{self, ACCOUNT, ADDRESS, Kind, USER};
use crate::model::{Cell, CompactText, Key, KindId, Value};
use std::sync::LazyLock;

/// Required fields whose absence has a rule of its own.
const OWN_RULE: &[(KindId, usize)] = &[(ACCOUNT, account::ADDRESSES), (USER, user::ACCOUNTS)];

/// What a create must say and does not: one finding, naming every field.
pub(super) fn required(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let missing = NEEDED[usize::from(view.key.kind.0)] & !stated_bits(view);
    if missing == 0 {
        return;
    }
    let kind = view.kind();
    let fields: Vec<usize> = (0..kind.fields.len())
        .filter(|field| missing & bit(*field) != 0 && !scene.is_optional(view.key, *field))
        .filter(|field| !is_reported(scene.world, view, *field))
        .collect();
    let Some(first) = fields.first() else { return };
    let names: Vec<&str> = fields
        .iter()
        .map(|field| kind.fields[*field].name)
        .collect();
    let message = format!(
        "{} cannot be created without {}",
        view.key,
        names.join(", ")
    );
    let found =
        RuleDiagnostic::at_own_field(scene.world, codes::REQUIRED, view.key, *first, message);
    let found = found.set_by(scene.world, "optionalFields");
    out.push(found.help("Write a value for each of them"));
}

/// Fields that the settings make required again while stored resources lack them: one finding each,
/// naming who lacks it.
pub(super) fn required_again(
    scene: &CheckContext<'_, '_>,
    _: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    if !world.changes_setting("optionalFields") {
        return;
    }
    let before = world.setting_before("optionalFields");
    for name in before.iter().flat_map(Value::members) {
        let Some((kind, field)) = named(name) else {
            continue;
        };
        let settings = settings_key();
        let own_rule = OWN_RULE.contains(&(kind.id, field));
        if own_rule || !kind.fields[field].required || is_optional(world, name) {
            continue;
        }
        let lacking = resources_without_value(world, kind, field);
        if lacking.is_empty() {
            continue;
        }
        let message = format!(
            "`{name}` becomes required again, but {} it: {}",
            stored_ones(lacking.len(), kind.id, ("lacks", "lack")),
            list_keys(lacking.iter().copied(), NAMED)
        );
        let at = settings::OPTIONAL_FIELDS;
        let mut found =
            RuleDiagnostic::at_own_field(world, codes::REQUIRED, &settings, at, message).help(
                format!("Fill in the values first, or keep `{name}` in `optionalFields`"),
            );
        for key in lacking.iter().filter(|key| world.declared(key).is_some()) {
            found = found.involving(world, key);
        }
        out.push(found);
    }
}

/// How many resources a message names.
const NAMED: usize = 10;

/// The kind and field that `User.phone` names.
fn named(name: &str) -> Option<(&'static Kind, usize)> {
    let (kind, field) = name.split_once('.')?;
    let kind = kinds::by_name(kind)?;
    let field = kind.fields.iter().position(|known| known.name == field)?;
    Some((kind, field))
}

fn is_optional(world: &PlannedState<'_>, name: &str) -> bool {
    let optional = world.setting("optionalFields");
    optional
        .iter()
        .flat_map(Value::members)
        .any(|member| *member == name)
}

/// The stored resources that would have no value of a field, sorted.
fn resources_without_value<'a>(
    world: &PlannedState<'a>,
    kind: &Kind,
    field: usize,
) -> Vec<&'a Key> {
    let stored = world.all_before(kind.id);
    let mut lacking: Vec<&Key> = stored
        .filter_map(|view| world.after(view.key))
        .filter(|view| view.value(field).is_none_or(Value::is_empty_list))
        .map(|view| view.key)
        .collect();
    lacking.sort_unstable();
    lacking
}

const fn bit(field: usize) -> u64 {
    1 << field
}

/// Of each kind, one bit a field that a create must say.
static NEEDED: LazyLock<Vec<u64>> = LazyLock::new(|| {
    kinds::ALL
        .iter()
        .map(|kind| required_bits(kind.id))
        .collect()
});

fn required_bits(kind: KindId) -> u64 {
    let fields = kinds::get(kind).fields.iter().enumerate();
    fields
        .filter(|(index, field)| {
            // Members of a group are required of each other only.
            field.required && !field.name.contains('.') && !OWN_RULE.contains(&(kind, *index))
        })
        .fold(0, |bits, (index, _)| bits | bit(index))
}

/// One bit a field that is said or derived; of what is stored already, all.
fn stated_bits(view: ResourceView<'_>) -> u64 {
    let Some(declared) = view.created_from() else {
        return u64::MAX;
    };
    let cells = declared.cells.iter().map(|stated| {
        // `[]` is the reader's business, which calls it `clear-required`.
        // Members that come to a list of none are its value.
        let comes = match &stated.cell {
            Cell::Value(_) => true,
            Cell::Amend(amend) => !amend.add.is_empty_list(),
            Cell::Blank | Cell::Clear => false,
        };
        (&stated.field, comes)
    });
    let derived = view.changes().iter();
    let derived = derived.map(|change| (&change.field, change.after.is_some()));
    cells
        .chain(derived)
        .fold(0, |bits, (field, there)| match (field.own(), there) {
            (Some(index), true) => bits | bit(index),
            _ => bits,
        })
}

/// Fields that may never change and would.
pub(super) fn immutable(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    if view.is_created() {
        return;
    }
    for change in view.changes() {
        let fixed = view
            .kind()
            .field(&change.field)
            .filter(|field| field.immutable);
        if let Some(field) = fixed
            && change.before != change.after
        {
            let is = |value: &Option<Value>| match value.as_ref().and_then(Value::as_text) {
                Some(text) => format!("`{text}`"),
                None => "nothing".to_owned(),
            };
            let message = format!(
                "{} cannot change from {} to {}",
                field.name,
                is(&change.before),
                is(&change.after)
            );
            let help = "Write the old value, and declare a new resource with the new one";
            let code = codes::ID_IMMUTABLE;
            out.push(
                RuleDiagnostic::at_field(scene.world, code, view.key, &change.field, message)
                    .help(help),
            );
        }
    }
}

/// Names among `optionalFields` that are no required field: a typo would make nothing optional.
pub(super) fn optional_fields(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let names = view.value(settings::OPTIONAL_FIELDS).into_iter();
    unknown_optional(scene, view.key, names.flat_map(Value::members), out);
}

/// Those names of the settings that are no required field.
pub(super) fn unknown_optional<'t>(
    scene: &CheckContext<'_, '_>,
    key: &Key,
    names: impl Iterator<Item = &'t CompactText>,
    out: &mut RuleDiagnostics,
) {
    let may_be = |kind: &Kind, field: usize| {
        kind.fields[field].required || OWN_RULE.contains(&(kind.id, field))
    };
    for name in names {
        if named(name).is_some_and(|(kind, field)| may_be(kind, field)) {
            continue;
        }
        let all = kinds::ALL.iter().flat_map(|kind| {
            let fields = (0..kind.fields.len()).filter(|field| may_be(kind, *field));
            fields.map(|field| format!("{}.{}", kind.name, kind.fields[field].name))
        });
        let all: Vec<String> = all.collect();
        let message = format!("`{name}` is not a required field");
        let help = match did_you_mean(name, all.iter().map(String::as_str)) {
            Some(meant) => format!("Did you mean `{meant}`?"),
            None => {
                "Write the kind and the field, such as `User.civility`. An externalId is always required"
                    .to_owned()
            }
        };
        let at = settings::OPTIONAL_FIELDS;
        let found = RuleDiagnostic::at_own_field(scene.world, codes::ENUM, key, at, message);
        out.push(found.help(help).member(name));
    }
}

/// Groups of a user that the settings do not know.
pub(super) fn groups(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let groups = view.value(user::GROUPS);
    let groups = groups.into_iter().flat_map(Value::members);
    unknown_groups(scene, view.key, groups, out);
}

/// Those groups of a user that the settings do not know.
pub(super) fn unknown_groups<'t>(
    scene: &CheckContext<'_, '_>,
    key: &Key,
    groups: impl Iterator<Item = &'t CompactText>,
    out: &mut RuleDiagnostics,
) {
    let known = scene.user_groups();
    for group in groups {
        if known.binary_search(group).is_ok() {
            continue;
        }
        let words: Vec<&str> = known.iter().map(CompactText::as_str).collect();
        let message = if words.is_empty() {
            format!("`{group}` is not a user group; `userGroups` in Settings is empty")
        } else {
            let words = words.join(", ");
            format!("`{group}` is not a user group; use one of {words}")
        };
        let help = match did_you_mean(group, words.iter().copied()) {
            Some(meant) => format!("Did you mean `{meant}`?"),
            None if words.is_empty() => "Add it to `userGroups` in Settings".to_owned(),
            None => "Use one of them, or add it to `userGroups` in Settings".to_owned(),
        };
        let found =
            RuleDiagnostic::at_own_field(scene.world, codes::ENUM, key, user::GROUPS, message);
        let found = found.help(help).member(group);
        let found = found.set_by(scene.world, "userGroups");
        let found = found.involving(scene.world, &settings_key());
        out.push(found.identified_by(group.as_str()));
    }
}

pub(super) fn settings_key() -> Key {
    Key::new(kinds::SETTINGS, "settings")
}

/// A VAT number of another country than the first billing address.
pub(super) fn vat_country(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let Some(vat) = view.text(account::VAT_NUMBER) else {
        return;
    };
    let Some(prefix) = vat.get(..2) else { return };
    if !prefix.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return;
    }
    let Some((address, country)) = billing_country(scene, view) else {
        return;
    };
    let of_vat = match prefix {
        "EL" => "GR",
        "XI" => "GB",
        other => other,
    };
    if of_vat != country {
        let message =
            format!("VAT number `{vat}` belongs to {of_vat}, but {address} is in {country}");
        let code = codes::VAT_COUNTRY;
        let found =
            RuleDiagnostic::at_own_field(scene.world, code, view.key, account::VAT_NUMBER, message);
        let found = found.help("Correct it, unless the company is registered abroad");
        out.push(found.involving_field(scene.world, &address, address::COUNTRY));
    }
}

/// The first billing address of an account, and its country.
fn billing_country<'a>(
    scene: &CheckContext<'_, 'a>,
    view: ResourceView<'_>,
) -> Option<(Key, &'a str)> {
    let links = view.value(account::ADDRESSES)?.as_links();
    let billing = links.iter().find(|link| link.attributes[1] != Some(0))?;
    let key = Key {
        kind: ADDRESS,
        id: billing.target.clone(),
    };
    let country = scene.world.after(&key)?.text(address::COUNTRY)?;
    Some((key, country))
}

/// What to do about a postal code: only of one of digits a zero may have been dropped.
fn zip_help(zip: &str, form: &str) -> String {
    let digits = zip.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 {
        return "Leave it blank if there is none. In a mapping, `blanks: [..]` reads such words as blank".to_owned();
    }
    let wanted = form.bytes().filter(u8::is_ascii_digit).count();
    let plain = zip.bytes().all(|byte| byte.is_ascii_digit());
    if plain && digits < wanted {
        "Write it in full: spreadsheets drop leading zeros".to_owned()
    } else {
        format!("Write it like {form}")
    }
}

/// A postal code that does not look like one of its country.
pub(super) fn zip_format(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let (Some(zip), Some(country)) = (view.text(address::ZIP_CODE), view.text(address::COUNTRY))
    else {
        return;
    };
    if zip::is_zip_of_country(country, zip) {
        return;
    }
    let form = zip::form(country).unwrap_or_default();
    let message = format!("`{zip}` is not a postal code of {country}; the format is {form}");
    let code = codes::ZIP_FORMAT;
    let found =
        RuleDiagnostic::at_own_field(scene.world, code, view.key, address::ZIP_CODE, message);
    out.push(found.help(zip_help(zip, form)));
}

/// Whether what the source says of a field is faulty, `[]` of a required list included: the reader
/// has reported it.
pub(super) fn is_reported(world: &PlannedState<'_>, view: ResourceView<'_>, field: usize) -> bool {
    let field = kinds::own_field(field);
    let stated = world
        .declared(view.key)
        .and_then(|declared| declared.stated(&field));
    stated.is_some_and(|stated| matches!(&stated.cell, Cell::Value(value) if value.is_empty_list()))
        || world
            .desired
            .faulty_fields
            .contains(&(view.key.clone(), field))
}
