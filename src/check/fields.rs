//! Rules on the fields of one resource that need the state after the plan.
//!
//! Formats of single values are checked where they are read. Here are the rest: fields a create
//! lacks, immutable fields, and values that depend on the settings or on another resource.
//! [`required`] runs on every new resource of a first load, so it works on bit sets.

use super::custom::stored_ones;
use super::field_index::{account, address, settings, user};
use super::rule_diagnostic::list_keys;
use super::{
    CheckContext, CheckSubjects, PlannedState, ResourceView, RuleDiagnostic, RuleDiagnostics, zip,
};
use crate::diagnostic::{codes, did_you_mean};
use crate::kinds::{self, ACCOUNT, ADDRESS, FieldType, Kind, USER, effective};
use crate::model::{Cell, CompactText, Key, KindId, Value};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Required fields whose absence has a rule of its own, which also covers stored resources.
const OWN_RULE: &[(KindId, usize)] = &[(ACCOUNT, account::ADDRESSES), (USER, user::ACCOUNTS)];

/// Reports a create that lacks required fields, in one diagnostic that names them all.
pub(super) fn required(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    // Nearly every resource ends here, without an allocation.
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

/// Reports fields that the plan removes from `optionalFields` while stored resources lack them.
pub(super) fn required_again(
    scene: &CheckContext<'_, '_>,
    _: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    if !world.changes_setting("optionalFields") {
        return;
    }
    // `required` looks at creates only: without this, stored resources would become invalid
    // unnoticed.
    let before = world.setting_before("optionalFields");
    for name in before.iter().flat_map(Value::members) {
        let Some((kind, field)) = named(name) else {
            continue;
        };
        let settings = kinds::settings_key();
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
        // A declared one may get its value in this plan and be held; then the settings wait for it.
        for key in lacking.iter().filter(|key| world.declared(key).is_some()) {
            found = found.involving(world, key);
        }
        out.push(found);
    }
}

/// The number of resources in a message.
const NAMED: usize = 10;

/// Finds the kind and field of a name like `User.phone`.
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

/// Returns the stored resources without a value of a field after the plan, sorted.
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

/// The fields that a create must state, one bit for each, by kind.
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
            // A field such as `legalUser.firstName` is required only if the group is stated at all.
            field.required && !field.name.contains('.') && !OWN_RULE.contains(&(kind, *index))
        })
        .fold(0, |bits, (index, _)| bits | bit(index))
}

/// The fields that a create states or that are derived, one bit for each. All bits for a stored
/// resource, which keeps what it has.
fn stated_bits(view: ResourceView<'_>) -> u64 {
    let Some(declared) = view.created_from() else {
        return u64::MAX;
    };
    let cells = declared.cells.iter().map(|stated| {
        // `[]` counts as stated here, because the reader reports it as `clear-required`. Added
        // members are the whole list of a new resource.
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

/// Reports dates that are to come, such as the birthday of somebody who is not born yet.
pub(super) fn future_dates(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    let fields = view.kind().fields.iter().enumerate();
    let dates = fields.filter(|(_, field)| matches!(field.ty, FieldType::PastDate));
    for (index, field) in dates {
        let is_new = view.is_created() || view.changes_field(index);
        // Dates in ISO 8601 sort like their texts.
        let coming = view.text(index).filter(|day| **day > *world.stored.today);
        if let Some(day) = coming.filter(|_| is_new && !world.stored.today.is_empty()) {
            let message = format!("{} `{day}` is in the future", field.name);
            let found = RuleDiagnostic::at_own_field(world, codes::DATE, view.key, index, message);
            out.push(found.help("Write a day that has been"));
        }
    }
}

/// Reports changes to immutable fields.
pub(super) fn immutable(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    if view.is_created() {
        return;
    }
    // Stored values depend on these fields. With another type, for example, the values of a custom
    // field would no longer be valid.
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

/// Reports names in `optionalFields` that are not required fields. A typo there would make nothing
/// optional.
pub(super) fn optional_fields(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let names = view.value(settings::OPTIONAL_FIELDS).into_iter();
    unknown_optional(scene, view.key, names.flat_map(Value::members), out);
}

/// Reports those names that are not required fields. Also called for lists with a faulty member.
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

/// Reports groups of a user that are not in `userGroups`.
pub(super) fn groups(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let groups = view.value(user::GROUPS);
    let groups = groups.into_iter().flat_map(Value::members);
    unknown_groups(scene, view.key, groups, out);
    // A group that is yet to begin is checked today.
    let items = effective::dated_items(view.kind(), view.value(user::DATED_LINKS));
    let is_later = |group: &CompactText| !view.links_to(user::GROUPS, group);
    let later = items.filter(|item| item.list == "groups" && is_later(&item.member));
    let later: BTreeSet<CompactText> = later.map(|item| item.member).collect();
    unknown_groups(scene, view.key, later.iter(), out);
}

/// Reports those groups that are not in `userGroups`. Also called for lists with a faulty member.
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
        let found = found.involving(scene.world, &kinds::settings_key());
        // The message lists the allowed groups. If the plan adds one, the message about an old
        // fault differs from before, and the stored fault would pass for a new error.
        out.push(found.identified_by(group.as_str()));
    }
}

/// Warns of a VAT number of another country than the first billing address. Often it was copied
/// from the parent company or from the wrong row.
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
    // Greece and Northern Ireland use prefixes that are not their country codes.
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

/// Returns the first billing address of an account, and its country.
fn billing_country<'a>(
    scene: &CheckContext<'_, 'a>,
    view: ResourceView<'_>,
) -> Option<(Key, &'a str)> {
    let links = view.value(account::ADDRESSES)?.as_links();
    // The second attribute is `billing`. An export may leave it out; then the address may be for
    // billing.
    let billing = links.iter().find(|link| link.attributes[1] != Some(0))?;
    let key = Key {
        kind: ADDRESS,
        id: billing.target.clone(),
    };
    let country = scene.world.after(&key)?.text(address::COUNTRY)?;
    Some((key, country))
}

/// Suggests a fix for a postal code. Only one made of digits can have lost a leading zero.
fn zip_help(zip: &str, form: &str) -> String {
    let digits = zip.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 {
        // ERPs write `NULL` or `N/A` into empty cells.
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

/// Warns of a postal code that does not have the format of its country.
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

/// Whether the reader has already reported what the source states for a field, including `[]` for a
/// required list. A rule must not report it as missing as well.
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
