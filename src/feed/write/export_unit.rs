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
    pub gone: Vec<CompactText>,
    /// Columns that are read as something that is not stored, whatever stands in them.
    /// Of which section, and which.
    pub avoid: BTreeSet<(usize, ColumnIndex)>,
    /// Addresses that cannot be written, and why.
    pub skip: BTreeMap<CompactText, LossReason>,
    /// Why it cannot be written at all.
    pub dropped: Option<LossReason>,
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
            gone,
            avoid: BTreeSet::new(),
            skip: BTreeMap::new(),
            dropped: None,
            drafts: Vec::new(),
            losses: BTreeSet::new(),
            unread: BTreeSet::new(),
        }
    }
}
