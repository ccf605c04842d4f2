//! A resource as it was at an earlier moment.

use crate::kinds;
use crate::model::{Row, timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

/// A resource as it was: its manifest form, and `meta`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PastResourceDocument {
    /// The manifest form.
    #[serde(flatten)]
    pub manifest: Map<String, Value>,
    /// Which change it dates from.
    pub meta: PastResourceMeta,
}

/// Which change a resource dates from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PastResourceMeta {
    /// The last run that changed it until then.
    pub run: i64,
    /// When that run committed.
    pub at: String,
}

impl PastResourceDocument {
    /// A row as it was, with the last run that changed it and the time of that run, in milliseconds
    /// since 1970.
    #[must_use]
    pub fn new(row: &Row, run: i64, at: i64) -> Self {
        Self {
            manifest: kinds::json::resource(row),
            meta: PastResourceMeta {
                run,
                at: timestamp::format_utc(at),
            },
        }
    }
}
