//! Finds presets that fit the same export but read one of its columns differently, such as
//! `inactive` in `djust-users` and `djust-users-legacy`. Choosing the wrong one would deactivate
//! everybody who is active.

use super::{ExportProfile, PresetFit};
use crate::feed::mapping::{CellMapping, CellSource, Mapping};
use crate::feed::preset;
use std::collections::BTreeMap;

/// Two presets that fit equally well.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RivalPresets {
    pub first: &'static str,
    pub second: &'static str,
    /// The columns that they read differently, as named in the export.
    pub columns: Vec<String>,
    /// What TRUE in the first of these columns means to each preset, if that differs.
    pub truths: Option<[String; 2]>,
}

impl RivalPresets {
    /// Asks which preset is meant.
    #[must_use]
    pub fn question(&self) -> String {
        let Self { first, second, .. } = self;
        format!(
            "{}; pass `--preset {first}` or `--preset {second}`",
            self.difference()
        )
    }

    /// Describes the difference.
    #[must_use]
    pub fn difference(&self) -> String {
        let Self {
            first,
            second,
            columns,
            truths,
        } = self;
        let named: Vec<String> = columns.iter().map(|name| format!("`{name}`")).collect();
        let named = named.join(", ");
        let truths = truths
            .as_ref()
            .map(|[one, other]| format!(": TRUE is {one} in {first} and {other} in {second}"));
        format!(
            "the presets {first} and {second} both fit, and they read {named} differently{}",
            truths.unwrap_or_default()
        )
    }
}

/// Returns the presets that fit as well as the best one but read a column differently.
#[must_use]
pub fn rivals(look: &ExportProfile) -> Vec<RivalPresets> {
    let Some(best) = look.fits.first().filter(|fit| fit.is_good()) else {
        return Vec::new();
    };
    let as_good = |fit: &&PresetFit| {
        // A preset that fits worse is no rival: then the columns themselves decide.
        fit.is_good() && fit.found >= best.found && fit.unknown.len() <= best.unknown.len()
    };
    let others = look.fits[1..].iter().filter(as_good);
    others
        .filter_map(|other| rival(look, best.preset, other.preset))
        .collect()
}

fn rival(look: &ExportProfile, first: &'static str, second: &'static str) -> Option<RivalPresets> {
    let mappings = [preset::mapping(first).ok()?, preset::mapping(second).ok()?];
    let [one, other] = [meanings(look, &mappings[0]), meanings(look, &mappings[1])];
    let differs = |at: &&usize| other.get(*at).is_some_and(|other| *other != one[*at]);
    let columns: Vec<usize> = one.keys().filter(differs).copied().collect();
    let at = columns.first()?;
    let truth = |meanings: &BTreeMap<usize, ColumnMeanings>| {
        let mut truths = meanings[at]
            .iter()
            .filter_map(|meaning| meaning.truth.clone());
        truths.next()
    };
    Some(RivalPresets {
        first,
        second,
        truths: truth(&one)
            .zip(truth(&other))
            .filter(|(one, other)| one != other)
            .map(|(one, other)| [one, other]),
        columns: columns
            .iter()
            .map(|at| look.columns.name(*at).to_owned())
            .collect(),
    })
}

/// What a preset takes a column for.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
struct ColumnMeaning {
    /// The kind and field.
    field: String,
    /// What its values mean.
    values: String,
    /// What TRUE means.
    truth: Option<String>,
}

type ColumnMeanings = Vec<ColumnMeaning>;

/// Returns what a preset takes each column of the export for.
fn meanings(look: &ExportProfile, mapping: &Mapping) -> BTreeMap<usize, ColumnMeanings> {
    let mut found: BTreeMap<usize, ColumnMeanings> = BTreeMap::new();
    for section in &mapping.sections {
        for field in &section.fields {
            let name = format!(
                "{}.{}",
                section.kind.name,
                section.kind.field_name(&field.field)
            );
            cells(&field.cell, &mut |column, cell| {
                let mut names = mapping.columns[column].iter();
                let Some(at) = names.find_map(|name| look.columns.find(name)) else {
                    return;
                };
                let truth = cell.booleans.as_ref().and_then(|[_, on]| on.clone());
                found.entry(at).or_default().push(ColumnMeaning {
                    field: name.clone(),
                    values: format!("{:?} {:?}", cell.values, cell.booleans),
                    truth,
                });
            });
        }
    }
    // A column can feed several fields, and their order in the preset means nothing.
    found.values_mut().for_each(|all| all.sort());
    found
}

/// Visits the cells that are a single column.
fn cells(cell: &CellMapping, each: &mut impl FnMut(usize, &CellMapping)) {
    match &cell.take {
        CellSource::Column(column) => each(column.0, cell),
        CellSource::First(all) | CellSource::Join(all, _) => {
            all.iter().for_each(|cell| cells(cell, each));
        }
        CellSource::Template(_) | CellSource::Constant(_) | CellSource::Expression(_) => {}
    }
}
