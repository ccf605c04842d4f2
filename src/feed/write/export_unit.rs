//! One resource while it is being written, with what was found out about it. Each round of the
//! proof adds what has to be avoided, and the rows are built again from that.

use super::draft::RowDraft;
use super::loss::{ExportLoss, LossReason};
use crate::feed::mapping::ColumnIndex;
use crate::model::{CompactText, Row};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A resource and its rows.
pub(super) struct ExportUnit<'a> {
    /// The resource as stored. Of a deleted one only the key and status are known.
    pub row: Cow<'a, Row>,
    /// Whether it is no longer stored.
    pub deleted: bool,
    /// Addresses that were removed from it.
    pub removed_addresses: Vec<CompactText>,
    /// Columns, with their section, that would be read as something that is not stored. They are
    /// left blank.
    pub avoided_columns: BTreeSet<(usize, ColumnIndex)>,
    /// Addresses that cannot be written, and why.
    pub skipped_addresses: BTreeMap<CompactText, LossReason>,
    /// Why the resource cannot be written at all.
    pub drop_reason: Option<LossReason>,
    pub drafts: Vec<RowDraft>,
    /// What the rows do not say.
    pub losses: BTreeSet<ExportLoss>,
    /// What was written but is not read back.
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
