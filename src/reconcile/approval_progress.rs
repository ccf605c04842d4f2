//! Who has approved a hold that takes several people, while they are not enough.

use crate::document::{HoldState, HoldView, PartApproval};
use crate::plan::{approving_people, distinct_people, is_same_person};
use crate::store::{Store, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many parts of a hold are named in a sentence.
const NAMED_PARTS: usize = 3;

/// The people of each approval: of a hold (`HOLD`), or of a resource of it (`HOLD KIND/ID`).
pub(super) type Approvers = BTreeMap<String, BTreeSet<String>>;

/// How many people a hold still needs: `1 of 2 people has approved it (eva)`.
#[must_use]
pub fn approvals_so_far(view: &HoldView) -> String {
    let needed = view.hold.approvals_needed.unwrap_or(1);
    let sentence = |by: &[String], what: &str| {
        let has = if by.len() == 1 { "has" } else { "have" };
        let names = by.join(", ");
        format!(
            "{} of {needed} people {has} approved {what} ({names})",
            by.len()
        )
    };
    let whole = (!view.approved_by.is_empty()).then(|| sentence(&view.approved_by, "it"));
    let parts = view.approved_parts.iter().take(NAMED_PARTS);
    let parts = parts.map(|part| sentence(&part.by, &part.resource));
    let mut all: Vec<String> = whole.into_iter().chain(parts).collect();
    let more = view.approved_parts.len().saturating_sub(NAMED_PARTS);
    if more > 0 {
        all.push(format!("and {more} more resources are approved by some"));
    }
    all.join("; ")
}

/// The message for a person who has approved a hold already and tries again.
#[must_use]
pub fn needs_others(view: &HoldView) -> String {
    let so_far = approvals_so_far(view);
    format!("you have approved this hold already: {so_far}; another person has to approve it too")
}

/// Whether a person has approved a hold as a whole, or each of these resources of it.
#[must_use]
pub fn has_approved(view: &HoldView, person: &str, only: &[String]) -> bool {
    let is_by = |by: &[String]| by.iter().any(|name| is_same_person(name, person));
    let is_part_by = |resource: &String| {
        let mut parts = view.approved_parts.iter();
        parts.any(|part| part.resource == *resource && is_by(&part.by))
    };
    is_by(&view.approved_by) || !only.is_empty() && only.iter().all(is_part_by)
}

/// Whether a person has approved a hold, or each of these resources of it, and the approval still counts.
/// Unlike [`has_approved`] also of a hold that no apply has recorded.
pub async fn approved_before(
    store: &Store,
    ttl: Duration,
    (hold, only): (&str, &[String]),
    person: &str,
) -> Result<bool, StoreError> {
    let approvers = store.approvers(earliest_that_counts(ttl)).await?;
    let is_by = |approval: &str| {
        let mut people = approving_people(&approvers, approval).into_iter();
        people.any(|name| is_same_person(name, person))
    };
    let mut parts = only.iter().map(|resource| format!("{hold} {resource}"));
    Ok(is_by(hold) || !only.is_empty() && parts.all(|part| is_by(&part)))
}

/// The moment before which approvals have lapsed, in milliseconds since 1970.
fn earliest_that_counts(ttl: Duration) -> i64 {
    let ttl = TimeDelta::from_std(ttl).unwrap_or(TimeDelta::MAX);
    let since = Utc::now().checked_sub_signed(ttl);
    since.unwrap_or(DateTime::UNIX_EPOCH).timestamp_millis()
}

/// The people who approved a hold, and those who approved a part of it.
pub(super) fn waiting_approvers(
    approvers: &Approvers,
    hold: &str,
) -> (Vec<String>, Vec<PartApproval>) {
    let whole = approving_people(approvers, hold);
    let parts = approvers.keys().filter_map(|name| {
        let resource = name.strip_prefix(hold)?.strip_prefix(' ')?;
        let by = approving_people(approvers, name);
        Some(PartApproval {
            resource: resource.to_owned(),
            by: by.into_iter().cloned().collect(),
        })
    });
    (whole.into_iter().cloned().collect(), parts.collect())
}

/// The people who approved a hold, or some of it.
pub(super) fn people_of(approvers: &Approvers, hold: &HoldState) -> Vec<String> {
    let Some(id) = &hold.hold else {
        return Vec::new();
    };
    let of_hold = approvers.iter();
    let of_hold = of_hold.filter(|(name, _)| name.split(' ').next() == Some(id.as_str()));
    let people = distinct_people(of_hold.flat_map(|(_, people)| people));
    people.into_iter().cloned().collect()
}
