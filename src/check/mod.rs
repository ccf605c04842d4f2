//! Rules across resources: one named list, each a function of the state after the plan.
//!
//! A rule looks at what the plan touches and at whatever refers to it, in the [`World`] as it
//! would be after the plan, and says what is wrong. It never looks at the database, and it never
//! knows what is held: what is held is simply not in its world.

mod accounts;
mod addresses;
mod at;
mod custom;
mod fields;
mod finding;
mod organisations;
mod policies;
mod references;
mod scene;
mod subjects;
mod suggest;
mod typing;
mod uniqueness;
mod unread;
mod users;
mod world;
pub mod zip;

#[cfg(test)]
mod tests;

pub use finding::Finding;
pub use scene::Scene;
pub use subjects::{Subjects, subjects};
pub use typing::{CustomType, Definition, Definitions, definitions, type_custom};
pub use unread::fold;
pub(crate) use users::ADMINISTRATOR;
pub use world::{Effect, Outcome, View, World};

use crate::diagnostic::{Code, Severity, codes, thousands};
use crate::kinds::{ACCOUNT, ADDRESS, ORGANISATION, POLICY, SETTINGS, USER};
use crate::model::{Key, KindId};
use rayon::prelude::*;

/// What rules found, in any order.
pub type Findings = Vec<Finding>;

/// A rule, or several that look at the same things.
pub struct Rule {
    /// What it may find.
    pub codes: &'static [Code],
    /// How it looks.
    pub check: Check,
}

/// Looks at one resource as it would be.
pub type Look = for<'a> fn(&Scene<'_, 'a>, View<'a>, &mut Findings);

/// How a rule looks at the world.
pub enum Check {
    /// At each subject that would be there.
    Any(Look),
    /// At each subject of one kind that would be there.
    Each(KindId, Look),
    /// At everything at once.
    Whole(fn(&Scene<'_, '_>, &Subjects<'_>, &mut Findings)),
}

/// All rules across resources.
pub const RULES: &[Rule] = &[
    rule(
        &[codes::REFERENCE, codes::REFERENCE_INACTIVE],
        Check::Any(references::links),
    ),
    rule(
        &[codes::REFERENCE_INACTIVE, codes::IN_USE],
        Check::Whole(references::removals),
    ),
    rule(
        &[codes::REFERENCE, codes::ENUM],
        Check::Whole(references::salvaged),
    ),
    rule(&[codes::REQUIRED], Check::Any(fields::required)),
    rule(&[codes::REQUIRED], Check::Whole(fields::required_again)),
    rule(&[codes::ID_IMMUTABLE], Check::Any(fields::immutable)),
    rule(&[codes::ENUM], Check::Each(USER, fields::groups)),
    rule(
        &[codes::ENUM],
        Check::Each(SETTINGS, fields::optional_fields),
    ),
    rule(
        &[codes::VAT_COUNTRY],
        Check::Each(ACCOUNT, fields::vat_country),
    ),
    rule(
        &[codes::ZIP_FORMAT],
        Check::Each(ADDRESS, fields::zip_format),
    ),
    rule(
        &[codes::ACCOUNT_WITHOUT_USER],
        Check::Each(ACCOUNT, accounts::without_user),
    ),
    rule(
        &[codes::ACCOUNT_WITHOUT_USER],
        Check::Whole(accounts::without_first_users),
    ),
    rule(
        &[codes::ACCOUNT_WITHOUT_ADDRESS],
        Check::Each(ACCOUNT, accounts::without_address),
    ),
    rule(
        &[codes::LEGAL_USER],
        Check::Each(ACCOUNT, accounts::legal_user),
    ),
    rule(
        &[codes::CUSTOMER_NUMBER_MISSING],
        Check::Whole(accounts::without_number),
    ),
    rule(
        &[codes::USER_WITHOUT_ACCOUNT],
        Check::Each(USER, users::without_account),
    ),
    rule(
        &[codes::LAST_USER, codes::LAST_ADMINISTRATOR],
        Check::Whole(users::last_of_accounts),
    ),
    rule(
        &[codes::MAIN_ORGANISATION],
        Check::Each(USER, organisations::main),
    ),
    rule(
        &[codes::ORGANISATION_ACCOUNT],
        Check::Each(USER, organisations::of_user),
    ),
    rule(
        &[codes::ORGANISATION_ACCOUNT],
        Check::Each(ORGANISATION, organisations::parent_account),
    ),
    rule(
        &[codes::ORGANISATION_CYCLE, codes::ORGANISATION_DEPTH],
        Check::Whole(organisations::tree),
    ),
    rule(
        &[codes::POLICY_FOREIGN_USER],
        Check::Each(POLICY, policies::foreign_users),
    ),
    rule(
        &[codes::POLICY_APPROVERS],
        Check::Each(POLICY, policies::approvers),
    ),
    rule(
        &[codes::POLICY_SELF],
        Check::Each(POLICY, policies::self_approval),
    ),
    rule(
        &[codes::ADDRESS_NO_USE],
        Check::Each(ACCOUNT, addresses::no_use),
    ),
    rule(
        &[codes::ADDRESS_LINK_INCOMPLETE],
        Check::Each(ACCOUNT, addresses::link_incomplete),
    ),
    rule(
        &[codes::ADDRESS_LINK_AND_UPDATE],
        Check::Each(ADDRESS, addresses::link_and_update),
    ),
    rule(
        &[codes::CUSTOM_FIELD_UNKNOWN],
        Check::Any(custom::undefined),
    ),
    rule(&[codes::CUSTOM_FIELD_REQUIRED], Check::Any(custom::missing)),
    rule(
        &[codes::CUSTOM_FIELD_BACKFILL],
        Check::Whole(custom::backfill),
    ),
    rule(
        &[codes::CUSTOM_FIELD_OPTION],
        Check::Whole(custom::options_gone),
    ),
    rule(&[codes::EMAIL_DUPLICATE], Check::Whole(uniqueness::emails)),
    rule(
        &[codes::CUSTOMER_NUMBER_DUPLICATE],
        Check::Whole(uniqueness::customer_numbers),
    ),
    rule(&[codes::ID_CASE], Check::Whole(uniqueness::id_case)),
    rule(&[codes::ID_ZEROS], Check::Whole(uniqueness::id_zeros)),
];

/// What matters otherwise in an export, which nobody reviews and which names no users beside their
/// accounts.
const FEEDS: &[(Code, Severity)] = &[
    (codes::ACCOUNT_WITHOUT_USER, Severity::Warning),
    (codes::ORGANISATION_DEPTH, Severity::Warning),
    (codes::ADDRESS_LINK_AND_UPDATE, Severity::Error),
];

/// What is said once of an export, with how often: nobody wants it of each of its rows.
const ONCE: &[Code] = &[codes::ACCOUNT_WITHOUT_USER];

/// Gives findings the weight that they have in an export.
fn of_feed(findings: &mut Findings) {
    for finding in findings.iter_mut() {
        let found = &mut finding.diagnostic;
        if let Some((_, severity)) = FEEDS.iter().find(|(code, _)| *code == found.code) {
            found.severity = *severity;
        }
    }
    for code in ONCE {
        let is =
            |finding: &Finding| finding.diagnostic.code == *code && !finding.diagnostic.is_error();
        let count = findings.iter().filter(|finding| is(finding)).count();
        let mut first = true;
        findings.retain(|finding| !is(finding) || std::mem::take(&mut first));
        let told = findings.iter_mut().find(|finding| is(finding));
        if let (Some(told), 2..) = (told, count) {
            let message = &mut told.diagnostic.message;
            let more = match count - 1 {
                1 => "so is 1 more".to_owned(),
                more => format!("so are {} more", thousands(more)),
            };
            *message = format!("{message}; {more}");
        }
    }
}

const fn rule(codes: &'static [Code], check: Check) -> Rule {
    Rule { codes, check }
}

/// How many subjects one task looks at.
const CHUNK: usize = 4096;

/// What all rules find of these subjects, sorted by resource, rule and field.
pub fn run(world: &World<'_>, subjects: &[Key]) -> Vec<Finding> {
    let scene = Scene::new(world);
    let subjects = Subjects::new(subjects);
    let (each, whole) = rayon::join(|| each(&scene, &subjects), || whole(&scene, &subjects));
    let mut findings: Findings = each.into_iter().chain(whole).flatten().collect();
    findings.sort_by(|a, b| a.order().cmp(&b.order()));
    findings.dedup_by(|later, first| later.order() == first.order());
    suggest::fill(&scene, &mut findings);
    findings.iter_mut().for_each(Finding::placed);
    if world.desired.partial {
        of_feed(&mut findings);
    }
    findings
}

fn each(scene: &Scene<'_, '_>, subjects: &Subjects<'_>) -> Vec<Findings> {
    subjects
        .keys()
        .par_chunks(CHUNK)
        .map(|keys| {
            let mut findings = Findings::new();
            for view in keys.iter().filter_map(|key| scene.world.after(key)) {
                look(scene, view, &mut findings);
            }
            findings
        })
        .collect()
}

fn look<'a>(scene: &Scene<'_, 'a>, view: View<'a>, findings: &mut Findings) {
    for rule in RULES {
        match rule.check {
            Check::Any(check) => check(scene, view, findings),
            Check::Each(kind, check) if kind == view.key.kind => check(scene, view, findings),
            Check::Each(..) | Check::Whole(_) => {}
        }
    }
}

fn whole(scene: &Scene<'_, '_>, subjects: &Subjects<'_>) -> Vec<Findings> {
    RULES
        .par_iter()
        .map(|rule| {
            let mut findings = Findings::new();
            if let Check::Whole(check) = rule.check {
                check(scene, subjects, &mut findings);
            }
            findings
        })
        .collect()
}
