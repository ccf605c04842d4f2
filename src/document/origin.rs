//! Places in files.

use crate::diagnostic::Origin;
use crate::model::LineColumn;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A place in a file of a source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct OriginDocument<'a> {
    /// The path below the root of the source, with `/` between folders.
    pub path: Cow<'a, str>,
    /// The line, from 1. Absent if the whole file is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl<'a> OriginDocument<'a> {
    /// A place in a file. Line 0 stands for the whole file.
    #[must_use]
    pub fn new(path: &'a str, at: LineColumn) -> Self {
        let is_line = at.line > 0;
        Self {
            path: path.into(),
            line: is_line.then_some(at.line),
            column: is_line.then_some(at.column),
        }
    }

    /// The same place with an owned path.
    #[must_use]
    pub fn into_owned(self) -> OriginDocument<'static> {
        OriginDocument {
            path: Cow::Owned(self.path.into_owned()),
            line: self.line,
            column: self.column,
        }
    }
}

impl<'a> From<&'a Origin> for OriginDocument<'a> {
    fn from(origin: &'a Origin) -> Self {
        Self::new(&origin.path, origin.at)
    }
}

impl From<OriginDocument<'_>> for Origin {
    fn from(read: OriginDocument<'_>) -> Self {
        Self {
            path: read.path.into(),
            at: LineColumn {
                line: read.line.unwrap_or_default(),
                column: read.column.unwrap_or_default(),
            },
        }
    }
}
