//! One resource on its way into an export.

use super::draft::Draft;
use super::lost::{Loss, Why};
use crate::feed::mapping::Column;
use crate::model::{Row, Text};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A resource, its rows, and what was found out about them.
pub(super) struct Unit<'a> {
    /// As it is stored; of a deleted one only that.
    pub row: Cow<'a, Row>,
    /// Whether it is no longer stored.
    pub deleted: bool,
    /// The addresses that were taken from it.
    pub gone: Vec<Text>,
    /// Columns that are read as something that is not stored, whatever stands in them.
    /// Of which section, and which.
    pub avoid: BTreeSet<(usize, Column)>,
    /// Addresses that cannot be written, and why.
    pub skip: BTreeMap<Text, Why>,
    /// Why it cannot be written at all.
    pub dropped: Option<Why>,
    /// Its rows.
    pub drafts: Vec<Draft>,
    /// What they do not say.
    pub losses: BTreeSet<Loss>,
    /// What they say to no avail.
    pub unread: BTreeSet<Loss>,
}

impl<'a> Unit<'a> {
    pub fn new(row: Cow<'a, Row>, deleted: bool, gone: Vec<Text>) -> Self {
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
