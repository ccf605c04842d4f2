//! One resource on its way into an export.

use super::draft::RowDraft;
use super::loss::{ExportLoss, LossReason};
use crate::feed::mapping::ColumnIndex;
use crate::model::{CompactText, Row};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A resource, its rows, and what was found out about them.
pub(super) struct ExportUnit<'a> {
    /// As it is stored; of a deleted one only that.
    pub row: Cow<'a, Row>,
    /// Whether it is no longer stored.
    pub deleted: bool,
    /// The addresses that were taken from it.
    pub removed_addresses: Vec<CompactText>,
    /// Columns that are read as something that is not stored, whatever stands in them.
    /// Of which section, and which.
    pub avoided_columns: BTreeSet<(usize, ColumnIndex)>,
    /// Addresses that cannot be written, and why.
    pub skipped_addresses: BTreeMap<CompactText, LossReason>,
    /// Why it cannot be written at all.
    pub drop_reason: Option<LossReason>,
    /// Its rows.
    pub drafts: Vec<RowDraft>,
    /// What they do not say.
    pub losses: BTreeSet<ExportLoss>,
    /// What they say to no avail.
    pub unread: BTreeSet<ExportLoss>,
}

impl<'a> ExportUnit<'a> {
    pub fn new(row: Cow<'a, Row>, deleted: bool, gone: Vec<CompactText>) -> Self {
        Self {
            row,
            deleted,
            removed_addresses: gone,
            avoided_columns: BTreeSet::new(),
            skipped_addresses: BTreeMap::new(),
            drop_reason: None,
            drafts: Vec::new(),
            losses: BTreeSet::new(),
            unread: BTreeSet::new(),
        }
    }
}
