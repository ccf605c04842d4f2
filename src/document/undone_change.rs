//! A recorded change that a step takes back.

use crate::plan::UndoneChange;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// A recorded change that a step takes back, such as one that an older branch does not have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct UndoneChangeDocument<'a> {
    /// The run that made it.
    pub run: i64,
    /// The source of the run.
    pub source: Cow<'a, str>,
    /// What the run applied: a git commit or a content digest.
    pub revision: Cow<'a, str>,
    /// The first line of the message of the commit, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Cow<'a, str>>,
    /// Whether the planned revision has the commit in its history. Absent if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contained: Option<bool>,
    /// The run that the run itself reverted, if a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverted_run: Option<i64>,
    /// The fields that get their earlier value again. None of a resource that goes as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Cow<'a, str>>,
}

impl<'a> UndoneChangeDocument<'a> {
    pub(super) fn all(undoes: &'a [UndoneChange]) -> Vec<Self> {
        let all = undoes.iter().map(|undone| Self {
            run: undone.run,
            source: Cow::Borrowed(&undone.source),
            revision: Cow::Borrowed(&undone.revision),
            subject: undone.subject.as_deref().map(Cow::Borrowed),
            contained: undone.is_contained,
            reverted_run: undone.reverted_run,
            fields: undone
                .fields
                .iter()
                .map(|it| Cow::Borrowed(&**it))
                .collect(),
        });
        all.collect()
    }

    pub(super) fn read(all: &[Self]) -> Box<[UndoneChange]> {
        all.iter().map(UndoneChange::from).collect()
    }
}

impl From<&UndoneChangeDocument<'_>> for UndoneChange {
    fn from(read: &UndoneChangeDocument<'_>) -> Self {
        Self {
            run: read.run,
            source: Arc::from(&*read.source),
            revision: Arc::from(&*read.revision),
            subject: read.subject.as_deref().map(Arc::from),
            is_contained: read.contained,
            reverted_run: read.reverted_run,
            fields: read.fields.iter().map(ToString::to_string).collect(),
        }
    }
}
