//! What of a directory an export cannot say, and why. Losses are counted by field and reason and
//! shown to the user, since a reader of the export cannot see what is missing.

use crate::kinds;
use crate::kinds::read::quoted;
use crate::model::{CompactText, Key, KindId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LossReason {
    /// The mapping has no column for it.
    NoColumn,
    /// It comes from an expression, which cannot be inverted.
    Expression,
    /// The mapping has no word for a value.
    NoWord(String),
    /// Its column also holds another field, with a different value.
    Shared(String),
    /// It has several members where the mapping takes one, or one for all of them.
    Several,
    /// The export cannot contain the text.
    Text,
    /// The mapping derives the id from other columns, which yield another id.
    Id,
    /// It would be read as something that is not stored.
    ReadsAs(String),
    /// A required custom field has no value, and a blank cell is an error.
    Blank(CompactText),
    /// It is an address of no account, and so has no row.
    Orphaned,
}

/// A resource, or a field of it, that is not written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ExportLoss {
    pub key: Key,
    /// The field, as named in plans. `None` is the whole resource.
    pub field: Option<String>,
    pub why: LossReason,
}

/// All losses, by field and reason, with their number and an example.
#[derive(Debug, Default)]
pub struct LossSummary(
    pub(super) BTreeMap<(KindId, Option<String>, LossReason), (u64, CompactText)>,
);

impl LossSummary {
    /// Adds the losses of one resource.
    pub fn add(&mut self, losses: BTreeSet<ExportLoss>) {
        for loss in losses {
            let place = (loss.key.kind, loss.field, loss.why);
            let first = || (0, loss.key.id.clone());
            self.0.entry(place).or_insert_with(first).0 += 1;
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One line per loss, for people.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|((kind, field, why), (count, example))| {
            let kind = kinds::get(*kind);
            let what = match (field, count) {
                (Some(field), 1) => format!("{}.{field} of {example}", kind.name),
                (Some(field), _) => {
                    format!("{}.{field} of {count}, first {example}", kind.name)
                }
                (None, 1) => format!("{}/{example}", kind.name),
                (None, _) => format!("{count} {}, first {example}", kind.collection),
            };
            format!("not written: {what}: {why}")
        })
    }
}

impl fmt::Display for LossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoColumn => f.write_str("the export has no column for it"),
            Self::Expression => f.write_str("an expression cannot be reversed"),
            Self::NoWord(value) => write!(f, "the export has no word for {}", quoted(value)),
            Self::Shared(column) => write!(
                f,
                "the column `{column}` also carries another field with a different value"
            ),
            Self::Several => {
                f.write_str("there are several values, but the export has room for one")
            }
            Self::Text => f.write_str("the export cannot contain this text"),
            Self::Id => f.write_str(
                "the id comes from other columns of the export, which result in another id",
            ),
            Self::ReadsAs(what) => write!(f, "it would be read back as {what}"),
            Self::Blank(id) => write!(
                f,
                "it lacks the required custom field `{id}`, and a blank cell is an error"
            ),
            Self::Orphaned => {
                f.write_str("it belongs to no account, so the export has no row for it")
            }
        }
    }
}
