//! What of a directory an export of a mapping cannot say.

use crate::kinds;
use crate::kinds::read::quoted;
use crate::model::{CompactText, Key, KindId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Why something is not written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LossReason {
    /// The mapping has no column for it.
    NoColumn,
    /// What it is computed by cannot be turned round.
    Expression,
    /// No word of the mapping stands for a value.
    NoWord(String),
    /// It stands in a column with something else, which differs.
    Shared(String),
    /// It has several members, and the mapping takes one, or one for all.
    Several,
    /// The export cannot hold the text.
    Text,
    /// Its id is not made of what the mapping makes ids of.
    Id,
    /// A reader of the export would take something for what is not stored.
    ReadsAs(String),
    /// A required custom field has no value, and a blank would be one.
    Blank(CompactText),
    /// It belongs to nothing that has a row.
    Orphaned,
}

/// Something that is not written: of a resource, or all of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ExportLoss {
    /// Of which resource.
    pub key: Key,
    /// Which field, as in plans; none: the whole resource.
    pub field: Option<String>,
    pub why: LossReason,
}

/// All that is not written, by field and reason.
#[derive(Debug, Default)]
pub struct LossSummary(
    pub(super) BTreeMap<(KindId, Option<String>, LossReason), (u64, CompactText)>,
);

impl LossSummary {
    /// Counts what of one resource is not written.
    pub fn add(&mut self, losses: BTreeSet<ExportLoss>) {
        for loss in losses {
            let place = (loss.key.kind, loss.field, loss.why);
            let first = || (0, loss.key.id.clone());
            self.0.entry(place).or_insert_with(first).0 += 1;
        }
    }

    /// Whether all is written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each as a line for people.
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
            Self::ReadsAs(what) => write!(f, "reading it again gives {what}"),
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
