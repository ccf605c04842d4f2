//! Rules that need more than one resource: references, last users, duplicate e-mails.
//!
//! Input is a [`PlannedState`], which is the database with the effects of the plan applied, and the
//! keys to check. Output is a sorted list of [`RuleDiagnostic`]. Rules are pure: they do not read
//! the database, and they do not know about holds, because a held effect is not part of the state
//! they see. Start with `RULES`, which lists every rule, and `run`, which runs them.
//! [`subjects()`] decides which resources a plan makes worth checking.

mod accounts;
mod addresses;
mod context;
mod custom;
mod field_index;
mod fields;
mod logins;
mod organisations;
mod planned_state;
mod policies;
mod references;
mod referrers;
mod rule_diagnostic;
mod subjects;
mod suggest;
mod typing;
mod uniqueness;
mod unread;
mod users;
pub mod zip;

#[cfg(test)]
mod tests;

pub use context::CheckContext;
pub use logins::taken_logins;
pub use planned_state::{
    DeletionConsequence, PlannedChange, PlannedOutcome, PlannedState, ResourceView,
};
pub use policies::{ApproverState, NOBODY_CAN_ACT_HELP, nobody_can_act};
pub use rule_diagnostic::RuleDiagnostic;
pub use subjects::{CheckSubjects, subjects};
pub use typing::{
    CustomFieldDefinition, CustomFieldDefinitions, CustomType, definitions, type_custom,
};
pub use unread::fold_unread;
pub(crate) use users::ADMINISTRATOR;

use crate::diagnostic::{Code, Severity, codes, thousands};
use crate::kinds::{ACCOUNT, ADDRESS, CUSTOM_FIELD, ORGANISATION, POLICY, SETTINGS, USER};
use crate::model::{Key, KindId};
use rayon::prelude::*;

/// The diagnostics of rules, in any order.
type RuleDiagnostics = Vec<RuleDiagnostic>;

/// One entry of [`RULES`]. It has several codes when one look at a resource answers several
/// questions.
struct CheckRule {
    /// The codes it may report.
    pub codes: &'static [Code],
    pub check: RuleCheck,
}

/// Checks one resource as it will be after the plan.
type ResourceCheck = for<'a> fn(&CheckContext<'_, 'a>, ResourceView<'a>, &mut RuleDiagnostics);

/// What a rule is called with.
enum RuleCheck {
    /// Called for each subject that exists after the plan.
    EachResource(ResourceCheck),
    /// Called for each subject of one kind that exists after the plan.
    EachOfKind(KindId, ResourceCheck),
    /// Called once, for rules about groups of resources or about resources that are gone.
    Everything(fn(&CheckContext<'_, '_>, &CheckSubjects<'_>, &mut RuleDiagnostics)),
}

/// All rules across resources.
const RULES: &[CheckRule] = &[
    rule(
        &[codes::REFERENCE, codes::REFERENCE_INACTIVE],
        RuleCheck::EachResource(references::links),
    ),
    rule(
        &[codes::REFERENCE_INACTIVE, codes::IN_USE],
        RuleCheck::Everything(references::removals),
    ),
    rule(
        &[codes::REFERENCE, codes::ENUM],
        RuleCheck::Everything(references::salvaged),
    ),
    rule(
        &[codes::REQUIRED],
        RuleCheck::EachResource(fields::required),
    ),
    rule(
        &[codes::REQUIRED],
        RuleCheck::Everything(fields::required_again),
    ),
    rule(
        &[codes::ID_IMMUTABLE],
        RuleCheck::EachResource(fields::immutable),
    ),
    rule(&[codes::ENUM], RuleCheck::EachOfKind(USER, fields::groups)),
    rule(
        &[codes::ENUM],
        RuleCheck::EachOfKind(SETTINGS, fields::optional_fields),
    ),
    rule(
        &[codes::VAT_COUNTRY],
        RuleCheck::EachOfKind(ACCOUNT, fields::vat_country),
    ),
    rule(
        &[codes::ZIP_FORMAT],
        RuleCheck::EachOfKind(ADDRESS, fields::zip_format),
    ),
    rule(
        &[codes::ACCOUNT_WITHOUT_USER],
        RuleCheck::EachOfKind(ACCOUNT, accounts::without_user),
    ),
    rule(
        &[codes::ACCOUNT_WITHOUT_USER],
        RuleCheck::Everything(accounts::without_first_users),
    ),
    rule(
        &[codes::ACCOUNT_WITHOUT_ADDRESS],
        RuleCheck::EachOfKind(ACCOUNT, accounts::without_address),
    ),
    rule(
        &[codes::LEGAL_USER],
        RuleCheck::EachOfKind(ACCOUNT, accounts::legal_user),
    ),
    rule(
        &[codes::DATE],
        RuleCheck::EachOfKind(ACCOUNT, fields::future_dates),
    ),
    rule(
        &[codes::CUSTOMER_NUMBER_MISSING],
        RuleCheck::Everything(accounts::without_number),
    ),
    rule(
        &[codes::USER_WITHOUT_ACCOUNT],
        RuleCheck::EachOfKind(USER, users::without_account),
    ),
    rule(
        &[codes::REFERENCE],
        RuleCheck::EachOfKind(USER, users::dated_links),
    ),
    rule(
        &[codes::NOTIFY_NO_EMAIL],
        RuleCheck::EachOfKind(USER, users::notified_without_email),
    ),
    rule(
        &[codes::LAST_USER, codes::LAST_ADMINISTRATOR],
        RuleCheck::Everything(users::last_of_accounts),
    ),
    rule(
        &[codes::MAIN_ORGANISATION],
        RuleCheck::EachOfKind(USER, organisations::main),
    ),
    rule(
        &[codes::ORGANISATION_ACCOUNT],
        RuleCheck::EachOfKind(USER, organisations::of_user),
    ),
    rule(
        &[codes::ORGANISATION_ACCOUNT],
        RuleCheck::EachOfKind(ORGANISATION, organisations::parent_account),
    ),
    rule(
        &[codes::ORGANISATION_CYCLE, codes::ORGANISATION_DEPTH],
        RuleCheck::Everything(organisations::tree),
    ),
    rule(
        &[codes::POLICY_FOREIGN_USER],
        RuleCheck::EachOfKind(POLICY, policies::foreign_users),
    ),
    rule(
        &[codes::POLICY_APPROVERS],
        RuleCheck::EachOfKind(POLICY, policies::approvers),
    ),
    rule(
        &[codes::POLICY_SELF],
        RuleCheck::EachOfKind(POLICY, policies::self_approval),
    ),
    rule(
        &[codes::ADDRESS_NO_USE],
        RuleCheck::EachOfKind(ACCOUNT, addresses::no_use),
    ),
    rule(
        &[codes::ADDRESS_LINK_INCOMPLETE],
        RuleCheck::EachOfKind(ACCOUNT, addresses::link_incomplete),
    ),
    rule(
        &[codes::ADDRESS_LINK_AND_UPDATE],
        RuleCheck::EachOfKind(ADDRESS, addresses::link_and_update),
    ),
    rule(
        &[codes::CUSTOM_FIELD_UNKNOWN],
        RuleCheck::EachResource(custom::undefined),
    ),
    rule(
        &[codes::CUSTOM_FIELD_REQUIRED],
        RuleCheck::EachResource(custom::missing),
    ),
    rule(
        &[codes::ID_FORMAT],
        RuleCheck::EachOfKind(CUSTOM_FIELD, custom::named_like_id),
    ),
    rule(
        &[codes::CUSTOM_FIELD_BACKFILL],
        RuleCheck::Everything(custom::backfill),
    ),
    rule(
        &[codes::CUSTOM_FIELD_OPTION],
        RuleCheck::Everything(custom::options_gone),
    ),
    rule(
        &[codes::EMAIL_DUPLICATE],
        RuleCheck::Everything(uniqueness::emails),
    ),
    rule(
        &[codes::CUSTOMER_NUMBER_DUPLICATE],
        RuleCheck::Everything(uniqueness::customer_numbers),
    ),
    rule(
        &[codes::LOGIN_TAKEN],
        RuleCheck::Everything(logins::not_taken),
    ),
    rule(
        &[codes::ID_CASE],
        RuleCheck::Everything(uniqueness::id_case),
    ),
    rule(
        &[codes::ID_ZEROS],
        RuleCheck::Everything(uniqueness::id_zeros),
    ),
];

/// Severities that differ in exports.
///
/// An export of accounts does not name their users, so an account without one is only a warning.
/// Changing an address that other customers use becomes an error, because nobody reviews an export
/// and would see the warning before it is applied.
const FEED_SEVERITIES: &[(Code, Severity)] = &[
    (codes::ACCOUNT_WITHOUT_USER, Severity::Warning),
    (codes::ORGANISATION_DEPTH, Severity::Warning),
    (codes::ADDRESS_LINK_AND_UPDATE, Severity::Error),
];

/// Warnings that are reported once for an export, with a count. Every row of it may have them.
const ONCE_PER_EXPORT: &[Code] = &[codes::ACCOUNT_WITHOUT_USER];

fn apply_feed_severities(findings: &mut RuleDiagnostics) {
    for finding in findings.iter_mut() {
        let found = &mut finding.diagnostic;
        if let Some((_, severity)) = FEED_SEVERITIES.iter().find(|(code, _)| *code == found.code) {
            found.severity = *severity;
        }
    }
    for code in ONCE_PER_EXPORT {
        let is = |finding: &RuleDiagnostic| {
            finding.diagnostic.code == *code && !finding.diagnostic.is_error()
        };
        let count = findings.iter().filter(|finding| is(finding)).count();
        // The findings are sorted by now, so the one that stays is the same in every pass.
        let mut first = true;
        findings.retain(|finding| !is(finding) || std::mem::take(&mut first));
        let told = findings.iter_mut().find(|finding| is(finding));
        if let (Some(told), 2..) = (told, count) {
            let message = &mut told.diagnostic.message;
            let more = match count - 1 {
                1 => "the same applies to 1 more".to_owned(),
                more => format!("the same applies to {} more", thousands(more)),
            };
            *message = format!("{message}; {more}");
        }
    }
}

const fn rule(codes: &'static [Code], check: RuleCheck) -> CheckRule {
    CheckRule { codes, check }
}

/// The number of subjects in one parallel task.
const CHUNK: usize = 4096;

/// Runs all rules on these subjects. The result is sorted by resource, code, field and message.
pub fn run(world: &PlannedState<'_>, subjects: &[Key]) -> Vec<RuleDiagnostic> {
    let scene = CheckContext::new(world);
    let subjects = CheckSubjects::new(subjects);
    let (each, whole) = rayon::join(
        || run_resource_checks(&scene, &subjects),
        || run_global_checks(&scene, &subjects),
    );
    let mut findings: RuleDiagnostics = each.into_iter().chain(whole).flatten().collect();
    // All faults of a resource come together, however the rules are listed. Plans are
    // byte-identical for identical input, so the order must be total.
    findings.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    findings.dedup_by(|later, first| later.sort_key() == first.sort_key());
    // Only the first findings get a suggestion, so they have to be in their final order.
    suggest::add_suggestions(&scene, &mut findings);
    findings.iter_mut().for_each(RuleDiagnostic::ensure_origin);
    if world.desired.partial {
        apply_feed_severities(&mut findings);
    }
    findings
}

fn run_resource_checks(
    scene: &CheckContext<'_, '_>,
    subjects: &CheckSubjects<'_>,
) -> Vec<RuleDiagnostics> {
    subjects
        .keys()
        .par_chunks(CHUNK)
        .map(|keys| {
            let mut findings = RuleDiagnostics::new();
            for view in keys.iter().filter_map(|key| scene.world.after(key)) {
                check_resource(scene, view, &mut findings);
            }
            findings
        })
        .collect()
}

fn check_resource<'a>(
    scene: &CheckContext<'_, 'a>,
    view: ResourceView<'a>,
    findings: &mut RuleDiagnostics,
) {
    for rule in RULES {
        let before = findings.len();
        match rule.check {
            RuleCheck::EachResource(check) => check(scene, view, findings),
            RuleCheck::EachOfKind(kind, check) if kind == view.key.kind => {
                check(scene, view, findings);
            }
            RuleCheck::EachOfKind(..) | RuleCheck::Everything(_) => {}
        }
        rule.assert_codes(&findings[before..]);
    }
}

impl CheckRule {
    /// Keeps the list true: it says where to look for the rule of a code.
    fn assert_codes(&self, findings: &[RuleDiagnostic]) {
        for finding in findings {
            let code = finding.diagnostic.code;
            debug_assert!(self.codes.contains(&code), "{code} is not listed");
        }
    }
}

fn run_global_checks(
    scene: &CheckContext<'_, '_>,
    subjects: &CheckSubjects<'_>,
) -> Vec<RuleDiagnostics> {
    RULES
        .par_iter()
        .map(|rule| {
            let mut findings = RuleDiagnostics::new();
            if let RuleCheck::Everything(check) = rule.check {
                check(scene, subjects, &mut findings);
            }
            rule.assert_codes(&findings);
            findings
        })
        .collect()
}
