//! The sentence that a hold begins with, such as "6 people change groups; the limit is 3". Pure, so
//! that the home page, the page of a source and a title say the same.

use crate::diagnostic::{codes, thousands};
use crate::document::{FieldChangeDocument, HoldState};
use crate::kinds::{self, USER};
use crate::model::Key;
use crate::plan::StepVerb;
use crate::plan::render::counted;

/// Says what a hold is about.
pub(super) fn sentence(hold: &HoldState) -> String {
    let is_guard = hold.code == codes::GUARD.name();
    // A guard may count people that a few steps concern: then the people are what matters.
    let counts_steps = hold
        .counted
        .is_none_or(|counted| counted == hold.count as u64);
    let what = match &hold.effects {
        Some(effects) if is_guard && !counts_steps => effects.trim_end_matches('.').to_owned(),
        _ => format!("{} {}", who(hold), what(hold, is_guard)),
    };
    let what = match hold.reverts {
        Some(run) => format!("Revert of run {run}: {what}"),
        None => what,
    };
    match hold.limit {
        // Earlier plans count too.
        Some(limit) if is_guard && hold.counted.unwrap_or(hold.count as u64) <= limit => {
            format!(
                "{what}; with earlier plans more than the limit of {}",
                thousands(limit)
            )
        }
        Some(limit) if is_guard => format!("{what}; the limit is {}", thousands(limit)),
        _ => format!("{what} ({})", hold.code.replace('-', " ")),
    }
}

/// The number of changes of a hold, as in "Approve 6 changes".
pub(super) fn changes(count: usize) -> String {
    match count {
        1 => "1 change".to_owned(),
        many => format!("{} changes", thousands(many)),
    }
}

/// Whom or what a hold concerns: `6 people`, `Anna Berg`, `3 accounts`.
fn who(hold: &HoldState) -> String {
    if let ([one], 1) = (&hold.resources[..], hold.count) {
        let detail = hold.details.first();
        let name = detail.and_then(|detail| detail.name.clone());
        return name.unwrap_or_else(|| one.clone());
    }
    let mut kinds: Vec<_> = hold
        .resources
        .iter()
        .filter_map(|resource| Some(Key::parse(resource)?.kind))
        .collect();
    kinds.dedup();
    match kinds[..] {
        [USER] => format!("{} people", thousands(hold.count)),
        [kind] => counted(hold.count, kinds::get(kind)),
        _ => format!("{} resources", thousands(hold.count)),
    }
}

/// What happens to them. What a guard holds is valid, and anything else only would happen.
fn what(hold: &HoldState, is_guard: bool) -> String {
    let one = hold.count == 1;
    let verb = hold.verb.as_str();
    if verb == StepVerb::Update.word() {
        let change = match (is_guard, one) {
            (false, _) => "would change",
            (true, true) => "changes",
            (true, false) => "change",
        };
        let changes = hold.details.iter().flat_map(|detail| &detail.changes);
        let mut fields: Vec<String> = changes.map(name).collect();
        fields.sort_unstable();
        fields.dedup();
        return match &fields[..] {
            [] => change.to_owned(),
            [field] => format!("{change} {field}"),
            [first, second] => format!("{change} {first} and {second}"),
            _ => format!("{change} in {} fields", fields.len()),
        };
    }
    let be = match (is_guard, one) {
        (false, _) => "would be",
        (true, true) => "is",
        (true, false) => "are",
    };
    // Every verb takes a regular past tense once its final e is gone.
    format!("{be} {}ed", verb.trim_end_matches('e'))
}

/// What changes: a field or, of accounts that stay, the level in them.
fn name(change: &FieldChangeDocument<'_>) -> String {
    let is_empty = |list: Option<usize>| list.unwrap_or_default() == 0;
    let stays = is_empty(change.added.as_ref().map(Vec::len))
        && is_empty(change.removed.as_ref().map(Vec::len));
    if stays && change.changed.is_some() && change.field == "accounts" {
        return "account level".to_owned();
    }
    words(&change.field)
}

/// The name of a field as words: `first name`.
fn words(field: &str) -> String {
    // The id of a custom field is a name already.
    if let Some(custom) = field.strip_prefix("customFields.") {
        return custom.to_owned();
    }
    let mut text = String::new();
    for letter in field.chars() {
        if letter.is_ascii_uppercase() {
            text.push(' ');
        }
        text.push(if letter == '.' {
            ' '
        } else {
            letter.to_ascii_lowercase()
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::HeldResource;
    use chrono::Utc;

    fn hold(verb: &str, resources: &[&str], fields: &[&str]) -> HoldState {
        let changes = fields.iter().map(|field| FieldChangeDocument {
            field: (*field).to_owned().into(),
            ..FieldChangeDocument::default()
        });
        let changes: Vec<_> = changes.collect();
        let details = resources.iter().map(|resource| HeldResource {
            resource: (*resource).to_owned(),
            changes: changes.clone(),
            ..HeldResource::default()
        });
        HoldState {
            hold: None,
            code: "guard".into(),
            message: String::new(),
            verb: verb.into(),
            count: resources.len(),
            resources: resources.iter().map(|it| (*it).to_owned()).collect(),
            details: details.collect(),
            counted: Some(resources.len() as u64),
            limit: Some(1),
            commits: None,
            consequences: Vec::new(),
            consequence_count: 0,
            effects: None,
            approvals_needed: None,
            effect_lines: Vec::new(),
            accounts: Vec::new(),
            standing: false,
            since: Utc::now(),
            commands: Vec::new(),
            otherwise: None,
            reverts: None,
        }
    }

    #[test]
    fn a_hold_begins_with_whom_it_concerns_and_what_happens_to_them() {
        let users = ["User/a", "User/b"];
        let said = |hold| sentence(&hold);
        assert_eq!(
            said(hold("update", &users, &["groups"])),
            "2 people change groups; the limit is 1"
        );
        assert_eq!(
            said(hold("update", &users, &["firstName", "legalUser.birthday"])),
            "2 people change first name and legal user birthday; the limit is 1"
        );
        assert_eq!(
            said(hold("deactivate", &["Account/a", "Account/b"], &["status"])),
            "2 accounts are deactivated; the limit is 1"
        );
        let mut renamed = hold("deactivate", &["User/a"], &[]);
        renamed.code = "possible-rename".into();
        assert_eq!(
            said(renamed.clone()),
            "User/a would be deactivated (possible rename)"
        );
        renamed.details[0].name = Some("Anna Berg".into());
        assert_eq!(
            said(renamed),
            "Anna Berg would be deactivated (possible rename)"
        );
        let mut few = hold("deactivate", &users, &["status"]);
        few.limit = Some(13);
        assert_eq!(
            said(few),
            "2 people are deactivated; with earlier plans more than the limit of 13"
        );
    }

    #[test]
    fn a_guard_that_counts_people_names_them_and_not_the_few_steps() {
        let mut wide = hold("update", &["Organisation/north"], &["parent"]);
        wide.counted = Some(30);
        wide.effects = Some("30 users see more people.".into());
        assert_eq!(sentence(&wide), "30 users see more people; the limit is 1");
    }
}
