//! Exports as sources: where they come from, how they are read, and when they are believed.

use crate::feed::mapping::Mapping;
use crate::feed::preset;
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// An export of another system.
#[derive(Clone, Debug)]
pub struct Export {
    /// The file.
    pub file: PathBuf,
    /// How it becomes resources.
    pub mapping: Arc<Mapping>,
    /// When it is taken for whole.
    pub complete: Complete,
    /// How old it may be.
    pub max_age: Option<Duration>,
    /// After how many accepted exports in a row without it a resource is deactivated; `None`: never.
    pub absence: Option<u32>,
}

/// When an export is taken for whole, beside what its mapping says of its trailer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Complete {
    /// What its last line looks like, as `#EOF;{n}`.
    pub trailer: Option<String>,
    /// How many rows it has at least.
    pub min_rows: Option<u64>,
    /// By how many per cent it may be smaller than usual.
    pub shrink: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ExportFile {
    file: String,
    preset: Option<String>,
    mapping: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct CompleteFile {
    trailer: Option<String>,
    min_rows: Option<u64>,
    shrink: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AbsenceFile {
    #[serde(default = "three")]
    after: u32,
    #[serde(default)]
    action: Action,
}

fn three() -> u32 {
    3
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    #[default]
    Ignore,
    Deactivate,
}

/// What the configuration says of an export.
pub(super) fn resolve(
    export: Value,
    complete: CompleteFile,
    max_age: Option<&str>,
    absence: Option<&AbsenceFile>,
    base: &Path,
) -> Result<(Export, String), String> {
    let file: ExportFile =
        serde_json::from_value(export).map_err(|error| format!("export: {error}"))?;
    let mapping = match (&file.preset, &file.mapping) {
        (Some(name), None) => preset::mapping(name)?,
        (None, Some(path)) => {
            let text = std::fs::read_to_string(base.join(path))
                .map_err(|error| format!("export: mapping: {}: {error}", path.display()))?;
            Mapping::parse(&text).map_err(|why| format!("{}: {why}", path.display()))?
        }
        _ => return Err("export: give either `preset:` or `mapping:`".to_owned()),
    };
    let shown = super::file::expand(&file.file)?;
    let shrink = complete.shrink.as_deref().map(percent).transpose()?;
    let export = Export {
        file: base.join(&shown),
        mapping: Arc::new(mapping),
        complete: Complete {
            trailer: complete.trailer,
            min_rows: complete.min_rows,
            shrink,
        },
        max_age: max_age.map(super::duration).transpose()?,
        absence: absence
            .filter(|absence| absence.action == Action::Deactivate)
            .map(|absence| absence.after.max(1)),
    };
    Ok((export, shown))
}

fn percent(text: &str) -> Result<u64, String> {
    let number = text
        .strip_suffix('%')
        .and_then(|number| number.trim().parse().ok());
    number
        .filter(|percent| *percent <= 100)
        .ok_or_else(|| format!("complete: shrink: `{text}` is no percentage; write `10%`"))
}
