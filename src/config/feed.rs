//! `export:` sources: how an export is read, and when it is believed. A partial export must not
//! deactivate customers, so completeness and absence are configured here.

use super::export::{self, MappingReference};
use crate::feed::mapping::Mapping;
use crate::feed::preset;
use crate::transport;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// An export of another system, as a source.
#[derive(Clone, Debug)]
pub struct FeedConfig {
    pub body: FeedLocation,
    /// How its rows become resources.
    pub mapping: Arc<Mapping>,
    /// When it counts as complete.
    pub complete: CompletenessRule,
    /// How old it may be, if limited.
    pub max_age: Option<Duration>,
    /// After how many consecutive accepted exports without it a resource is deactivated; `None`:
    /// never.
    pub absence: Option<u32>,
    /// After how many consecutive accepted exports without it a resource is no longer decided by
    /// this one.
    pub released_after: u32,
}

/// The default of `released_after`.
pub const RELEASED_AFTER: u32 = 3;

/// Where the bytes of an export are.
#[derive(Clone, Debug)]
pub enum FeedLocation {
    /// On a server or in a folder; fetched before each pass.
    Remote(transport::ExportLocation),
    /// In a file given on the command line.
    File(PathBuf),
    /// Sent to the daemon in parts.
    Pushed,
}

impl FeedConfig {
    /// Whether records are pushed and nothing is fetched.
    #[must_use]
    pub fn is_pushed(&self) -> bool {
        matches!(self.body, FeedLocation::Pushed)
    }
}

/// When an export counts as complete, in addition to its trailer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CompletenessRule {
    /// The fewest rows.
    pub min_rows: Option<u64>,
    /// By how many percent it may be smaller than usual.
    pub shrink: Option<u64>,
}

#[derive(Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct CompletenessSpec {
    trailer: Option<String>,
    min_rows: Option<u64>,
    shrink: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
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

#[derive(Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum AbsenceAction {
    #[default]
    Ignore,
    Deactivate,
}

/// Reads an export source; returns it with the text that shows it.
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
    // A push names only some resources, so it can say nothing about the absent ones.
    let judged = complete != CompletenessSpec::default() || max_age.is_some() || absence.is_some();
    if export.place.is_none() && judged {
        return Err("a push names only some resources; `complete:`, `maxAge:` and `absence:` need a complete export".to_owned());
    }
    let mut mapping = match &export.shape {
        MappingReference::Preset(name) => preset::mapping(name)?,
        MappingReference::Mapping(path) => {
            // Read with the configuration, so a broken mapping is refused at a reload and does not
            // fail passes later.
            let text = std::fs::read_to_string(base.join(path))
                .map_err(|error| format!("export: mapping: {path}: {error}"))?;
            Mapping::parse(&text).map_err(|why| format!("{path}: {why}"))?
        }
    };
    // The trailer of the source wins over the one of its mapping: a preset cannot know it.
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
        // At least 1: with 0, a resource would be given up by the export that names it.
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
