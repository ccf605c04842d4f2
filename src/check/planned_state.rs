//! The state that a rule looks at: everything as it would be after the effects that are not held.

use super::referrers::ReferrerIndex;
use crate::diagnostic::Origin;
use crate::kinds::{self, Kind};
use crate::model::{
    Cell, CompactText, DeclaredResource, Desired, FieldChange, FieldRef, HasKey, Key, KeyedList,
    KindId, Row, Snapshot, SnapshotLookup, Value,
};
use std::sync::Arc;

/// What would happen to one resource.
#[derive(Clone, Debug)]
pub struct ResourceEffect {
    /// Which resource.
    pub key: Key,
    pub outcome: EffectOutcome,
}

/// What would become of a resource.
#[derive(Clone, Debug)]
pub enum EffectOutcome {
    /// It would be created.
    Create {
        /// From what was declared.
        declared: Arc<DeclaredResource>,
        /// And values that are not declared, `after` only, sorted by field.
        derived: Vec<FieldChange>,
    },
    /// Its row would change so; sorted by field, lists whole. Empty: only its claim changes.
    Change(Vec<FieldChange>),
    /// Its row would go.
    Delete,
}

impl HasKey for ResourceEffect {
    fn key(&self) -> &Key {
        &self.key
    }
}

/// Everything before and after.
pub struct PlannedState<'a> {
    /// The database as it was read.
    pub stored: &'a Snapshot,
    /// What the source says; for origins.
    pub desired: &'a Desired,
    /// What would happen.
    pub effects: &'a KeyedList<ResourceEffect>,
    /// Without it, each question about references scans everything.
    pub(super) index: Option<ReferrerIndex<'a>>,
}

/// One resource as it is before or would be after.
#[derive(Clone, Copy)]
pub struct ResourceView<'a> {
    /// Which resource.
    pub key: &'a Key,
    row: Option<&'a Row>,
    outcome: Option<&'a EffectOutcome>,
}

/// How long a number can be that zeros stand before.
pub(super) const LONGEST_NUMBER: usize = 20;

impl<'a> PlannedState<'a> {
    /// The world after some effects, for callers that ask few questions about references.
    pub fn new(
        stored: &'a Snapshot,
        desired: &'a Desired,
        effects: &'a KeyedList<ResourceEffect>,
    ) -> Self {
        Self {
            stored,
            desired,
            effects,
            index: None,
        }
    }

    /// The world after some effects, for the rules, which ask many questions about references.
    pub fn indexed(
        stored: &'a Snapshot,
        desired: &'a Desired,
        effects: &'a KeyedList<ResourceEffect>,
    ) -> Self {
        let mut world = Self::new(stored, desired, effects);
        // Without effects there is nothing to ask about.
        if !effects.is_empty() {
            world.index = Some(ReferrerIndex::of(&world));
        }
        world
    }

    /// The stored resource, as it was read.
    pub fn before(&self, key: &Key) -> Option<ResourceView<'a>> {
        let row = self.stored.rows.get(key)?;
        Some(ResourceView {
            key: &row.key,
            row: Some(row),
            outcome: None,
        })
    }

    /// The resource as it would be; `None` when there would be none.
    pub fn after(&self, key: &Key) -> Option<ResourceView<'a>> {
        let row = self.stored.rows.get(key);
        let effect = self.effects.get(key);
        match (row, effect) {
            (_, Some(effect)) if matches!(effect.outcome, EffectOutcome::Delete) => None,
            (None, None) => None,
            (Some(row), None) => Some(ResourceView {
                key: &row.key,
                row: Some(row),
                outcome: None,
            }),
            (row, Some(effect)) => Some(ResourceView {
                key: &effect.key,
                row,
                outcome: Some(&effect.outcome),
            }),
        }
    }

    /// Every resource of a kind as it would be, in no particular order.
    pub fn all_after(&self, kind: KindId) -> impl Iterator<Item = ResourceView<'a>> {
        self.ask_all(kind);
        self.read_after(kind)
    }

    /// Those of them that were read: all, unless only part of the database was.
    pub fn read_after(&self, kind: KindId) -> impl Iterator<Item = ResourceView<'a>> {
        let stored = self.stored.rows.iter().map(|row| &row.key);
        let stored = stored
            .filter(move |key| key.kind == kind)
            .filter_map(|key| self.after(key));
        let created = self.effects.iter().filter(move |effect| {
            effect.key.kind == kind
                && matches!(effect.outcome, EffectOutcome::Create { .. })
                && !self.stored.rows.contains(&effect.key)
        });
        // Not looked up by key again: a first plan creates everything.
        stored.chain(created.map(|effect| ResourceView {
            key: &effect.key,
            row: None,
            outcome: Some(&effect.outcome),
        }))
    }

    /// Every stored resource of a kind, in no particular order.
    pub fn all_before(&self, kind: KindId) -> impl Iterator<Item = ResourceView<'a>> {
        self.ask_all(kind);
        self.read_before(kind)
    }

    /// What the plan creates or changes of a kind.
    pub(super) fn affected(&self, kind: KindId) -> impl Iterator<Item = ResourceView<'a>> {
        let effects = self.effects.iter().filter(move |it| it.key.kind == kind);
        effects.filter_map(|effect| match effect.outcome {
            EffectOutcome::Delete => None,
            EffectOutcome::Create { .. } | EffectOutcome::Change(_) => Some(ResourceView {
                key: &effect.key,
                row: self.stored.rows.get(&effect.key),
                outcome: Some(&effect.outcome),
            }),
        })
    }

    pub(super) fn read_before(&self, kind: KindId) -> impl Iterator<Item = ResourceView<'a>> {
        let rows = self.stored.rows.iter();
        rows.filter(move |row| row.key.kind == kind)
            .map(|row| ResourceView {
                key: &row.key,
                row: Some(row),
                outcome: None,
            })
    }

    /// Custom fields are always read, all of them.
    fn ask_all(&self, kind: KindId) {
        if kind != kinds::CUSTOM_FIELD {
            self.stored.rows.note_lookup(|| SnapshotLookup::Everything);
        }
    }

    /// Says that somebody is about to look, among all of a kind, for those whose text or id is
    /// this one in whatever case.
    pub fn note_case_lookup(&self, kind: KindId, field: Option<usize>, text: &str) {
        // Databases fold ASCII alike, the rest each in its own way.
        let alike = || SnapshotLookup::IgnoringCase(kind, field, text.to_ascii_lowercase().into());
        let ascii = text.is_ascii();
        self.stored.rows.note_lookup(|| {
            if ascii {
                alike()
            } else {
                SnapshotLookup::Everything
            }
        });
    }

    /// Says that somebody is about to look for rows whose id is this one with zeros before it.
    pub fn note_zero_lookups(&self, key: &Key) {
        let rows = &self.stored.rows;
        rows.note_lookups(|| {
            let is_new = !key.id.starts_with('0') && !rows.contains(key);
            let most = LONGEST_NUMBER.saturating_sub(key.id.len());
            let zeros = 1..=if is_new { most } else { 0 };
            zeros.map(|zeros| {
                let id = format!("{}{}", "0".repeat(zeros), key.id);
                SnapshotLookup::Row(Key::new(key.kind, id))
            })
        });
    }

    /// What the source says of a resource.
    pub fn declared(&self, key: &Key) -> Option<&'a Arc<DeclaredResource>> {
        let declared = self.desired.resources.get(key);
        if declared.is_none() {
            // Claimed, so declared in a file that was not read again, or no longer declared.
            let claim = || self.stored.claim(&self.desired.source, key);
            let rows = &self.stored.rows;
            rows.note_lookups(|| claim().map(|_| SnapshotLookup::Everything));
        }
        declared
    }

    /// Where the source declares a resource.
    pub fn origin(&self, key: &Key) -> Option<Origin> {
        let declared = self.declared(key)?;
        Some(Origin {
            path: declared.path.clone(),
            at: declared.position,
        })
    }

    /// Where the source states a field, or else declares the resource.
    pub fn field_origin(&self, key: &Key, field: &FieldRef) -> Option<Origin> {
        let declared = self.declared(key)?;
        Some(Origin {
            path: declared.path.clone(),
            at: declared
                .stated(field)
                .map_or(declared.position, |stated| stated.position),
        })
    }

    /// A value of the settings as they would be, or their default.
    pub fn setting(&self, name: &str) -> Option<Value> {
        let kind = kinds::get(kinds::SETTINGS);
        let index = kind.expect_index(name);
        let field = &kind.fields[index];
        let settings = self.after(&kinds::settings_key());
        let said = settings.and_then(|view| match view.value(index) {
            // A stored list without members has none: the default is for who says nothing.
            None if field.ty.is_list() && !view.is_created() => Some(Value::List([].into())),
            value => value.cloned(),
        });
        said.or_else(|| field.default.value())
    }

    /// A value of the settings as they are stored, or their default.
    pub fn setting_before(&self, name: &str) -> Option<Value> {
        let kind = kinds::get(kinds::SETTINGS);
        let index = kind.expect_index(name);
        let field = &kind.fields[index];
        let settings = self.before(&kinds::settings_key());
        match settings.and_then(|view| view.value(index)) {
            None if field.ty.is_list() && settings.is_some() => Some(Value::List([].into())),
            value => value.cloned().or_else(|| field.default.value()),
        }
    }

    /// Whether the plan changes what a setting amounts to.
    pub fn changes_setting(&self, name: &str) -> bool {
        self.setting(name) != self.setting_before(name)
    }

    /// Whether a setting is the boolean true.
    pub fn is_setting_true(&self, name: &str) -> bool {
        self.setting(name)
            .and_then(|value| value.as_bool())
            .unwrap_or(false)
    }

    pub fn setting_text(&self, name: &str) -> CompactText {
        let value = self.setting(name);
        value
            .as_ref()
            .and_then(Value::as_text)
            .map(CompactText::new)
            .unwrap_or_default()
    }
}

impl<'a> ResourceView<'a> {
    pub fn kind(&self) -> &'static Kind {
        kinds::get(self.key.kind)
    }

    /// Whether it is not stored yet.
    pub fn is_created(&self) -> bool {
        self.row.is_none()
    }

    /// What would happen to it, if anything.
    pub fn outcome(&self) -> Option<&'a EffectOutcome> {
        self.outcome
    }

    /// What it would be created from, if it would be.
    pub fn created_from(&self) -> Option<&'a Arc<DeclaredResource>> {
        match self.outcome {
            Some(EffectOutcome::Create { declared, .. }) => Some(declared),
            _ => None,
        }
    }

    /// The changes of its row, of a create those that are not declared.
    pub fn changes(&self) -> &'a [FieldChange] {
        match self.outcome {
            Some(EffectOutcome::Create { derived, .. }) => derived,
            Some(EffectOutcome::Change(changes)) => changes,
            Some(EffectOutcome::Delete) | None => &[],
        }
    }

    /// Whether one of the kind's own fields would change; of a create, every one does.
    pub fn changes_field(&self, index: usize) -> bool {
        self.created_from().is_some()
            || change_of(self.changes(), &kinds::own_field(index)).is_some()
    }

    /// Whether a reference field points to `id`.
    pub fn links_to(&self, index: usize, id: &str) -> bool {
        self.value(index).is_some_and(|value| refers_to(value, id))
    }

    /// The value of a field.
    pub fn get(&self, field: &FieldRef) -> Option<&'a Value> {
        match self.outcome {
            Some(EffectOutcome::Create { declared, derived }) => declared
                .stated(field)
                .and_then(|stated| stated.cell.value())
                .or_else(|| change_of(derived, field)?.after.as_ref()),
            Some(EffectOutcome::Change(changes)) => match change_of(changes, field) {
                Some(change) => change.after.as_ref(),
                None => self.row?.value(field),
            },
            Some(EffectOutcome::Delete) | None => self.row?.value(field),
        }
    }

    /// The value of one of the kind's own fields, by index.
    pub fn value(&self, index: usize) -> Option<&'a Value> {
        self.get(&kinds::own_field(index))
    }

    /// The text of one of the kind's own fields.
    pub fn text(&self, index: usize) -> Option<&'a str> {
        self.value(index)?.as_text()
    }

    /// What a reference field points to: no, one or many external ids.
    pub fn targets(&self, index: usize) -> impl Iterator<Item = &'a CompactText> + use<'a> {
        let value = self.value(index);
        let one = match value {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        };
        one.into_iter()
            .chain(value.into_iter().flat_map(Value::members))
    }

    /// Custom values by the external id of their custom field, sorted.
    pub fn custom(&self) -> Vec<(&'a CompactText, &'a Value)> {
        let mut values: std::collections::BTreeMap<&CompactText, &Value> = self
            .row
            .into_iter()
            .flat_map(|row| row.custom_values.iter())
            .collect();
        match self.outcome {
            Some(EffectOutcome::Create { declared, derived }) => {
                for stated in &declared.cells {
                    if let (FieldRef::Custom(id), Cell::Value(value)) =
                        (&stated.field, &stated.cell)
                    {
                        values.insert(id, value);
                    }
                }
                overlay(&mut values, derived);
            }
            Some(EffectOutcome::Change(changes)) => overlay(&mut values, changes),
            Some(EffectOutcome::Delete) | None => {}
        }
        values.into_iter().collect()
    }

    /// `active`, `inactive`; kinds without status are always active.
    pub fn status(&self) -> &'a str {
        let kind = self.kind();
        if kind.has_status {
            self.text(kind.status_index()).unwrap_or("active")
        } else {
            "active"
        }
    }

    /// Whether it counts: status active or, for kinds without status, stored.
    pub fn is_live(&self) -> bool {
        self.status() == "active"
    }

    /// Whether the plan brings it into use: it is live after the plan and was not before.
    pub fn becomes_live(&self) -> bool {
        let was_live = |row: &'a Row| {
            let before = ResourceView {
                row: Some(row),
                outcome: None,
                ..*self
            };
            before.is_live()
        };
        self.is_live() && !self.row.is_some_and(was_live)
    }

    /// A runtime fact of the stored row.
    pub fn fact(&self, name: &str) -> Option<&'a str> {
        self.row?.facts.get(name).map(CompactText::as_str)
    }
}

fn change_of<'c>(changes: &'c [FieldChange], field: &FieldRef) -> Option<&'c FieldChange> {
    changes
        .binary_search_by(|change| change.field.cmp(field))
        .ok()
        .map(|index| &changes[index])
}

/// Whether a reference value names `id`; members are sorted.
pub(super) fn refers_to(value: &Value, id: &str) -> bool {
    match value {
        Value::Text(text) => text == id,
        Value::List(list) => list
            .binary_search_by(|member| member.as_str().cmp(id))
            .is_ok(),
        Value::Links(links) => links
            .binary_search_by(|link| link.target.as_str().cmp(id))
            .is_ok(),
        Value::Bool(_) | Value::Int(_) | Value::Number(_) => false,
    }
}

fn overlay<'a>(
    values: &mut std::collections::BTreeMap<&'a CompactText, &'a Value>,
    changes: &'a [FieldChange],
) {
    for change in changes {
        if let FieldRef::Custom(id) = &change.field {
            match &change.after {
                Some(value) => values.insert(id, value),
                None => values.remove(id),
            };
        }
    }
}
