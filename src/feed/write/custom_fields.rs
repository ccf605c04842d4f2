//! The custom fields that get a column each. They depend on everything that is stored, so they are
//! collected before the first row is written.

use crate::kinds::{self, CUSTOM_FIELD};
use crate::model::{CompactText, KindId, Row, Value};
use std::collections::BTreeMap;

/// The custom fields of kinds, each with whether it is required: those with an active definition,
/// and those with stored values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CustomFieldsInUse(BTreeMap<KindId, BTreeMap<CompactText, bool>>);

impl CustomFieldsInUse {
    /// Adds a custom field with stored values. It may have no definition, for example when the
    /// definition is no longer in use.
    pub fn add_stored(&mut self, kind: KindId, id: CompactText) {
        self.0.entry(kind).or_default().entry(id).or_insert(false);
    }

    /// Adds a definition, unless it is not active.
    pub fn add_definition(&mut self, row: &Row) {
        let definition = kinds::get(CUSTOM_FIELD);
        let value = |name: &str| row.values.get(definition.expect_index(name))?.as_ref();
        let word = |name: &str| value(name).and_then(Value::as_text);
        let applies_to = word("appliesTo");
        let mut kinds = kinds::ALL.into_iter();
        let kind = kinds.find(|kind| applies_to.is_some() && kind.applies_to_word == applies_to);
        if let (Some(kind), Some("active")) = (kind, word("status")) {
            let required = value("required").and_then(Value::as_bool);
            let of_kind = self.0.entry(kind.id).or_default();
            of_kind.insert(row.key.id.clone(), required.unwrap_or(false));
        }
    }

    /// The custom fields of a kind, sorted by id.
    pub(super) fn of(&self, kind: KindId) -> impl Iterator<Item = (&CompactText, bool)> {
        let fields = self.0.get(&kind).into_iter().flatten();
        fields.map(|(id, required)| (id, *required))
    }
}
