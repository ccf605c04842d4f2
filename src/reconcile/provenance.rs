//! Explains who set each field of a resource, from where, and what that overruled. In go a key, the
//! history and the sources; out comes a [`ResourceProvenance`]. Start reading at [`provenance`].

use super::declared_value::{DeclaredValue, StoredField};
use super::incremental_read;
use super::source_reading::SourceReading;
use super::value_setter::ValueSetter;
use crate::check;
use crate::config::Config;
use crate::document::{
    FieldOriginDocument, OriginDocument, ProvenanceClaimDocument, ProvenanceDocument,
    StatementDocument,
};
use crate::kinds::{self, CUSTOM_FIELD};
use crate::model::digest::short_digest;
use crate::model::{
    Cell, Claim, ClaimState, DeclaredResource, FieldRef, Key, LineColumn, Snapshot, StatedField,
};
use crate::store::{ChangeRecord, Store, StoreError, StoredResource};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The origin of the stored state of a resource.
#[derive(Clone, PartialEq, Debug)]
pub struct ResourceProvenance {
    pub key: Key,
    /// The version of its row; `None` when it is no longer stored.
    pub version: Option<i64>,
    /// Whether the row differs from what any run of Roster left.
    pub changed_elsewhere: bool,
    /// Every source that claims or declares it.
    pub sources: Vec<SourceStatement>,
    /// Its fields, in the order of the table of kinds.
    pub fields: Vec<FieldProvenance>,
}

/// One source: what it last applied, and what it says now.
#[derive(Clone, PartialEq, Debug)]
pub struct SourceStatement {
    pub source: Arc<str>,
    /// What its last apply recorded.
    pub claim: Option<Claim>,
    /// What it declares now, if it is configured and could be read.
    pub declared: Option<Arc<DeclaredResource>>,
}

/// The origin of the stored value of one field.
#[derive(Clone, PartialEq, Debug)]
pub struct FieldProvenance {
    /// Its name as in plans.
    pub name: String,
    pub value: Option<Value>,
    pub set_by: ValueSetter,
    /// What is declared instead of the stored value, if somebody changed it outside Roster.
    pub declared_instead: Option<DeclaredValue>,
    /// What each source says of it, in the order of `sources`.
    pub statements: Vec<FieldStatement>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum FieldStatement {
    Nothing,
    /// The stored value.
    Stored,
    /// Another value than the stored one, with its place if the source could be read.
    Different(Option<(Value, LineColumn)>),
}

/// The origin of a resource; `None` for one that is not stored and never was. Without a
/// configuration no source is read, and only claims are known.
pub async fn provenance(
    config: Option<&Config>,
    store: &Store,
    key: &Key,
) -> Result<Option<ResourceProvenance>, StoreError> {
    let record = store.record(key).await?;
    let history = store.last_changes(key).await?;
    if record.is_none() && history.is_empty() {
        return Ok(None);
    }
    let stored = Snapshot {
        rows: store.list(CUSTOM_FIELD).await?.into_iter().collect(),
        ..Snapshot::default()
    };
    let mut readings = match config {
        Some(config) => incremental_read::read_naming(config, store, key).await?,
        None => Vec::new(),
    };
    for reading in &mut readings {
        // Faulty custom values are for `validate` to report.
        let definitions = check::definitions(&reading.as_read, &stored);
        reading.desired = check::type_custom(&reading.as_read, &definitions, &mut Vec::new());
    }
    let voices = collect_statements(key, record.as_ref(), &readings);
    Ok(Some(ResourceProvenance::of(
        key,
        record.as_ref(),
        &history,
        voices,
    )))
}

/// The sources with a claim, then those that declare the resource and were not applied yet.
fn collect_statements(
    key: &Key,
    record: Option<&StoredResource>,
    readings: &[SourceReading],
) -> Vec<SourceStatement> {
    let declared = |source: &str| {
        let mut readings = readings.iter();
        let reading = readings.find(|reading| *reading.source.name == *source)?;
        reading.desired.resources.get(key).cloned()
    };
    let claims = record
        .into_iter()
        .flat_map(|record| record.claims.iter().cloned());
    let mut voices: Vec<SourceStatement> = claims
        .map(|claim| SourceStatement {
            source: claim.source.clone(),
            declared: declared(&claim.source),
            claim: Some(claim),
        })
        .collect();
    for reading in readings {
        let source = &reading.source.name;
        if let Some(declared) = declared(source)
            && voices.iter().all(|voice| voice.source != *source)
        {
            voices.push(SourceStatement {
                source: source.clone(),
                claim: None,
                declared: Some(declared),
            });
        }
    }
    voices
}

/// Every field that is stored, was changed or is declared.
fn fields(
    key: &Key,
    record: Option<&StoredResource>,
    history: &[ChangeRecord],
    voices: &[SourceStatement],
) -> BTreeSet<FieldRef> {
    let kind = kinds::get(key.kind);
    let own = (0..kind.fields.len()).map(kinds::own_field);
    let custom = record
        .iter()
        .flat_map(|record| record.row.custom_values.keys().cloned());
    let stored = own.chain(custom.map(FieldRef::Custom)).filter(|field| {
        let value = record.and_then(|record| record.row.value(field));
        value.is_some_and(|value| !value.is_empty_list())
    });
    let changed = history
        .iter()
        .flat_map(|change| change.fields.keys().map(String::as_str));
    let claims = voices.iter().filter_map(|voice| voice.claim.as_ref());
    let claimed = claims.flat_map(|claim| claim.fields.fields());
    let named = changed
        .chain(claimed)
        .filter_map(|name| kind.field_ref(name));
    let declared = voices.iter().filter_map(|voice| voice.declared.as_ref());
    let declared = declared.flat_map(|declared| declared.cells.iter());
    let declared = declared.filter(|stated| says_something(stated));
    let declared = declared.map(|stated| stated.field.clone());
    stored.chain(named).chain(declared).collect()
}

/// Whether a cell says anything: a blank one only clears custom fields.
fn says_something(stated: &StatedField) -> bool {
    stated.field.own().is_none() || stated.cell != Cell::Blank
}

impl SourceStatement {
    /// What the source says of a field: by its declaration, or else by the digests of its claim.
    fn statement_of(
        &self,
        name: &str,
        field: &FieldRef,
        record: Option<&StoredResource>,
    ) -> FieldStatement {
        let stored = record.and_then(|record| record.row.value(field));
        if let Some(declared) = &self.declared {
            let stated = declared
                .stated(field)
                .filter(|stated| says_something(stated));
            return stated.map_or(FieldStatement::Nothing, |stated| {
                match stated.cell.value() {
                    _ if matches!(&stated.cell, Cell::Amend(amend) if amend.holds(stored)) => {
                        FieldStatement::Stored
                    }
                    said if said == stored => FieldStatement::Stored,
                    said => {
                        let field = kinds::get(declared.key.kind).field(field);
                        let said = said.map(|said| kinds::json::value(field, said));
                        FieldStatement::Different(Some((said.unwrap_or_default(), stated.position)))
                    }
                }
            });
        }
        let claim = self.claim.as_ref();
        let claim = claim.filter(|claim| claim.state == ClaimState::Active);
        let Some(digest) = claim.and_then(|claim| claim.fields.get(name)) else {
            return FieldStatement::Nothing;
        };
        // A digest has no value to show, but it can be compared with the stored one.
        let same = match stored {
            Some(value) => digest == short_digest(&Cell::Value(value.clone())),
            None => [Cell::Blank, Cell::Clear]
                .iter()
                .any(|cell| digest == short_digest(cell)),
        };
        if same {
            FieldStatement::Stored
        } else {
            FieldStatement::Different(None)
        }
    }

    /// The place where the resource is declared, or was when it was last applied.
    #[must_use]
    pub fn place(&self) -> Option<(&str, LineColumn)> {
        let now = self.declared.as_ref();
        let now = now.map(|declared| (&*declared.path, declared.position));
        let then = self.claim.as_ref();
        now.or_else(|| then.map(|claim| (&*claim.path, claim.position)))
    }

    /// Whether its last apply saw the row as it is now.
    #[must_use]
    pub fn has_seen(&self, version: Option<i64>) -> bool {
        let claim = self.claim.as_ref();
        claim.is_some_and(|claim| version == Some(claim.seen_version))
    }

    fn document(&self, version: Option<i64>) -> ProvenanceClaimDocument {
        let claim = self.claim.as_ref();
        let place = self.place();
        ProvenanceClaimDocument {
            source: self.source.to_string(),
            state: claim.map_or("unapplied", |claim| claim.state.word()).into(),
            current: self.has_seen(version),
            origin: place.map(|(path, at)| OriginDocument::new(path, at).into_owned()),
            revision: claim.map(|claim| claim.revision.to_string()),
        }
    }
}

impl FieldProvenance {
    /// Whether some source says the stored value. Then the others are overruled; otherwise they
    /// wait for an apply.
    #[must_use]
    pub fn is_declared(&self) -> bool {
        self.statements.contains(&FieldStatement::Stored)
    }

    fn document(&self, voices: &[SourceStatement]) -> FieldOriginDocument {
        let said = || voices.iter().zip(&self.statements);
        let stored = said().filter(|(_, said)| **said == FieldStatement::Stored);
        let otherwise = said().filter_map(|(voice, said)| match said {
            FieldStatement::Different(what) => Some((voice, what)),
            _ => None,
        });
        let otherwise = otherwise.map(|(voice, what)| {
            let place = voice.place().zip(what.as_ref());
            StatementDocument {
                source: voice.source.to_string(),
                value: what.as_ref().map(|(value, _)| value.clone()),
                origin: place
                    .map(|((path, _), (_, at))| OriginDocument::new(path, *at).into_owned()),
            }
        });
        let otherwise = otherwise.collect();
        let (overruled, waiting) = if self.is_declared() {
            (otherwise, Vec::new())
        } else {
            (Vec::new(), otherwise)
        };
        let [set_by, default_by, adopted_by] = self.set_by.documents();
        FieldOriginDocument {
            field: self.name.clone(),
            value: self.value.clone(),
            set_by,
            default_by,
            adopted_by,
            changed_elsewhere: self.declared_instead.is_some(),
            declared_by: stored.map(|(voice, _)| voice.source.to_string()).collect(),
            overruled,
            waiting,
        }
    }
}

impl ResourceProvenance {
    /// Puts together the stored row, the changes that matter (newest first) and the sources.
    fn of(
        key: &Key,
        record: Option<&StoredResource>,
        history: &[ChangeRecord],
        voices: Vec<SourceStatement>,
    ) -> Self {
        let version = record.map(|record| record.row.version);
        let kind = kinds::get(key.kind);
        // A run of Roster leaves the version that its claim has seen, and moves the claims that
        // agree.
        let seen = voices.iter().any(|voice| voice.has_seen(version));
        let written = voices.iter().any(|voice| voice.claim.is_some())
            || version.is_some_and(|version| version < 0);
        let changed_elsewhere = version.is_some() && written && !seen;
        let claims: Vec<&Claim> = voices
            .iter()
            .filter_map(|voice| voice.claim.as_ref())
            .collect();
        let fields = fields(key, record, history, &voices).into_iter();
        let fields = fields.map(|field| {
            let name = kind.field_name(&field);
            let set_by = ValueSetter::of(&name, &field, record, history);
            let declared_instead = record.and_then(|record| {
                let stored = StoredField {
                    name: &name,
                    field: kind.field(&field),
                    value: record.row.value(&field),
                    set_by: &set_by,
                    history,
                    is_row_changed: changed_elsewhere,
                };
                stored.declared_instead(&claims)
            });
            FieldProvenance {
                declared_instead,
                statements: voices
                    .iter()
                    .map(|voice| voice.statement_of(&name, &field, record))
                    .collect(),
                set_by,
                value: record.and_then(|record| kinds::json::stored(&record.row, &field)),
                name,
            }
        });
        let fields = fields.collect();
        Self {
            key: key.clone(),
            version,
            changed_elsewhere,
            fields,
            sources: voices,
        }
    }

    /// Keeps only one field or a group of fields; returns whether there is any.
    pub fn retain_field(&mut self, name: &str) -> bool {
        self.fields.retain(|field| {
            let rest = field.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        !self.fields.is_empty()
    }
}

impl From<&ResourceProvenance> for ProvenanceDocument {
    fn from(told: &ResourceProvenance) -> Self {
        let claims = told.sources.iter();
        let fields = told.fields.iter();
        Self {
            kind: told.key.kind,
            external_id: told.key.id.to_string(),
            version: told.version,
            changed_elsewhere: told.changed_elsewhere,
            claims: claims.map(|voice| voice.document(told.version)).collect(),
            fields: fields.map(|field| field.document(&told.sources)).collect(),
        }
    }
}
