//! Reads the directory page by page, as of one moment, and writes each page as rows of an export
//! before the next one is read.

use super::CommandFailure;
use crate::feed::mapping::Mapping;
use crate::feed::write::{
    self, CustomFieldsInUse, DirectoryChanges, DirectoryWriter, ExportPage, WriteFormat,
    WriteSummary,
};
use crate::kinds::{ADDRESS, CUSTOM_FIELD};
use crate::model::{CompactText, Key, KindId, Row};
use crate::store::{ReadTransaction, Store};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// How many resources a page has: a few megabytes, and a multiple of what is proved at once.
const PAGE_SIZE: usize = 2_048;

/// An export that is written from a database.
pub struct PagedExport<'a> {
    pub mapping: &'a Mapping,
    pub form: WriteFormat,
    /// What is written instead of everything.
    pub changed: Option<&'a DirectoryChanges>,
    /// What it means that something cannot be written.
    pub failed: &'a dyn Fn(io::Error) -> CommandFailure,
}

impl PagedExport<'_> {
    /// Writes what is stored at this moment.
    pub async fn write(
        &self,
        store: &Store,
        out: &mut dyn Write,
    ) -> Result<WriteSummary, CommandFailure> {
        let mut tx = store.read_transaction().await?;
        let custom = match &mut tx {
            Some(tx) => self.custom_fields(tx).await?,
            None => CustomFieldsInUse::default(),
        };
        let begun = DirectoryWriter::begin(self.mapping, self.form, &custom, self.changed, out);
        let mut writer = begun.map_err(self.failed)?;
        // Without a database or schema, nothing is stored.
        if let Some(tx) = &mut tx {
            for kind in write::written_kinds(self.mapping) {
                match self.changed {
                    None => self.stored(tx, kind, &mut writer).await?,
                    Some(changed) => self.changed(tx, kind, changed, &mut writer).await?,
                }
            }
            if self.changed.is_none() && write::writes_addresses(self.mapping) {
                orphaned_addresses(tx, &mut writer).await?;
            }
        }
        writer.end().map_err(self.failed)
    }

    async fn custom_fields(
        &self,
        tx: &mut ReadTransaction,
    ) -> Result<CustomFieldsInUse, CommandFailure> {
        let mut used = CustomFieldsInUse::default();
        let kinds = write::kinds_with_custom_columns(self.mapping);
        for kind in &kinds {
            for id in tx.custom_fields_with_values(*kind).await? {
                used.add_stored(*kind, id);
            }
        }
        if !kinds.is_empty() {
            let mut definitions = RowPages::of(CUSTOM_FIELD);
            while let Some(page) = definitions.next(tx).await? {
                page.iter().for_each(|row| used.add_definition(row));
            }
        }
        Ok(used)
    }

    /// Writes all resources of a kind.
    async fn stored(
        &self,
        tx: &mut ReadTransaction,
        kind: KindId,
        writer: &mut DirectoryWriter<'_, '_>,
    ) -> Result<(), CommandFailure> {
        let mut pages = RowPages::of(kind);
        while let Some(rows) = pages.next(tx).await? {
            self.page(tx, ExportPage::of(rows), writer).await?;
        }
        Ok(())
    }

    /// Writes the resources of a kind that changed.
    async fn changed(
        &self,
        tx: &mut ReadTransaction,
        kind: KindId,
        changed: &DirectoryChanges,
        writer: &mut DirectoryWriter<'_, '_>,
    ) -> Result<(), CommandFailure> {
        // An account is also written if only one of its addresses changed, because addresses have
        // no rows of their own.
        let addresses: Vec<&CompactText> = changed.of_kind(ADDRESS).map(|key| &key.id).collect();
        let mut keys = tx.keys_referring(kind, (ADDRESS, &addresses)).await?;
        keys.extend(changed.of_kind(kind).cloned());
        let mut keys = keys.into_iter().peekable();
        while keys.peek().is_some() {
            let part: BTreeSet<Key> = keys.by_ref().take(PAGE_SIZE).collect();
            let rows = tx.rows_of(&part).await?;
            self.page(tx, ExportPage::of_changed(part, rows), writer)
                .await?;
        }
        Ok(())
    }

    /// Writes a page, with what it needs of other resources.
    async fn page(
        &self,
        tx: &mut ReadTransaction,
        mut page: ExportPage,
        writer: &mut DirectoryWriter<'_, '_>,
    ) -> Result<(), CommandFailure> {
        loop {
            let unknown = writer.write(&page).map_err(self.failed)?;
            if unknown.is_empty() {
                return Ok(());
            }
            let rows = tx.rows_of(&unknown).await?;
            page.add(unknown, rows);
        }
    }
}

async fn orphaned_addresses(
    tx: &mut ReadTransaction,
    writer: &mut DirectoryWriter<'_, '_>,
) -> Result<(), CommandFailure> {
    let mut after: Option<CompactText> = None;
    loop {
        let ids = tx
            .unreferenced_after(ADDRESS, after.as_ref(), PAGE_SIZE)
            .await?;
        let is_last = ids.len() < PAGE_SIZE;
        after = ids.last().cloned();
        writer.report_orphaned_addresses(ids);
        if is_last {
            return Ok(());
        }
    }
}

/// All rows of a kind, page by page.
struct RowPages {
    kind: KindId,
    after: Option<CompactText>,
    is_over: bool,
}

impl RowPages {
    fn of(kind: KindId) -> Self {
        Self {
            kind,
            after: None,
            is_over: false,
        }
    }

    /// The next page; `None` after the last one.
    async fn next(&mut self, tx: &mut ReadTransaction) -> Result<Option<Vec<Row>>, CommandFailure> {
        if self.is_over {
            return Ok(None);
        }
        let rows = tx
            .rows_after(self.kind, self.after.as_ref(), PAGE_SIZE)
            .await?;
        self.is_over = rows.len() < PAGE_SIZE;
        self.after = rows.last().map(|row| row.key.id.clone());
        Ok((!rows.is_empty()).then_some(rows))
    }
}
