//! Why a plan can only be looked at: it shows another moment, or what is not the source's own yet.
//! Applied, it would change people's access too early or by what nobody has merged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a plan shows that nobody may apply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PlanPreview {
    /// The state at a later moment: `plan --as-of`.
    AsOf,
    /// A branch, tag or commit that is not the source's own: `plan --revision`.
    Revision,
    /// Files that were sent to a daemon: `plan --remote`.
    SentFiles,
    /// What changes from one revision to another, without a database: `compare`.
    Comparison,
}

impl fmt::Display for PlanPreview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsOf => {
                "it shows a later day (`--as-of`). What ends or begins then is applied then, by itself"
            }
            Self::Revision => {
                "it shows a revision that is not the source's own (`--revision`). Merge it, then plan again"
            }
            Self::SentFiles => {
                "it shows files that were sent to a daemon. Merge them, and the daemon applies them"
            }
            Self::Comparison => {
                "it compares two revisions (`roster compare`). Use `roster plan --out FILE` to apply one"
            }
        })
    }
}
