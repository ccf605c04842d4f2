//! What the operator's queries say of what a step takes out of use.

use crate::model::Key;
use crate::plan::{ImpactNumber, StepImpact};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;

/// What one query of `impact` says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(!deny_unknown_fields)]
pub struct ImpactDocument<'a> {
    /// The name of the query.
    pub name: Cow<'a, str>,
    /// The user, as `KIND/ID`, who loses access by the step, if the number is about somebody else
    /// than the resource of the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The number. `null` if the query failed.
    #[serde(serialize_with = "number")]
    pub value: Option<f64>,
    /// The largest number with which the step needs no decision. Absent if the query is only shown.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "number"
    )]
    pub limit: Option<f64>,
}

/// Whole numbers are written without a point.
#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn number<S: Serializer>(number: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    /// Up to here, a double keeps every whole number apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number {
        #[allow(clippy::cast_possible_truncation)]
        Some(whole) if whole.fract() == 0.0 && whole.abs() <= EXACT => {
            to.serialize_i64(*whole as i64)
        }
        Some(number) => to.serialize_f64(*number),
        None => to.serialize_none(),
    }
}

impl<'a> ImpactDocument<'a> {
    pub(super) fn all(impact: &'a [StepImpact]) -> Vec<Self> {
        let all = impact.iter().map(|it| Self {
            name: Cow::Borrowed(&*it.name),
            of: it.of.as_ref().map(ToString::to_string),
            value: it.number.map(ImpactNumber::get),
            limit: it.limit.map(ImpactNumber::get),
        });
        all.collect()
    }

    pub(super) fn read(all: Vec<Self>) -> Result<Box<[StepImpact]>, String> {
        let all = all.into_iter().map(|read| {
            let of = read.of.map(|of| {
                let key = Key::parse(&of);
                key.ok_or_else(|| format!("`{of}` is not a resource"))
            });
            Ok(StepImpact {
                name: read.name.into(),
                of: of.transpose()?,
                number: read.value.and_then(ImpactNumber::new),
                limit: read.limit.and_then(ImpactNumber::new),
            })
        });
        all.collect()
    }

    /// What it says, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let all = Self::read(vec![self.clone()]).unwrap_or_default();
        all.iter().map(|it| format!("impact: {it}")).collect()
    }
}
