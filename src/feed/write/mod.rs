//! Writes a directory as an export that a mapping reads, by inverting the mapping.
//!
//! ```text
//!  pages of rows → units ─place→ drafts ─prove (read again)→ CSV, JSON
//! ```
//!
//! A mapping says how a field is built from columns; inverted, it says what the columns must hold.
//! Some mappings cannot be inverted, so everything is read again before it is written: a field that
//! would read as something else is left out, and every omission is counted and reported. A page is
//! written and forgotten before the next one, so a directory of any size needs the memory of one
//! page. Start reading at `DirectoryWriter`; `row_placer.rs` builds rows, `proof.rs` checks them.

mod addresses;
mod custom_fields;
mod draft;
mod export_unit;
mod invert;
mod layout;
mod loss;
mod page;
#[cfg(test)]
mod paging_tests;
mod proof;
mod row_placer;
#[cfg(test)]
mod test_pages;
#[cfg(test)]
mod tests;
mod writer;

pub use custom_fields::CustomFieldsInUse;
pub use layout::WriteFormat;
pub use loss::{LossReason, LossSummary};
pub use page::ExportPage;

use super::format::ExportFormat;
use super::mapping::Mapping;
use crate::kinds::{self, ADDRESS};
use crate::model::{CompactText, FieldRef, Key, KindId, Row, SmallMap, Value};
use export_unit::ExportUnit;
use layout::ExportLayout;
use loss::ExportLoss;
use page::linked_addresses;
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

impl DirectoryChanges {
    /// The changed resources of a kind, sorted.
    pub fn of_kind(&self, kind: KindId) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| key.kind == kind)
    }
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

/// The kinds that a mapping reads, in the order in which they are written.
#[must_use]
pub fn written_kinds(mapping: &Mapping) -> BTreeSet<KindId> {
    let sections = mapping.sections.iter();
    sections.map(|section| section.kind.id).collect()
}

/// The kinds whose custom fields have columns that are named after them.
#[must_use]
pub fn kinds_with_custom_columns(mapping: &Mapping) -> BTreeSet<KindId> {
    let sections = mapping.sections.iter();
    let sections = sections.filter(|section| section.custom_prefix.is_some());
    sections.map(|section| section.kind.id).collect()
}

/// Whether the rows of accounts have their addresses.
#[must_use]
pub fn writes_addresses(mapping: &Mapping) -> bool {
    let mut sections = mapping.sections.iter();
    sections.any(|section| !section.blocks.is_empty())
}

/// Writes what is stored, or only what changed, page by page. Each kind of `written_kinds` comes in
/// that order, sorted by key.
pub struct DirectoryWriter<'m, 'o> {
    out: ExportWriter<'m, 'o>,
    changes: Option<&'m DirectoryChanges>,
    losses: LossSummary,
}

impl<'m, 'o> DirectoryWriter<'m, 'o> {
    /// Writes what precedes the rows. The custom fields are those of `kinds_with_custom_columns`.
    pub fn begin(
        mapping: &'m Mapping,
        form: WriteFormat,
        custom_fields: &CustomFieldsInUse,
        changes: Option<&'m DirectoryChanges>,
        out: &'o mut dyn Write,
    ) -> io::Result<Self> {
        let layout = ExportLayout::new(mapping, form, custom_fields);
        Ok(Self {
            out: ExportWriter::begin(layout, out)?,
            changes,
            losses: LossSummary::default(),
        })
    }

    /// Writes a page. If that depends on resources that the page does not know, nothing is written:
    /// their keys are returned, to be added to the page.
    pub fn write(&mut self, page: &ExportPage) -> io::Result<BTreeSet<Key>> {
        if writes_addresses(self.out.layout.mapping) {
            let unknown = page.unknown_addresses();
            if !unknown.is_empty() {
                return Ok(unknown);
            }
        }
        let place = RowPlacer {
            layout: &self.out.layout,
            page,
        };
        let mut units = units(page, self.changes);
        let mut unknown = BTreeSet::new();
        for batch in units.chunks_mut(BATCH) {
            unknown.extend(place.prove(batch));
        }
        if !unknown.is_empty() {
            return Ok(unknown);
        }
        for unit in units {
            for draft in &unit.drafts {
                self.out.row(draft)?;
            }
            self.losses.add(unit.losses);
        }
        Ok(unknown)
    }

    /// Reports addresses that no account has. Changes name their addresses by account, so only a
    /// full export can tell which ones those are.
    pub fn report_orphaned_addresses(&mut self, ids: impl IntoIterator<Item = CompactText>) {
        let losses = ids.into_iter().map(|id| ExportLoss {
            key: Key::new(ADDRESS, id),
            field: None,
            why: LossReason::Orphaned,
        });
        self.losses.add(losses.collect());
    }

    /// Writes what follows the rows.
    pub fn end(self) -> io::Result<WriteSummary> {
        Ok(WriteSummary {
            records: self.out.end()?,
            losses: self.losses,
        })
    }
}

/// The resources of a page, sorted by key.
fn units<'a>(page: &'a ExportPage, changes: Option<&DirectoryChanges>) -> Vec<ExportUnit<'a>> {
    let unit = |key: &Key| match page.rows.get(key) {
        Some(row) => {
            let removed = changes.and_then(|changes| changes.unlinked.get(key));
            // An address that was removed and added again is current.
            let removed = removed
                .into_iter()
                .flatten()
                .filter(|id| !linked_addresses(row).any(|has| has == *id))
                .cloned();
            ExportUnit::new(Cow::Borrowed(row), false, removed.collect())
        }
        None => ExportUnit::new(Cow::Owned(deleted_row(key)), true, Vec::new()),
    };
    page.keys.iter().map(unit).collect()
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
