//! Writes a directory as an export that a mapping reads, by inverting the mapping.
//!
//! ```text
//!  rows → units ─place→ drafts ─prove (read again)→ CSV, JSON
//! ```
//!
//! A mapping says how a field is built from columns; inverted, it says what the columns must hold.
//! Some mappings cannot be inverted, so everything is read again before it is written: a field that
//! would read as something else is left out, and every omission is counted and reported. Start
//! reading at `write`; `row_placer.rs` builds rows, `proof.rs` checks them.

mod addresses;
mod draft;
mod export_unit;
mod invert;
mod layout;
mod loss;
mod proof;
mod row_placer;
#[cfg(test)]
mod tests;
mod writer;

pub use layout::WriteFormat;
pub use loss::{LossReason, LossSummary};

use super::format::ExportFormat;
use super::mapping::Mapping;
use crate::kinds::{self, ADDRESS};
use crate::model::{CompactText, FieldRef, Key, KeyedList, KindId, Row, SmallMap, Value};
use export_unit::ExportUnit;
use layout::ExportLayout;
use loss::ExportLoss;
use row_placer::RowPlacer;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use writer::ExportWriter;

/// How many resources are read again at once. A batch that is sound needs one reading; if it is
/// not, each resource is read alone.
const BATCH: usize = 256;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DirectoryChanges {
    /// Every resource that changed or was deleted.
    pub keys: BTreeSet<Key>,
    /// The addresses that accounts had, by account.
    pub unlinked: BTreeMap<Key, BTreeSet<CompactText>>,
}

#[derive(Debug, Default)]
pub struct WriteSummary {
    /// The number of rows or objects.
    pub records: u64,
    /// What could not be written.
    pub losses: LossSummary,
}

/// Returns an error if the mapping is for another format.
pub fn check_format(mapping: &Mapping, form: WriteFormat) -> Result<(), String> {
    match mapping.format {
        Some(ExportFormat::Xlsx) => Err(format!(
            "{} reads XLSX, but Roster writes only CSV and JSON; remove `format: xlsx` from the mapping",
            mapping.name
        )),
        Some(ExportFormat::Csv) if form.is_json() => Err(format!("{} is CSV", mapping.name)),
        Some(ExportFormat::Json | ExportFormat::Jsonl) if !form.is_json() => {
            Err(format!("{} is JSON", mapping.name))
        }
        _ => Ok(()),
    }
}

/// Writes what is stored, or only what changed, sorted by key.
pub fn write(
    mapping: &Mapping,
    form: WriteFormat,
    rows: &KeyedList<Row>,
    changed: Option<&DirectoryChanges>,
    out: &mut dyn Write,
) -> io::Result<WriteSummary> {
    let layout = ExportLayout::new(mapping, form, rows);
    let place = RowPlacer {
        layout: &layout,
        rows,
    };
    let mut written = WriteSummary::default();
    let mut out = ExportWriter::begin(&layout, out)?;
    let kinds: BTreeSet<KindId> = mapping
        .sections
        .iter()
        .map(|section| section.kind.id)
        .collect();
    for kind in kinds {
        let mut units = units(kind, rows, changed).into_iter().peekable();
        while units.peek().is_some() {
            let mut part: Vec<ExportUnit<'_>> = units.by_ref().take(BATCH).collect();
            place.prove(&mut part);
            for unit in part {
                for draft in &unit.drafts {
                    out.row(draft)?;
                }
                written.losses.add(unit.losses);
            }
        }
    }
    // Changes name their addresses by account, so only a full export can tell which ones no account
    // has.
    if changed.is_none()
        && mapping
            .sections
            .iter()
            .any(|section| !section.blocks.is_empty())
    {
        written.losses.add(orphaned_addresses(rows));
    }
    written.records = out.end()?;
    Ok(written)
}

/// The resources of a kind to write, sorted by key.
fn units<'a>(
    kind: KindId,
    rows: &'a KeyedList<Row>,
    changed: Option<&DirectoryChanges>,
) -> Vec<ExportUnit<'a>> {
    let mut stored: Vec<&Row> = rows.iter().filter(|row| row.key.kind == kind).collect();
    stored.sort_by(|a, b| a.key.cmp(&b.key));
    let Some(changed) = changed else {
        let whole = |row| ExportUnit::new(Cow::Borrowed(row), false, Vec::new());
        return stored.into_iter().map(whole).collect();
    };
    // An account is also written if only one of its addresses changed, because addresses have no
    // rows of their own.
    let touched = |row: &&Row| {
        let has = |id: &CompactText| changed.keys.contains(&Key::new(ADDRESS, id));
        changed.keys.contains(&row.key) || linked(row).any(has)
    };
    let mut units: Vec<ExportUnit<'a>> = stored
        .into_iter()
        .filter(touched)
        .map(|row| {
            let gone = changed.unlinked.get(&row.key).into_iter().flatten();
            // An address that was removed and added again is current.
            let gone = gone
                .filter(|id| !linked(row).any(|has| has == *id))
                .cloned();
            ExportUnit::new(Cow::Borrowed(row), false, gone.collect())
        })
        .collect();
    let gone = changed
        .keys
        .iter()
        .filter(|key| key.kind == kind && !rows.contains(key));
    units.extend(gone.map(|key| ExportUnit::new(Cow::Owned(deleted_row(key)), true, Vec::new())));
    units.sort_by(|a, b| a.row.key.cmp(&b.row.key));
    units
}

fn linked(row: &Row) -> impl Iterator<Item = &CompactText> {
    let kind = kinds::get(row.key.kind);
    let targets = kind.references().filter(|(_, target)| *target == ADDRESS);
    let values = targets.filter_map(|(index, _)| row.values[index].as_ref());
    values.flat_map(Value::members)
}

/// Returns what is known of a deleted resource: its key, and that it is deleted.
fn deleted_row(key: &Key) -> Row {
    let kind = kinds::get(key.kind);
    let mut row = Row {
        key: key.clone(),
        version: 0,
        values: vec![None; kind.fields.len()],
        custom_values: SmallMap::default(),
        facts: SmallMap::default(),
    };
    let status = FieldRef::Own(u8::try_from(kind.status_index()).unwrap_or_default());
    row.set(&status, Some(Value::text("deleted")));
    row
}

/// Returns the addresses that no account has.
fn orphaned_addresses(rows: &KeyedList<Row>) -> BTreeSet<ExportLoss> {
    let linked: BTreeSet<&CompactText> = rows.iter().flat_map(linked).collect();
    let addresses = rows.iter().filter(|row| row.key.kind == ADDRESS);
    let alone = addresses.filter(|row| !linked.contains(&row.key.id));
    let loss = |row: &Row| ExportLoss {
        key: row.key.clone(),
        field: None,
        why: LossReason::Orphaned,
    };
    alone.map(loss).collect()
}
