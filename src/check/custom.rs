//! Rules on custom fields: values need an active definition, and required fields need values.
//!
//! Types of values are checked earlier, in `typing.rs`, where cells are read. The rules here need
//! the state after the plan: [`undefined`] and [`missing`] look at a resource, [`backfill`] and
//! [`options_gone`] at a definition that becomes stricter than what is stored.

use super::field_index::custom_field;
use super::rule_diagnostic::list_keys;
use super::{
    CheckContext, CheckSubjects, CustomFieldDefinition, PlannedOutcome, PlannedState, ResourceView,
    RuleDiagnostic, RuleDiagnostics, unread,
};
use crate::diagnostic::{agreed, codes};
use crate::kinds::{self, CUSTOM_FIELD};
use crate::model::{Cell, CompactText, FieldRef, Key, KindId, StatedField};

/// The number of resources in a message.
const NAMED: usize = 10;

fn key(id: &CompactText) -> Key {
    Key {
        kind: CUSTOM_FIELD,
        id: id.clone(),
    }
}

/// The custom cells that the source states for a resource. They are the last of its cells.
fn stated_custom_fields<'a>(world: &PlannedState<'a>, view: ResourceView<'a>) -> &'a [StatedField] {
    if view.kind().applies_to_word.is_none() {
        return &[];
    }
    let declared = view.created_from().or_else(|| world.declared(view.key));
    let cells = declared.map_or(&[][..], |declared| &declared.cells);
    let own = cells.partition_point(|stated| matches!(stated.field, FieldRef::Own(_)));
    &cells[own..]
}

/// Reports declared custom values that have no active definition after the plan.
pub(super) fn undefined<'a>(
    scene: &CheckContext<'_, 'a>,
    view: ResourceView<'a>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    // Typing has checked this against the declared definitions already. Here a definition may be
    // gone because it is held, and then the value has to wait for it.
    for stated in stated_custom_fields(world, view) {
        let (FieldRef::Custom(id), Cell::Value(_)) = (&stated.field, &stated.cell) else {
            continue;
        };
        if scene.definitions().get(view.key.kind, id).is_some() {
            continue;
        }
        let definition = key(id);
        let why = if world.after(&definition).is_some() {
            "does not apply to this kind"
        } else {
            "is not defined"
        };
        let message = format!("custom field `{id}` {why}");
        let code = codes::CUSTOM_FIELD_UNKNOWN;
        let found = RuleDiagnostic::at_field(world, code, view.key, &stated.field, message)
            .help("Define it as a CustomField, correct the name, or check `appliesTo`");
        out.push(found.involving(world, &definition));
    }
}

/// Reports required custom fields that a create lacks or that the plan clears.
pub(super) fn missing(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    if view.outcome().is_none() || view.kind().applies_to_word.is_none() {
        return;
    }
    for (id, definition) in scene.definitions().required(view.key.kind) {
        let field = FieldRef::Custom(id.clone());
        // `typing.rs` has reported a blank or a `clear:` already.
        let said = view
            .created_from()
            .is_some_and(|declared| declared.stated(&field).is_some());
        // A stored resource that never had a value is not this plan's fault: `backfill` reports it
        // when the field becomes required, and then an edit of the phone must not be refused for
        // it.
        let lost = view.changes().iter().any(|change| {
            change.field == field && change.before.is_some() && change.after.is_none()
        });
        let lacks = view.is_created() && definition.default.is_none();
        if view.get(&field).is_some() || said || !(lacks || lost) {
            continue;
        }
        let stated = scene
            .world
            .declared(view.key)
            .and_then(|declared| declared.stated(&field));
        if stated.is_some_and(|stated| !matches!(stated.cell, Cell::Value(_))) {
            // `clear:` or blank: typing has reported it.
            continue;
        }
        let message = format!("{} has no value for required custom field `{id}`", view.key);
        let code = codes::CUSTOM_FIELD_REQUIRED;
        let found = RuleDiagnostic::at_field(scene.world, code, view.key, &field, message)
            .help("Write a value, or give the custom field a `default`");
        let found = found.unless_unread(unread::faulty_definition(scene.world, id));
        out.push(found.involving(scene.world, &key(id)));
    }
}

/// Reports new fields, and fields with a new name, whose name is their externalId.
pub(super) fn named_like_id(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let name = view.kind().expect_index("name");
    let is_new = view.created_from().is_some() || view.changes_field(name);
    if !is_new || view.text(name) != Some(&*view.key.id) {
        return;
    }
    let message = format!(
        "the name of {} is its externalId; a name is for people, and an externalId for programs",
        view.key
    );
    let found =
        RuleDiagnostic::at_own_field(scene.world, codes::ID_FORMAT, view.key, name, message);
    out.push(found.help("Write a name that people understand, or choose another externalId"));
}

/// Reports custom fields that the plan makes required while stored resources have no value.
pub(super) fn backfill(
    scene: &CheckContext<'_, '_>,
    _: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    for effect in world.effects {
        if effect.key.kind != CUSTOM_FIELD || matches!(effect.outcome, PlannedOutcome::Delete(_)) {
            continue;
        }
        // A field may become required in several ways: `required: true`, losing its default,
        // becoming active, or applying to another kind. So whole definitions are compared, not one
        // field.
        let demands = |view: Option<ResourceView<'_>>| {
            let definition = view.and_then(CustomFieldDefinition::of_view);
            definition
                .filter(|definition| {
                    definition.is_live && definition.required && definition.default.is_none()
                })
                .and_then(|definition| definition.kind)
        };
        let Some(kind) = demands(world.after(&effect.key)) else {
            continue;
        };
        if demands(world.before(&effect.key)).is_none() {
            out.extend(missing_backfill(world, &effect.key, kind));
        }
    }
}

/// Reports options that the plan removes while stored resources use them.
pub(super) fn options_gone(
    scene: &CheckContext<'_, '_>,
    _: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    for effect in world.effects {
        let key = &effect.key;
        // Nobody chooses from an inactive field, so its options may go.
        let after = world.after(key).filter(ResourceView::is_live);
        let (Some(before), Some(after)) = (world.before(key), after) else {
            continue;
        };
        let options = |view: ResourceView<'_>| {
            CustomFieldDefinition::of_view(view).map(|it| (it.kind, it.options))
        };
        let (Some((_, old)), Some((Some(kind), new))) = (options(before), options(after)) else {
            continue;
        };
        let gone: Vec<&CompactText> = old.iter().filter(|option| !new.contains(option)).collect();
        if !gone.is_empty() {
            out.extend(removed_options_in_use(world, key, kind, &gone));
        }
    }
}

fn removed_options_in_use(
    world: &PlannedState<'_>,
    definition: &Key,
    kind: KindId,
    gone: &[&CompactText],
) -> Option<RuleDiagnostic> {
    let field = FieldRef::Custom(definition.id.clone());
    let chosen = |view: &ResourceView<'_>| {
        let value = view.get(&field);
        value.is_some_and(|value| value.members().any(|option| gone.contains(&option)))
    };
    // The values after the plan: a plan that also moves every resource to another option is fine.
    let stored = world.all_before(kind);
    let mut keys: Vec<&Key> = stored
        .filter_map(|view| world.after(view.key))
        .filter(chosen)
        .map(|view| view.key)
        .collect();
    if keys.is_empty() {
        return None;
    }
    keys.sort_unstable();
    let options: Vec<String> = gone.iter().map(|option| format!("`{option}`")).collect();
    let lost = if gone.len() == 1 { "it" } else { "one of them" };
    let message = format!(
        "custom field `{}` loses {}, but {} {lost}: {}",
        definition.id,
        options.join(", "),
        stored_ones(keys.len(), kind, ("has", "have")),
        list_keys(keys.iter().copied(), NAMED)
    );
    let at = custom_field::OPTIONS;
    let mut found = RuleDiagnostic::at_own_field(world, codes::CUSTOM_FIELD_OPTION, definition, at, message)
        .help("Keep the old option until no resource uses it: add the new option, change the values, then remove the old option");
    // A declared one may have the old option only because its change is held. Then the definition
    // waits for it.
    for key in keys.into_iter().filter(|key| world.declared(key).is_some()) {
        found = found.involving(world, key);
    }
    Some(found)
}

/// Formats a count of stored resources with a verb: `1 stored user lacks`.
pub(super) fn stored_ones(number: usize, kind: KindId, verb: (&str, &str)) -> String {
    let kind = kinds::get(kind);
    let one = format!("stored {}", kind.singular.replace('_', " "));
    let several = format!("stored {}", kind.collection);
    agreed(number, (&one, &several), verb)
}

fn missing_backfill(
    world: &PlannedState<'_>,
    definition: &Key,
    kind: KindId,
) -> Option<RuleDiagnostic> {
    let field = FieldRef::Custom(definition.id.clone());
    let stored = world
        .all_before(kind)
        .filter_map(|view| world.after(view.key));
    let mut lacking: Vec<&Key> = stored
        .filter(|view| view.get(&field).is_none())
        .map(|view| view.key)
        .collect();
    if lacking.is_empty() {
        return None;
    }
    lacking.sort_unstable();
    let message = format!(
        "custom field `{}` becomes required, but {} it: {}",
        definition.id,
        stored_ones(lacking.len(), kind, ("lacks", "lack")),
        list_keys(lacking.iter().copied(), NAMED)
    );
    let code = codes::CUSTOM_FIELD_BACKFILL;
    let at = custom_field::REQUIRED;
    let mut found = RuleDiagnostic::at_own_field(world, code, definition, at, message)
        .help("Give it a `default`, or fill in the values first");
    // If the source states a value, the resource lacks it only because its change is held.
    for key in lacking {
        let fills = world
            .declared(key)
            .is_some_and(|declared| declared.stated(&field).is_some());
        if fills {
            found = found.involving(world, key);
        }
    }
    Some(found)
}
