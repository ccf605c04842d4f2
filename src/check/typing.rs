//! Turns custom cells into canonical values, by the definition of their custom field.
//!
//! The reader of a source knows only that `customFields: {dock: B4}` holds a text. Which type it
//! has is known once the source and the database have both been read. [`definitions`] collects the
//! custom fields of both; [`type_custom`] takes what was read and returns a typed copy with
//! diagnostics. One value is parsed in `typing/parse.rs`.

mod parse;

use super::field_index::custom_field;
use super::{PlannedState, ResourceView, RuleDiagnostic, RuleDiagnostics, unread};
use crate::diagnostic::{Code, Diagnostic, Origin, codes, did_you_mean};
use crate::kinds::{self, CUSTOM_FIELD};
use crate::manifest;
use crate::model::{
    Cell, CompactText, DeclaredResource, Desired, FieldRef, Key, KindId, Row, Snapshot,
    StatedField, Value,
};
pub use parse::CustomType;
use parse::{CustomValueError, parse};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A custom field as far as its values depend on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CustomFieldDefinition {
    /// The kind it applies to. `None` if `appliesTo` is wrong, which is reported elsewhere.
    pub kind: Option<KindId>,
    /// The type of its values. `None` if `type` is wrong or cannot be read.
    pub ty: Option<CustomType>,
    /// The allowed values of a list, in their order.
    pub options: Vec<CompactText>,
    pub required: bool,
    /// The canonical value that a resource without one gets.
    pub default: Option<Value>,
    /// Whether its status is active.
    pub is_live: bool,
}

/// All custom fields by external id, inactive ones included.
#[derive(Clone, Default, Debug)]
pub struct CustomFieldDefinitions(BTreeMap<CompactText, CustomFieldDefinition>);

impl CustomFieldDefinition {
    /// Reads a definition from the values of its own fields, by index.
    fn read<'v>(value: impl Fn(usize) -> Option<&'v Value>) -> Self {
        let word = |index| value(index).and_then(Value::as_text);
        let applies_to = word(custom_field::APPLIES_TO);
        let kind = kinds::ALL
            .into_iter()
            .find(|kind| applies_to.is_some() && kind.applies_to_word == applies_to);
        let options = value(custom_field::OPTIONS);
        let mut definition = Self {
            kind: kind.map(|kind| kind.id),
            ty: word(custom_field::TYPE).and_then(CustomType::by_name),
            options: options
                .into_iter()
                .flat_map(Value::members)
                .cloned()
                .collect(),
            required: value(custom_field::REQUIRED)
                .and_then(Value::as_bool)
                .unwrap_or(false),
            default: None,
            is_live: word(custom_field::STATUS).is_none_or(|status| status == "active"),
        };
        // Last, because the default is itself a value of the field and needs its type and options.
        // A default that does not fit is reported by `check_default`.
        let default = value(custom_field::DEFAULT);
        definition.default = default.and_then(|raw| parse(&definition, raw).ok());
        definition
    }

    pub(super) fn of_view(view: ResourceView<'_>) -> Option<Self> {
        (view.key.kind == CUSTOM_FIELD).then(|| Self::read(|index| view.value(index)))
    }

    fn of_declared(declared: &DeclaredResource, row: Option<&Row>) -> Self {
        Self::read(|index| match declared.cell(index) {
            Some(cell @ (Cell::Value(_) | Cell::Amend(_))) => cell.value(),
            Some(Cell::Clear) => None,
            // A manifest without a status declares an active field, even if the stored one is
            // inactive.
            None if index == custom_field::STATUS => None,
            Some(Cell::Blank) | None => row?.value(&kinds::own_field(index)),
        })
    }
}

impl CustomFieldDefinitions {
    /// The active definition of a custom field of a kind.
    pub fn get(&self, kind: KindId, id: &str) -> Option<&CustomFieldDefinition> {
        let definition = self.0.get(id)?;
        // If `appliesTo` is wrong, the field counts for every kind: that mistake is reported once,
        // not again at each resource that has a value.
        let applies = definition.kind.is_none_or(|applies_to| applies_to == kind);
        (definition.is_live && applies).then_some(definition)
    }

    /// The active definitions of a kind, by external id.
    pub fn of_kind(
        &self,
        kind: KindId,
    ) -> impl Iterator<Item = (&CompactText, &CustomFieldDefinition)> {
        self.0
            .iter()
            .filter(move |(_, definition)| definition.is_live && definition.kind == Some(kind))
    }

    pub fn required(
        &self,
        kind: KindId,
    ) -> impl Iterator<Item = (&CompactText, &CustomFieldDefinition)> {
        self.of_kind(kind)
            .filter(|(_, definition)| definition.required)
    }

    /// Returns these custom fields, overridden by those that a source declares.
    #[must_use]
    pub fn with_declared(&self, desired: &Desired, snapshot: &Snapshot) -> Self {
        let mut all = self.0.clone();
        let declared = desired.resources.iter();
        for declared in declared.filter(|declared| declared.key.kind == CUSTOM_FIELD) {
            let row = snapshot.rows.get(&declared.key);
            let mut definition = CustomFieldDefinition::of_declared(declared, row);
            // Without its type or options, any value may be right: no type means no check.
            if unread::hides_values(desired, &declared.key) {
                definition.ty = None;
            }
            all.insert(declared.key.id.clone(), definition);
        }
        Self(all)
    }

    pub(super) fn after_plan(world: &PlannedState<'_>) -> Self {
        let views = world.all_after(CUSTOM_FIELD);
        let read = views
            .filter_map(|view| Some((view.key.id.clone(), CustomFieldDefinition::of_view(view)?)));
        Self(read.collect())
    }
}

/// Returns the stored custom fields, overridden by those that the source declares.
pub fn definitions(desired: &Desired, snapshot: &Snapshot) -> CustomFieldDefinitions {
    let rows = snapshot
        .rows
        .iter()
        .filter(|row| row.key.kind == CUSTOM_FIELD);
    let stored = rows.map(|row| {
        let read = CustomFieldDefinition::read(|index| row.value(&kinds::own_field(index)));
        (row.key.id.clone(), read)
    });
    CustomFieldDefinitions(stored.collect()).with_declared(desired, snapshot)
}

/// Resources that typing changed, by position, and what is wrong with their cells.
type TypedChunk = (Vec<(usize, Arc<DeclaredResource>)>, RuleDiagnostics);

/// Returns the source with every custom cell as a canonical value of its custom field's type. What
/// is wrong with the other cells is added to `found`.
///
/// Both happen in one call because a cell that does not fit is removed from the result: without its
/// diagnostic it would be lost silently. A blank or cleared cell of a required field stays.
/// `as_read` is not changed, because the sources planned before this one may change the
/// definitions.
#[must_use]
pub fn type_custom(
    as_read: &Arc<Desired>,
    definitions: &CustomFieldDefinitions,
    found: &mut RuleDiagnostics,
) -> Arc<Desired> {
    let resources: Vec<&Arc<DeclaredResource>> = as_read.resources.iter().collect();
    // A file that cannot be read may define the field. `unread::fold_unread` then reports one
    // warning for all such values.
    let undefined = unread::may_declare(as_read, CUSTOM_FIELD).is_some();
    let chunks: Vec<TypedChunk> = resources
        .par_chunks(super::CHUNK)
        .enumerate()
        .map(|(chunk, resources)| {
            let (mut typed, mut found) = (Vec::new(), RuleDiagnostics::new());
            for (at, resource) in resources.iter().enumerate() {
                let mut resource = Arc::clone(resource);
                // `partial` means that the source is an export.
                if as_read.partial {
                    without_unknown_blanks(&mut resource, definitions);
                }
                type_resource(&mut resource, definitions, undefined, &mut found);
                // Most resources have no custom cells. They stay shared with `as_read`.
                if !Arc::ptr_eq(&resource, resources[at]) {
                    typed.push((chunk * super::CHUNK + at, resource));
                }
            }
            (typed, found)
        })
        .collect();
    let mut desired = Arc::clone(as_read);
    for (typed, wrong) in chunks {
        // The cell is gone, and a missing cell means "not declared". As a faulty field it still
        // counts as declared, so that its stored value is neither released nor taken over by
        // another source.
        let faulty = manifest::faulty_fields(wrong.iter().map(|finding| &finding.diagnostic));
        if !faulty.is_empty() {
            Arc::make_mut(&mut desired).faulty_fields.extend(faulty);
        }
        found.extend(wrong);
        if !typed.is_empty() {
            let resources = Arc::make_mut(&mut desired)
                .resources
                .iter_mut()
                .into_slice();
            for (at, resource) in typed {
                resources[at] = resource;
            }
        }
    }
    desired
}

/// Removes the blank cells of undefined custom fields from a row of an export. Every row has every
/// column, so a column nobody defined would otherwise be an error in each row.
fn without_unknown_blanks(
    resource: &mut Arc<DeclaredResource>,
    definitions: &CustomFieldDefinitions,
) {
    let kind = resource.key.kind;
    let says_nothing = |stated: &StatedField| match &stated.field {
        FieldRef::Custom(id) => stated.cell == Cell::Blank && definitions.get(kind, id).is_none(),
        FieldRef::Own(_) => false,
    };
    if resource.cells.iter().any(says_nothing) {
        Arc::make_mut(resource)
            .cells
            .retain(|stated| !says_nothing(stated));
    }
}

/// Types the custom cells of one resource. `undefined` allows values without a definition.
fn type_resource(
    resource: &mut Arc<DeclaredResource>,
    definitions: &CustomFieldDefinitions,
    undefined: bool,
    out: &mut RuleDiagnostics,
) {
    if resource.key.kind == CUSTOM_FIELD {
        // A custom field has no custom fields itself, but its default is a value of its own type.
        check_default(resource, definitions, out);
        return;
    }
    let mut index = resource.cells.len();
    // Cells are sorted with the custom ones last. Going backwards, a removal moves no cell that is
    // still to come, and the first own field ends the loop.
    while index > 0 {
        index -= 1;
        let stated = &resource.cells[index];
        let FieldRef::Custom(id) = &stated.field else {
            return;
        };
        match typed(definitions, resource, id, &stated.cell) {
            Ok(None) => {}
            Ok(Some(cell)) => Arc::make_mut(resource).cells[index].cell = cell,
            Err(fault) if undefined && fault.code == codes::CUSTOM_FIELD_UNKNOWN => {}
            Err(fault) => {
                out.push(fault.finding(resource, stated));
                // A blank or `clear:` was understood and is only not allowed. While it stays, rules
                // see that the field was stated and do not report it a second time.
                let stays = fault.code == codes::CUSTOM_FIELD_REQUIRED;
                if !stays {
                    Arc::make_mut(resource).cells.remove(index);
                }
            }
        }
    }
}

/// Returns the typed cell, or `None` if it stays as it is.
fn typed(
    definitions: &CustomFieldDefinitions,
    resource: &DeclaredResource,
    id: &CompactText,
    cell: &Cell,
) -> Result<Option<Cell>, CustomValueError> {
    let kind = resource.key.kind;
    let Some(definition) = definitions.get(kind, id) else {
        return Err(unknown(definitions, kind, id));
    };
    match cell {
        Cell::Blank if definition.required => Err(CustomValueError::new(
            codes::CUSTOM_FIELD_REQUIRED,
            format!("required custom field `{id}` cannot be blank"),
            "Write a value. To keep the stored one, leave the field out",
        )),
        Cell::Clear if definition.required => Err(CustomValueError::new(
            codes::CUSTOM_FIELD_REQUIRED,
            format!("required custom field `{id}` cannot be cleared"),
            format!("Remove `customFields.{id}` from `clear:`, or write a value"),
        )),
        Cell::Blank | Cell::Clear | Cell::Amend(_) => Ok(None),
        // `[]` and `clear:` mean the same. With one form, the diff and the digests agree as well.
        Cell::Value(raw) if raw.is_empty_list() && !definition.required => Ok(Some(Cell::Clear)),
        Cell::Value(raw) => {
            let value = parse(definition, raw)?;
            Ok((value != *raw).then_some(Cell::Value(value)))
        }
    }
}

fn unknown(
    definitions: &CustomFieldDefinitions,
    kind: KindId,
    id: &CompactText,
) -> CustomValueError {
    let known = definitions.of_kind(kind).map(|(id, _)| id.as_str());
    let kind_name = kinds::get(kind).name;
    // "Not defined" would send somebody looking for a typo who only has to activate the field or
    // change `appliesTo`.
    let why = match definitions.0.get(id) {
        Some(definition) if !definition.is_live => "is not active".to_owned(),
        Some(definition) => {
            let applies_to = definition
                .kind
                .map_or("nothing", |kind| kinds::get(kind).name);
            format!("applies to {applies_to}, not to {kind_name}")
        }
        None => format!("is not defined for {kind_name}"),
    };
    let help = match did_you_mean(id, known) {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None => "Define it as a CustomField, correct the name, or check `appliesTo`".to_owned(),
    };
    let message = format!("custom field `{id}` {why}");
    CustomValueError::new(codes::CUSTOM_FIELD_UNKNOWN, message, help)
}

fn check_default(
    resource: &mut Arc<DeclaredResource>,
    definitions: &CustomFieldDefinitions,
    out: &mut RuleDiagnostics,
) {
    let field = kinds::own_field(custom_field::DEFAULT);
    let Some(definition) = definitions.0.get(&resource.key.id) else {
        return;
    };
    let Some(stated) = resource.stated(&field) else {
        return;
    };
    let Cell::Value(raw) = &stated.cell else {
        return;
    };
    if let Err(fault) = parse(definition, raw) {
        out.push(fault.finding(resource, stated));
        // Removed like any other cell that does not fit, so that it is never stored.
        let resource = Arc::make_mut(resource);
        resource.cells.retain(|stated| stated.field != field);
    }
}

impl CustomValueError {
    fn new(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: help.into(),
        }
    }

    fn finding(&self, resource: &DeclaredResource, stated: &StatedField) -> RuleDiagnostic {
        let key = &resource.key;
        let diagnostic = Diagnostic::new(self.code, self.message.as_str())
            .help(self.help.as_str())
            .for_resource(key)
            .field(kinds::get(key.kind).field_name(&stated.field))
            .at(Origin {
                path: resource.path.clone(),
                at: stated.position,
            });
        let definition = match &stated.field {
            // The value depends on its definition: if that is held, so is the value.
            FieldRef::Custom(id) => vec![Key::new(CUSTOM_FIELD, id)],
            FieldRef::Own(_) => Vec::new(),
        };
        RuleDiagnostic {
            diagnostic,
            identifying_text: None,
            involves: definition,
            unread: None,
            setting: None,
            at_run_time: false,
            of_row: false,
        }
    }
}
