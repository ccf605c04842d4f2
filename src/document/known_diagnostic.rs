//! An entry of a baseline: where a known diagnostic is, and how often.

use crate::diagnostic::Code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A known diagnostic, or several that only their lines tell apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownDiagnostic {
    /// The source.
    pub source: String,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The resource, such as `User/u-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The member of a list, such as the id that is referred to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The code of the rule.
    pub code: Code,
    /// What it was when it became known. A known warning does not cover an error.
    #[serde(default, skip_serializing_if = "KnownSeverity::is_error")]
    pub severity: KnownSeverity,
    /// How many there are.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: usize,
}

/// The severity of a known diagnostic.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum KnownSeverity {
    /// Covers a warning too.
    #[default]
    Error,
    Warning,
}

impl KnownSeverity {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    fn is_error(&self) -> bool {
        *self == Self::Error
    }
}

fn one() -> usize {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_one(count: &usize) -> bool {
    *count == 1
}

impl fmt::Display for KnownDiagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        let place = [&self.resource, &self.field, &self.member, &self.path];
        for part in place.into_iter().flatten() {
            write!(f, "  {part}")?;
        }
        match self.count {
            1 => Ok(()),
            count => write!(f, "  ({count} times)"),
        }
    }
}
