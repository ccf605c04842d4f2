//! Custom cells become canonical values by the definition of their custom field.

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

/// What a custom field is a field of, and what its values are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CustomFieldDefinition {
    /// The kind it applies to; `None` when that is said wrongly, which is reported elsewhere.
    pub kind: Option<KindId>,
    /// The type of its values; `None` when that is said wrongly.
    pub ty: Option<CustomType>,
    /// The values of a list to choose from, in their order.
    pub options: Vec<CompactText>,
    /// Whether every resource must have a value.
    pub required: bool,
    /// The canonical value that stands in for a missing one.
    pub default: Option<Value>,
    /// Whether it is in use.
    pub is_live: bool,
}

/// The custom fields that there are, by external id.
#[derive(Clone, Default, Debug)]
pub struct CustomFieldDefinitions(BTreeMap<CompactText, CustomFieldDefinition>);

impl CustomFieldDefinition {
    /// The definition whose own fields have these values, by index.
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
        let default = value(custom_field::DEFAULT);
        definition.default = default.and_then(|raw| parse(&definition, raw).ok());
        definition
    }

    /// The definition that a resource would be.
    pub(super) fn of_view(view: ResourceView<'_>) -> Option<Self> {
        (view.key.kind == CUSTOM_FIELD).then(|| Self::read(|index| view.value(index)))
    }

    fn of_declared(declared: &DeclaredResource, row: Option<&Row>) -> Self {
        Self::read(|index| match declared.cell(index) {
            Some(cell @ (Cell::Value(_) | Cell::Amend(_))) => cell.value(),
            Some(Cell::Clear) => None,
            // A manifest that says nothing of its status says active.
            None if index == custom_field::STATUS => None,
            Some(Cell::Blank) | None => row?.value(&kinds::own_field(index)),
        })
    }
}

impl CustomFieldDefinitions {
    /// The definition in use of a custom field of a kind.
    pub fn get(&self, kind: KindId, id: &str) -> Option<&CustomFieldDefinition> {
        let definition = self.0.get(id)?;
        let applies = definition.kind.is_none_or(|applies_to| applies_to == kind);
        (definition.is_live && applies).then_some(definition)
    }

    /// The definitions in use of a kind, by external id.
    pub fn of_kind(
        &self,
        kind: KindId,
    ) -> impl Iterator<Item = (&CompactText, &CustomFieldDefinition)> {
        self.0
            .iter()
            .filter(move |(_, definition)| definition.is_live && definition.kind == Some(kind))
    }

    /// Those of them that every resource must have.
    pub fn required(
        &self,
        kind: KindId,
    ) -> impl Iterator<Item = (&CompactText, &CustomFieldDefinition)> {
        self.of_kind(kind)
            .filter(|(_, definition)| definition.required)
    }

    /// These custom fields, and over them those that a source declares.
    #[must_use]
    pub fn with_declared(&self, desired: &Desired, snapshot: &Snapshot) -> Self {
        let mut all = self.0.clone();
        let declared = desired.resources.iter();
        for declared in declared.filter(|declared| declared.key.kind == CUSTOM_FIELD) {
            let row = snapshot.rows.get(&declared.key);
            let mut definition = CustomFieldDefinition::of_declared(declared, row);
            if unread::hides_values(desired, &declared.key) {
                definition.ty = None;
            }
            all.insert(declared.key.id.clone(), definition);
        }
        Self(all)
    }

    /// The custom fields as they would be after the plan.
    pub(super) fn after_plan(world: &PlannedState<'_>) -> Self {
        let views = world.all_after(CUSTOM_FIELD);
        let read = views
            .filter_map(|view| Some((view.key.id.clone(), CustomFieldDefinition::of_view(view)?)));
        Self(read.collect())
    }
}

/// The custom fields that the source declares, and the stored ones beside them.
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

/// What became other by typing, by its place, and what was found.
type TypedChunk = (Vec<(usize, Arc<DeclaredResource>)>, RuleDiagnostics);

/// Returns the source with every custom cell as a canonical value of its custom field's type, and
/// adds what is wrong with the others to `found`: no caller gets the one without the other.
///
/// Cells that cannot be typed are taken out; a blank or cleared cell of a required field stays.
/// `as_read` is left as it is, so that other definitions can type it anew.
#[must_use]
pub fn type_custom(
    as_read: &Arc<Desired>,
    definitions: &CustomFieldDefinitions,
    found: &mut RuleDiagnostics,
) -> Arc<Desired> {
    let resources: Vec<&Arc<DeclaredResource>> = as_read.resources.iter().collect();
    // What cannot be read may define it: a rule says so of all at once.
    let undefined = unread::may_declare(as_read, CUSTOM_FIELD).is_some();
    let chunks: Vec<TypedChunk> = resources
        .par_chunks(super::CHUNK)
        .enumerate()
        .map(|(chunk, resources)| {
            let (mut typed, mut found) = (Vec::new(), RuleDiagnostics::new());
            for (at, resource) in resources.iter().enumerate() {
                let mut resource = Arc::clone(resource);
                if as_read.partial {
                    without_unknown_blanks(&mut resource, definitions);
                }
                type_resource(&mut resource, definitions, undefined, &mut found);
                if !Arc::ptr_eq(&resource, resources[at]) {
                    typed.push((chunk * super::CHUNK + at, resource));
                }
            }
            (typed, found)
        })
        .collect();
    let mut desired = Arc::clone(as_read);
    for (typed, wrong) in chunks {
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

/// Of an export, which has each column in each row, a blank of a custom field that nobody defined says
/// nothing.
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

/// `undefined`: whether a value may have no definition.
fn type_resource(
    resource: &mut Arc<DeclaredResource>,
    definitions: &CustomFieldDefinitions,
    undefined: bool,
    out: &mut RuleDiagnostics,
) {
    if resource.key.kind == CUSTOM_FIELD {
        check_default(resource, definitions, out);
        return;
    }
    let mut index = resource.cells.len();
    // From the end, where custom cells stand, so that taking one out moves none still to come.
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
                let stays = fault.code == codes::CUSTOM_FIELD_REQUIRED;
                if !stays {
                    Arc::make_mut(resource).cells.remove(index);
                }
            }
        }
    }
}

/// What a cell becomes; `None`: it stays as it is.
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
            FieldRef::Custom(id) => vec![Key::new(CUSTOM_FIELD, id)],
            FieldRef::Own(_) => Vec::new(),
        };
        RuleDiagnostic {
            diagnostic,
            identifying_text: None,
            involves: definition,
            unread: None,
            setting: None,
        }
    }
}
