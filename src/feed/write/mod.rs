//! A directory written as an export that a mapping reads: the mapping turned round.
//!
//! ```text
//!  rows → units ─place→ drafts ─prove (read again)→ CSV, JSON
//! ```
//!
//! A mapping says how a field is made of columns; turned round it says what the columns have to hold.
//! Not everything can be turned round. So what is written is read again before it goes out: a field
//! that would read as something else is left out, and all that is left out is counted and said.

mod addresses;
mod draft;
mod invert;
mod layout;
mod lost;
mod out;
mod place;
mod proof;
#[cfg(test)]
mod tests;
mod unit;

pub use lost::{Losses, Why};

use super::format::Format;
use super::mapping::Mapping;
use crate::kinds::{self, ADDRESS};
use crate::model::{FieldRef, Key, Keyed, KindId, Row, SmallMap, Text, Value};
use layout::Layout;
use lost::Loss;
use out::Out;
use place::Place;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use unit::Unit;

/// How many resources are read again at once.
const PART: usize = 256;

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Rows of cells.
    Csv {
        /// Under the labels of the columns, where they have any, instead of their names.
        labels: bool,
    },
    /// A list of objects.
    Json,
}

impl Form {
    /// Whether it is a list of objects.
    #[must_use]
    pub fn is_json(self) -> bool {
        self == Self::Json
    }
}

/// What of a directory changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changed {
    /// Every resource that changed, or is gone.
    pub keys: BTreeSet<Key>,
    /// The addresses that an account had, by the account.
    pub unlinked: BTreeMap<Key, BTreeSet<Text>>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Written {
    /// How many rows or objects.
    pub records: u64,
    /// What is not among them.
    pub losses: Losses,
}

/// That a mapping is not of this form.
///
/// # Errors
/// Which form it is of.
pub fn check(mapping: &Mapping, form: Form) -> Result<(), String> {
    match mapping.format {
        Some(Format::Xlsx) => Err(format!(
            "{} reads XLSX, and Roster writes CSV and JSON: take `format: xlsx` out of the mapping",
            mapping.name
        )),
        Some(Format::Csv) if form.is_json() => Err(format!("{} is CSV", mapping.name)),
        Some(Format::Json | Format::Jsonl) if !form.is_json() => {
            Err(format!("{} is JSON", mapping.name))
        }
        _ => Ok(()),
    }
}

/// Writes what is stored, or what of it changed, as the export that a mapping reads, sorted by key.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(
    mapping: &Mapping,
    form: Form,
    rows: &Keyed<Row>,
    changed: Option<&Changed>,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let layout = Layout::new(mapping, form, rows);
    let place = Place {
        layout: &layout,
        rows,
    };
    let mut written = Written::default();
    let mut out = Out::begin(&layout, out)?;
    let kinds: BTreeSet<KindId> = mapping
        .sections
        .iter()
        .map(|section| section.kind.id)
        .collect();
    for kind in kinds {
        let mut units = units(kind, rows, changed).into_iter().peekable();
        while units.peek().is_some() {
            let mut part: Vec<Unit<'_>> = units.by_ref().take(PART).collect();
            place.prove(&mut part);
            for unit in part {
                for draft in &unit.drafts {
                    out.row(draft)?;
                }
                written.losses.add(unit.losses);
            }
        }
    }
    if changed.is_none()
        && mapping
            .sections
            .iter()
            .any(|section| !section.blocks.is_empty())
    {
        written.losses.add(alone(rows));
    }
    written.records = out.end()?;
    Ok(written)
}

/// The resources of a kind that are to be written, sorted.
fn units<'a>(kind: KindId, rows: &'a Keyed<Row>, changed: Option<&Changed>) -> Vec<Unit<'a>> {
    let mut stored: Vec<&Row> = rows.iter().filter(|row| row.key.kind == kind).collect();
    stored.sort_by(|a, b| a.key.cmp(&b.key));
    let Some(changed) = changed else {
        let whole = |row| Unit::new(Cow::Borrowed(row), false, Vec::new());
        return stored.into_iter().map(whole).collect();
    };
    let touched = |row: &&Row| {
        let has = |id: &Text| changed.keys.contains(&Key::new(ADDRESS, id));
        changed.keys.contains(&row.key) || linked(row).any(has)
    };
    let mut units: Vec<Unit<'a>> = stored
        .into_iter()
        .filter(touched)
        .map(|row| {
            let gone = changed.unlinked.get(&row.key).into_iter().flatten();
            let gone = gone
                .filter(|id| !linked(row).any(|has| has == *id))
                .cloned();
            Unit::new(Cow::Borrowed(row), false, gone.collect())
        })
        .collect();
    let gone = changed
        .keys
        .iter()
        .filter(|key| key.kind == kind && !rows.contains(key));
    units.extend(gone.map(|key| Unit::new(Cow::Owned(deleted(key)), true, Vec::new())));
    units.sort_by(|a, b| a.row.key.cmp(&b.row.key));
    units
}

/// The addresses of an account.
fn linked(row: &Row) -> impl Iterator<Item = &Text> {
    let kind = kinds::get(row.key.kind);
    let targets = kind.references().filter(|(_, target)| *target == ADDRESS);
    let values = targets.filter_map(|(index, _)| row.values[index].as_ref());
    values.flat_map(Value::members)
}

/// What is left of a deleted resource.
fn deleted(key: &Key) -> Row {
    let kind = kinds::get(key.kind);
    let mut row = Row {
        key: key.clone(),
        version: 0,
        values: vec![None; kind.fields.len()],
        custom: SmallMap::default(),
        facts: SmallMap::default(),
    };
    let status = FieldRef::Own(u8::try_from(kind.status_index()).unwrap_or_default());
    row.set(&status, Some(Value::text("deleted")));
    row
}

/// The addresses that no account has.
fn alone(rows: &Keyed<Row>) -> BTreeSet<Loss> {
    let linked: BTreeSet<&Text> = rows.iter().flat_map(linked).collect();
    let addresses = rows.iter().filter(|row| row.key.kind == ADDRESS);
    let alone = addresses.filter(|row| !linked.contains(&row.key.id));
    let loss = |row: &Row| Loss {
        key: row.key.clone(),
        field: None,
        why: Why::Alone,
    };
    alone.map(loss).collect()
}
