//! The state that rules look at: the database as it would be after the effects that are not held.
//! Nothing is copied: a [`ResourceView`] reads a row through its effect. Look-ups are reported to
//! the snapshot, so that a partial one learns what it lacks. Start reading at
//! [`PlannedState::after`].

use super::referrers::ReferrerIndex;
use crate::diagnostic::Origin;
use crate::kinds::{self, Kind};
use crate::model::{
    Cell, CompactText, DeclaredResource, Desired, FEW_OF_A_KIND, FieldChange, FieldRef, HasKey,
    Key, KeyedList, KindId, Row, Snapshot, SnapshotLookup, Value,
};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct PlannedChange {
    pub key: Key,
    pub outcome: PlannedOutcome,
}

#[derive(Clone, Debug)]
pub enum PlannedOutcome {
    Create {
        declared: Arc<DeclaredResource>,
        /// Values that are not declared, with `after` only, sorted by field.
        derived: Vec<FieldChange>,
    },
    /// The row changes. Sorted by field, with whole lists; when empty, only the claim changes.
    Change(Vec<FieldChange>),
    /// With what goes or changes because of it, by key. Each has an effect of its own too.
    Delete(Box<[DeletionConsequence]>),
}

/// What the deletion of a resource does to another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeletionConsequence {
    pub key: Key,
    /// The changes, sorted by field; `None` if it is deleted.
    pub changes: Option<Vec<FieldChange>>,
    /// Whether the plan does nothing else to it.
    pub alone: bool,
}

impl DeletionConsequence {
    /// Whether it sets the resource inactive.
    pub fn deactivates(&self) -> bool {
        let status = kinds::own_field(kinds::get(self.key.kind).status_index());
        let changes = self.changes.iter().flatten();
        changes.into_iter().any(|change| change.field == status)
    }
}

impl PlannedChange {
    /// What goes or changes because of it.
    pub fn consequences(&self) -> &[DeletionConsequence] {
        match &self.outcome {
            PlannedOutcome::Delete(consequences) => consequences,
            PlannedOutcome::Create { .. } | PlannedOutcome::Change(_) => &[],
        }
    }
}

impl HasKey for PlannedChange {
    fn key(&self) -> &Key {
        &self.key
    }
}

/// The state before and after the effects.
pub struct PlannedState<'a> {
    pub stored: &'a Snapshot,
    /// What the source declares, for origins.
    pub desired: &'a Desired,
    pub effects: &'a KeyedList<PlannedChange>,
    /// Without it, each question about references scans all rows.
    pub(super) index: Option<ReferrerIndex<'a>>,
}

/// One resource before or after the effects.
#[derive(Clone, Copy)]
pub struct ResourceView<'a> {
    pub key: &'a Key,
    row: Option<&'a Row>,
    outcome: Option<&'a PlannedOutcome>,
}

/// The longest number for which ids with leading zeros are looked up.
pub(super) const LONGEST_NUMBER: usize = 20;

impl<'a> PlannedState<'a> {
    /// The state after some effects, for callers that ask few questions about references.
    pub fn new(
        stored: &'a Snapshot,
        desired: &'a Desired,
        effects: &'a KeyedList<PlannedChange>,
    ) -> Self {
        Self {
            stored,
            desired,
            effects,
            index: None,
        }
    }

    /// The state after some effects, for the rules, which ask many questions about references.
    pub fn indexed(
        stored: &'a Snapshot,
        desired: &'a Desired,
        effects: &'a KeyedList<PlannedChange>,
    ) -> Self {
        let mut world = Self::new(stored, desired, effects);
        // Without effects there are no subjects and thus no questions; the scan would be wasted.
        if !effects.is_empty() {
            world.index = Some(ReferrerIndex::of(&world));
        }
        world
    }

    pub fn before(&self, key: &Key) -> Option<ResourceView<'a>> {
        let row = self.stored.rows.get(key)?;
        Some(ResourceView {
            key: &row.key,
            row: Some(row),
            outcome: None,
        })
    }

    /// The resource after the effects; `None` when it does not exist then.
    pub fn after(&self, key: &Key) -> Option<ResourceView<'a>> {
        let row = self.stored.rows.get(key);
        let effect = self.effects.get(key);
        match (row, effect) {
            (_, Some(effect)) if matches!(effect.outcome, PlannedOutcome::Delete(_)) => None,
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

    /// Every resource of a kind after the effects, in no particular order.
    pub fn all_after(&self, kind: KindId) -> impl Iterator<Item = ResourceView<'a>> {
        self.ask_all(kind);
        self.read_after(kind)
    }

    /// Those of them that were read, which are all unless the snapshot is partial.
    pub fn read_after(&self, kind: KindId) -> impl Iterator<Item = ResourceView<'a>> {
        let stored = self.stored.rows.iter().map(|row| &row.key);
        let stored = stored
            .filter(move |key| key.kind == kind)
            .filter_map(|key| self.after(key));
        let created = self.effects.iter().filter(move |effect| {
            effect.key.kind == kind
                && matches!(effect.outcome, PlannedOutcome::Create { .. })
                && !self.stored.rows.contains(&effect.key)
        });
        // Not looked up by key again, since a first plan creates everything.
        stored.chain(created.map(|effect| ResourceView {
            key: &effect.key,
            row: None,
            outcome: Some(&effect.outcome),
        }))
    }

    /// The resources of a kind after the effects among which a similar id is looked for; `None` if only
    /// those count that differ in a letter or two.
    pub(super) fn few_after(&self, kind: KindId) -> Option<Vec<&'a str>> {
        self.stored.rows.note_lookup(|| SnapshotLookup::AllOf(kind));
        let is_large = self.stored.large_kinds.contains(&kind);
        let ids = (!is_large).then(|| self.ids_after(kind).collect::<Vec<_>>());
        ids.filter(|ids| ids.len() <= FEW_OF_A_KIND)
    }

    /// The ids of a kind after the effects, at least those that are similar to one.
    pub(super) fn similar_after(&self, kind: KindId, id: &str) -> impl Iterator<Item = &'a str> {
        self.note_folded(id, || SnapshotLookup::SimilarIds(kind, id.into()));
        self.ids_after(kind)
    }

    fn ids_after(&self, kind: KindId) -> impl Iterator<Item = &'a str> {
        self.read_after(kind).map(|view| view.key.id.as_str())
    }

    /// Every stored resource of a kind, in no particular order.
    pub fn all_before(&self, kind: KindId) -> impl Iterator<Item = ResourceView<'a>> {
        self.ask_all(kind);
        self.read_before(kind)
    }

    /// The resources of a kind that the plan creates or changes.
    pub(super) fn affected(&self, kind: KindId) -> impl Iterator<Item = ResourceView<'a>> {
        let effects = self.effects.iter().filter(move |it| it.key.kind == kind);
        effects.filter_map(|effect| match effect.outcome {
            PlannedOutcome::Delete(_) => None,
            PlannedOutcome::Create { .. } | PlannedOutcome::Change(_) => Some(ResourceView {
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

    /// Notes that all of a kind are needed. Custom fields are always read in full.
    fn ask_all(&self, kind: KindId) {
        if kind != kinds::CUSTOM_FIELD {
            self.stored.rows.note_lookup(|| SnapshotLookup::Everything);
        }
    }

    /// Notes that a rule is about to look for a text or id in any letter case.
    pub fn note_case_lookup(&self, kind: KindId, field: Option<usize>, text: &str) {
        self.note_folded(text, || {
            SnapshotLookup::IgnoringCase(kind, field, text.to_ascii_lowercase().into())
        });
    }

    /// Notes a lookup that ignores case. Databases agree on folding ASCII only; beyond it, everything
    /// has to be read.
    fn note_folded(&self, text: &str, lookup: impl FnOnce() -> SnapshotLookup) {
        let folded = text.is_ascii().then_some(lookup);
        let rows = &self.stored.rows;
        rows.note_lookup(|| folded.map_or(SnapshotLookup::Everything, |lookup| lookup()));
    }

    /// Notes that a rule is about to look for this id with leading zeros.
    pub fn note_zero_lookups(&self, key: &Key) {
        let rows = &self.stored.rows;
        rows.note_lookups(|| {
            // Only a new id can be a stored one that lost its zeros.
            let is_new = !key.id.starts_with('0') && !rows.contains(key);
            let most = LONGEST_NUMBER.saturating_sub(key.id.len());
            let zeros = 1..=if is_new { most } else { 0 };
            zeros.map(|zeros| {
                let id = format!("{}{}", "0".repeat(zeros), key.id);
                SnapshotLookup::Row(Key::new(key.kind, id))
            })
        });
    }

    pub fn declared(&self, key: &Key) -> Option<&'a Arc<DeclaredResource>> {
        let declared = self.desired.resources.get(key);
        if declared.is_none() {
            // Claimed, so it is declared in a file that was not read again, or no longer declared
            // at all.
            let claim = || self.stored.claim(&self.desired.source, key);
            let rows = &self.stored.rows;
            rows.note_lookups(|| claim().map(|_| SnapshotLookup::Declared(key.clone())));
        }
        declared
    }

    pub fn origin(&self, key: &Key) -> Option<Origin> {
        let declared = self.declared(key)?;
        Some(Origin {
            path: declared.path.clone(),
            at: declared.position,
        })
    }

    /// The place of a field, or of the resource if the field is not stated.
    pub fn field_origin(&self, key: &Key, field: &FieldRef) -> Option<Origin> {
        let declared = self.declared(key)?;
        Some(Origin {
            path: declared.path.clone(),
            at: declared
                .stated(field)
                .map_or(declared.position, |stated| stated.position),
        })
    }

    /// A setting after the effects, or its default.
    pub fn setting(&self, name: &str) -> Option<Value> {
        let kind = kinds::get(kinds::SETTINGS);
        let index = kind.expect_index(name);
        let field = &kind.fields[index];
        let settings = self.after(&kinds::settings_key());
        let said = settings.and_then(|view| match view.value(index) {
            // A stored list without members is an empty list; the default is for settings that say
            // nothing.
            None if field.ty.is_list() && !view.is_created() => Some(Value::List([].into())),
            value => value.cloned(),
        });
        said.or_else(|| field.default.value())
    }

    /// A setting as stored, or its default.
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

    /// Whether the plan changes the value of a setting, defaults included.
    pub fn changes_setting(&self, name: &str) -> bool {
        self.setting(name) != self.setting_before(name)
    }

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

    pub fn is_created(&self) -> bool {
        self.row.is_none()
    }

    pub fn outcome(&self) -> Option<&'a PlannedOutcome> {
        self.outcome
    }

    /// The declaration that it would be created from, if any.
    pub fn created_from(&self) -> Option<&'a Arc<DeclaredResource>> {
        match self.outcome {
            Some(PlannedOutcome::Create { declared, .. }) => Some(declared),
            _ => None,
        }
    }

    /// The changes of its row; of a create, only the values that are not declared.
    pub fn changes(&self) -> &'a [FieldChange] {
        match self.outcome {
            Some(PlannedOutcome::Create { derived, .. }) => derived,
            Some(PlannedOutcome::Change(changes)) => changes,
            Some(PlannedOutcome::Delete(_)) | None => &[],
        }
    }

    /// Whether one of the kind's own fields would change. In a create, all of them do.
    pub fn changes_field(&self, index: usize) -> bool {
        self.created_from().is_some()
            || change_of(self.changes(), &kinds::own_field(index)).is_some()
    }

    /// Whether a reference field points to `id`.
    pub fn links_to(&self, index: usize, id: &str) -> bool {
        self.value(index).is_some_and(|value| refers_to(value, id))
    }

    pub fn get(&self, field: &FieldRef) -> Option<&'a Value> {
        match self.outcome {
            Some(PlannedOutcome::Create { declared, derived }) => declared
                .stated(field)
                .and_then(|stated| stated.cell.value())
                .or_else(|| change_of(derived, field)?.after.as_ref()),
            Some(PlannedOutcome::Change(changes)) => match change_of(changes, field) {
                Some(change) => change.after.as_ref(),
                None => self.row?.value(field),
            },
            Some(PlannedOutcome::Delete(_)) | None => self.row?.value(field),
        }
    }

    pub fn value(&self, index: usize) -> Option<&'a Value> {
        self.get(&kinds::own_field(index))
    }

    pub fn text(&self, index: usize) -> Option<&'a str> {
        self.value(index)?.as_text()
    }

    /// The external ids that a reference field points to.
    pub fn targets(&self, index: usize) -> impl Iterator<Item = &'a CompactText> + use<'a> {
        let value = self.value(index);
        let one = match value {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        };
        one.into_iter()
            .chain(value.into_iter().flat_map(Value::members))
    }

    /// Custom values by the external id of their field, sorted.
    pub fn custom(&self) -> Vec<(&'a CompactText, &'a Value)> {
        let mut values: std::collections::BTreeMap<&CompactText, &Value> = self
            .row
            .into_iter()
            .flat_map(|row| row.custom_values.iter())
            .collect();
        match self.outcome {
            Some(PlannedOutcome::Create { declared, derived }) => {
                for stated in &declared.cells {
                    if let (FieldRef::Custom(id), Cell::Value(value)) =
                        (&stated.field, &stated.cell)
                    {
                        values.insert(id, value);
                    }
                }
                overlay(&mut values, derived);
            }
            Some(PlannedOutcome::Change(changes)) => overlay(&mut values, changes),
            Some(PlannedOutcome::Delete(_)) | None => {}
        }
        values.into_iter().collect()
    }

    /// `active` or `inactive`; kinds without a status are always active.
    pub fn status(&self) -> &'a str {
        let kind = self.kind();
        if kind.has_status {
            self.text(kind.status_index()).unwrap_or("active")
        } else {
            "active"
        }
    }

    pub fn is_live(&self) -> bool {
        self.status() == "active"
    }

    /// Whether it is live after the plan and was not before.
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

    /// A fact that only the shop writes, from the stored row.
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

/// Whether a reference value names `id`. Members are sorted, so a binary search suffices.
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
