//! Writes the rows of a test as pages.

use super::{
    CustomFieldsInUse, DirectoryChanges, DirectoryWriter, ExportPage, WriteFormat, WriteSummary,
    linked_addresses, written_kinds,
};
use crate::feed::mapping::Mapping;
use crate::kinds::{ADDRESS, CUSTOM_FIELD};
use crate::model::{CompactText, Key, KeyedList, KindId, Row};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Writes rows on one page.
pub(super) fn write(
    mapping: &Mapping,
    form: WriteFormat,
    rows: &KeyedList<Row>,
    out: &mut dyn Write,
) -> io::Result<WriteSummary> {
    write_pages(mapping, form, (rows, None), usize::MAX, out)
}

/// Writes rows on pages of a size, looking up what a page needs.
pub(super) fn write_pages(
    mapping: &Mapping,
    form: WriteFormat,
    (rows, changes): (&KeyedList<Row>, Option<&DirectoryChanges>),
    size: usize,
    out: &mut dyn Write,
) -> io::Result<WriteSummary> {
    let mut custom = CustomFieldsInUse::default();
    for row in rows {
        for id in row.custom_values.keys() {
            custom.add_stored(row.key.kind, id.clone());
        }
        if row.key.kind == CUSTOM_FIELD {
            custom.add_definition(row);
        }
    }
    let mut writer = DirectoryWriter::begin(mapping, form, &custom, changes, out)?;
    for kind in written_kinds(mapping) {
        let keys: Vec<Key> = match changes {
            None => keys_of(rows, kind),
            Some(changes) => changes.of_kind(kind).cloned().collect(),
        };
        for part in keys.chunks(size) {
            let keys: BTreeSet<Key> = part.iter().cloned().collect();
            let found = stored(rows, &keys);
            let mut page = match changes {
                None => ExportPage::of(found),
                Some(_) => ExportPage::of_changed(keys, found),
            };
            loop {
                let unknown = writer.write(&page)?;
                if unknown.is_empty() {
                    break;
                }
                let found = stored(rows, &unknown);
                page.add(unknown, found);
            }
        }
    }
    if changes.is_none() && super::writes_addresses(mapping) {
        let linked: BTreeSet<&CompactText> = rows.iter().flat_map(linked_addresses).collect();
        let addresses = keys_of(rows, ADDRESS).into_iter().map(|key| key.id);
        writer.report_orphaned_addresses(addresses.filter(|id| !linked.contains(id)));
    }
    writer.end()
}

/// The keys of a kind, sorted.
fn keys_of(rows: &KeyedList<Row>, kind: KindId) -> Vec<Key> {
    let of_kind = rows.iter().filter(|row| row.key.kind == kind);
    let keys: BTreeSet<Key> = of_kind.map(|row| row.key.clone()).collect();
    keys.into_iter().collect()
}

fn stored(rows: &KeyedList<Row>, keys: &BTreeSet<Key>) -> Vec<Row> {
    keys.iter()
        .filter_map(|key| rows.get(key).cloned())
        .collect()
}
