//! Exports as sources: how they are read, and when they are believed.

use super::export::{self, MappingReference};
use crate::feed::mapping::Mapping;
use crate::feed::preset;
use crate::transport;
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// An export of another system, as a source.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    /// Where its bytes are.
    pub body: FeedLocation,
    /// How it becomes resources.
    pub mapping: Arc<Mapping>,
    /// When it is taken for whole.
    pub complete: CompletenessRule,
    /// How old it may be.
    pub max_age: Option<Duration>,
    /// After how many accepted exports in a row without it a resource is deactivated; `None`: never.
    pub absence: Option<u32>,
    /// After how many accepted exports in a row without it a resource is no longer decided by this one.
    pub released_after: u32,
}

/// How often an export may leave a resource out before it no longer decides it, where nothing is said.
pub const RELEASED_AFTER: u32 = 3;

/// Where the bytes of an export are.
#[derive(Clone, Debug)]
pub enum FeedLocation {
    /// Somewhere else: they are fetched first.
    Remote(transport::ExportLocation),
    /// In a file that somebody gives by hand.
    File(PathBuf),
    /// Nowhere: they are sent to the daemon, a part at a time.
    Pushed,
}

impl FeedConfig {
    /// Whether it is sent, and nothing is fetched.
    #[must_use]
    pub fn is_pushed(&self) -> bool {
        matches!(self.body, FeedLocation::Pushed)
    }
}

/// When an export is taken for whole, beside what its trailer says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CompletenessRule {
    /// How many rows it has at least.
    pub min_rows: Option<u64>,
    /// By how many per cent it may be smaller than usual.
    pub shrink: Option<u64>,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct CompletenessSpec {
    trailer: Option<String>,
    min_rows: Option<u64>,
    shrink: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AbsenceSpec {
    #[serde(default = "default_absence_after")]
    after: u32,
    #[serde(default)]
    action: AbsenceAction,
}

fn default_absence_after() -> u32 {
    3
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AbsenceAction {
    #[default]
    Ignore,
    Deactivate,
}

/// What the configuration says of an export.
pub(super) fn resolve(
    export: &Value,
    complete: CompletenessSpec,
    max_age: Option<&str>,
    absence: Option<&AbsenceSpec>,
    base: &Path,
) -> Result<(FeedConfig, String), String> {
    let export = export::export(export, base)?;
    let open = export.place.as_ref().and_then(export::readable);
    if let Some(open) = open {
        tracing::warn!("{open}");
    }
    let judged = complete != CompletenessSpec::default() || max_age.is_some() || absence.is_some();
    if export.place.is_none() && judged {
        return Err("a push names only some resources; `complete:`, `maxAge:` and `absence:` need a complete export".to_owned());
    }
    let mut mapping = match &export.shape {
        MappingReference::Preset(name) => preset::mapping(name)?,
        MappingReference::Mapping(path) => {
            let text = std::fs::read_to_string(base.join(path))
                .map_err(|error| format!("export: mapping: {path}: {error}"))?;
            Mapping::parse(&text).map_err(|why| format!("{path}: {why}"))?
        }
    };
    mapping.trailer = complete.trailer.or(mapping.trailer);
    let shown = match &export.place {
        Some(place) => place.to_string(),
        None => "push".to_owned(),
    };
    let shrink = complete.shrink.as_deref().map(percent).transpose()?;
    let feed = FeedConfig {
        body: export
            .place
            .map_or(FeedLocation::Pushed, FeedLocation::Remote),
        mapping: Arc::new(mapping),
        complete: CompletenessRule {
            min_rows: complete.min_rows,
            shrink,
        },
        max_age: max_age.map(super::values::parse_duration).transpose()?,
        released_after: absence.map_or(RELEASED_AFTER, |absence| absence.after.max(1)),
        absence: absence
            .filter(|absence| absence.action == AbsenceAction::Deactivate)
            .map(|absence| absence.after.max(1)),
    };
    Ok((feed, shown))
}

fn percent(text: &str) -> Result<u64, String> {
    let number = text
        .strip_suffix('%')
        .and_then(|number| number.trim().parse().ok());
    number.filter(|percent| *percent <= 100).ok_or_else(|| {
        format!("complete: shrink: `{text}` is not a percentage; use a value such as `10%`")
    })
}
