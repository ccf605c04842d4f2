//! Runs the rules of `check` on the state after some effects. Faults that were stored before are
//! lowered to warnings, and where another source declares what is missing, its name is added. In go
//! effects, out come diagnostics.

use super::context::PlanContext;
use super::planned_change::change_of;
use super::rules::PeerSource;
use crate::check::{self, PlannedChange, PlannedOutcome, PlannedState, RuleDiagnostic};
use crate::diagnostic::{Code, Diagnostic, Severity, codes};
use crate::kinds;
use crate::model::{Key, KeyedList};
use std::collections::BTreeSet;

/// Tells whether two diagnostics in two states are the same: by their place, not by their wording.
pub(super) type RuleSignature = (Code, Option<Key>, Option<String>);

pub(super) fn signature(finding: &RuleDiagnostic) -> RuleSignature {
    let diagnostic = &finding.diagnostic;
    (
        diagnostic.code,
        diagnostic.key.clone(),
        diagnostic.field.clone(),
    )
}

/// Whether a warning says that the last user, administrator or approver goes. By itself that is no
/// error, but it becomes one when only a hold keeps the successor away.
pub(super) fn leaves_nobody(finding: &RuleDiagnostic) -> bool {
    let code = finding.diagnostic.code;
    finding.diagnostic.severity == Severity::Warning
        && !finding.at_run_time
        && [
            codes::LAST_USER,
            codes::LAST_ADMINISTRATOR,
            codes::POLICY_APPROVERS,
        ]
        .contains(&code)
}

/// The findings of the rules in the state after the effects. A fault that was already stored, and
/// that the plan neither causes nor worsens, is a warning.
pub(super) fn rule_diagnostics(
    context: &PlanContext<'_>,
    effects: &KeyedList<PlannedChange>,
) -> Vec<RuleDiagnostic> {
    let world = PlannedState::indexed(context.stored, context.desired, effects);
    let subjects = check::subjects(&world);
    let mut findings = check::run(&world, &subjects);
    set_severities(context, findings.iter_mut().map(|it| &mut it.diagnostic));
    name_declarers(context, &mut findings);
    name_setters(context, &world, &mut findings);
    // Most plans have no errors, so the second run on the old state is spared.
    if !findings.iter().any(|finding| finding.diagnostic.is_error()) {
        return findings;
    }
    let nothing = KeyedList::default();
    let before = world.without_effects(&nothing);
    // A warning that becomes an error is the doing of this plan.
    let mut stored = check::run(&before, &subjects);
    set_severities(context, stored.iter_mut().map(|it| &mut it.diagnostic));
    let stored = stored.iter().filter(|found| found.diagnostic.is_error());
    let stored: BTreeSet<_> = stored.map(RuleDiagnostic::identity).collect();
    for finding in &mut findings {
        let subject = finding.diagnostic.key.as_ref();
        let comes = subject.and_then(|key| world.after(key));
        // A resource that becomes active is judged like a new one, whatever was wrong with it while
        // it was inactive.
        let comes = comes.is_some_and(|view| view.becomes_live());
        let is_new = comes || finding.of_row;
        if finding.diagnostic.is_error() && !is_new && stored.contains(&finding.identity()) {
            finding.diagnostic.severity = Severity::Warning;
        }
    }
    findings
}

/// Makes errors of the warnings that the configuration asks for, and lowers what it asks to lower.
/// Warnings are raised only where they are warnings by their rule: an error that was lowered, because
/// it was stored before, stays a warning.
fn set_severities<'d>(context: &PlanContext<'_>, found: impl Iterator<Item = &'d mut Diagnostic>) {
    let severities = &context.rules.severities;
    for found in found {
        match (found.severity, severities.get(&found.code)) {
            (Severity::Warning, Some(Severity::Error)) => found.severity = Severity::Error,
            (from, Some(to)) if lowers(from, *to) => found.severity = *to,
            _ => {}
        }
    }
}

/// Whether a severity that was asked for is less than the one that the rule has.
fn lowers(from: Severity, to: Severity) -> bool {
    matches!(
        (from, to),
        (Severity::Error, Severity::Warning) | (Severity::Warning, Severity::Note)
    )
}

/// The same for what was found while the source was read. What the plan neither creates nor changes
/// stays a warning, or an id that can never change would refuse every plan.
pub(super) fn set_found_severities(
    context: &PlanContext<'_>,
    effects: &KeyedList<PlannedChange>,
    found: &mut [Diagnostic],
) {
    let is_new = |found: &Diagnostic| {
        let Some(key) = &found.key else {
            return true;
        };
        let Some(effect) = effects.get(key) else {
            return false;
        };
        let field = found.field.as_deref();
        match &effect.outcome {
            PlannedOutcome::Create { .. } => true,
            PlannedOutcome::Delete(_) => false,
            PlannedOutcome::Change(_) => field
                .and_then(|name| kinds::get(key.kind).field_ref(name))
                .is_some_and(|field| change_of(effect, &field).is_some()),
        }
    };
    let severities = &context.rules.severities;
    let is_raised = |found: &Diagnostic| severities.get(&found.code) == Some(&Severity::Error);
    let found = found.iter_mut();
    let found = found.filter(|found| !is_raised(found) || is_new(found));
    set_severities(context, found);
}

/// The other sources that may declare what is missing.
fn other_sources<'c>(context: &'c PlanContext<'_>) -> impl Iterator<Item = &'c PeerSource> {
    context.rules.peers.iter().chain(&context.rules.witnesses)
}

/// For a fault caused by a setting: names the other source that will change it.
fn name_setters(
    context: &PlanContext<'_>,
    world: &PlannedState<'_>,
    findings: &mut [RuleDiagnostic],
) {
    for finding in findings {
        let Some(setting) = finding.setting else {
            continue;
        };
        let key = kinds::settings_key();
        let field = kinds::own_field(kinds::get(key.kind).expect_index(setting));
        let now = world.setting(setting);
        let sets = |peer: &&PeerSource| {
            let declared = peer.desired.as_ref()?.resources.get(&key)?;
            let stated = declared.stated(&field)?.cell.value();
            Some(stated.is_some() && stated != now.as_ref())
        };
        let Some(peer) = other_sources(context).find(|peer| sets(peer) == Some(true)) else {
            continue;
        };
        let name = &peer.name;
        finding.diagnostic.help = Some(format!(
            "Source {name} sets `{setting}`. Apply it first: `roster apply --source {name}`"
        ));
    }
}

/// For a dangling reference: names the other source that declares the target.
fn name_declarers(context: &PlanContext<'_>, findings: &mut [RuleDiagnostic]) {
    let dangling = |finding: &&mut RuleDiagnostic| finding.diagnostic.code == codes::REFERENCE;
    for finding in findings.iter_mut().filter(dangling) {
        let Some(target) = finding.involves.first() else {
            continue;
        };
        let peers = other_sources(context);
        let declarers = peers.filter_map(|peer| Some((&peer.name, peer.declares(target)?)));
        // A source that can be applied now comes before one that holds the target.
        let Some((name, accepted)) = declarers.min_by_key(|(_, accepted)| !accepted) else {
            continue;
        };
        // Only without a database are there witnesses, and then it is unknown what is stored.
        finding.diagnostic.message = if context.rules.witnesses.is_empty() {
            format!("{target} does not exist yet")
        } else {
            format!("{target} does not exist in this source")
        };
        finding.diagnostic.help = Some(if accepted {
            format!(
                "Source {name} declares {target}. Apply it first: `roster apply --source {name}`"
            )
        } else {
            format!(
                "Source {name} declares {target}, but holds it. Fix the errors of source {name} first"
            )
        });
    }
}
