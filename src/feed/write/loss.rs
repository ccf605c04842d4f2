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
                    format!("{}.{field} of {count}, {example} the first", kind.name)
                }
                (None, 1) => format!("{}/{example}", kind.name),
                (None, _) => format!("{count} {}, {example} the first", kind.collection),
            };
            format!("not written: {what}: {why}")
        })
    }
}

impl fmt::Display for LossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoColumn => f.write_str("the export has no column for it"),
            Self::Expression => f.write_str("an expression cannot be turned round"),
            Self::NoWord(value) => write!(f, "no word of the export stands for {}", quoted(value)),
            Self::Shared(column) => write!(
                f,
                "the column `{column}` is something else too, which differs"
            ),
            Self::Several => f.write_str("there are several, and the export takes one"),
            Self::Text => f.write_str("the export cannot hold such a text"),
            Self::Id => {
                f.write_str("the export makes its id of other columns, which do not give this one")
            }
            Self::ReadsAs(what) => write!(f, "read again it would be {what}"),
            Self::Blank(id) => write!(
                f,
                "it lacks the required custom field `{id}`, and a blank cell is an error"
            ),
            Self::Orphaned => {
                f.write_str("it belongs to no account, and the export has no row for it")
            }
        }
    }
}
