//! Rules on the state after the plan, and holds until nothing more is held: what remains always
//! passes every rule.

use super::context::PlanContext;
use super::planner::PlanInProgress;
use super::record_mates;
use super::resource_holds::{hold_field, hold_one, hold_unit};
use super::rules::PeerSource;
use super::successors;
use super::types::StepReason;
use crate::check::{self, EffectOutcome, PlannedState, ResourceEffect, RuleDiagnostic};
use crate::diagnostic::{Code, Diagnostic, Severity, codes};
use crate::kinds;
use crate::model::{FieldChange, Key, KeyedList};
use std::collections::{BTreeMap, BTreeSet};

/// What the rules say of the whole plan, before anything is held.
pub(super) struct RuleVerdict {
    pub refused: bool,
    /// The resources with errors, and the rule each broke first.
    faulty: BTreeMap<Key, Code>,
    /// What the rules said, whoever's doing it is.
    error_signatures: BTreeSet<RuleSignature>,
    /// What they warned of that nobody wants who has a successor in the same plan.
    warned: BTreeSet<RuleSignature>,
    /// What they said beside errors, true as long as the effects are the same.
    non_errors: Vec<Diagnostic>,
}

type RuleSignature = (Code, Option<Key>, Option<String>);

fn signature(finding: &RuleDiagnostic) -> RuleSignature {
    let diagnostic = &finding.diagnostic;
    (
        diagnostic.code,
        diagnostic.key.clone(),
        diagnostic.field.clone(),
    )
}

/// Runs the rules on everything that would happen; `parted` are the effects without what waits.
pub(super) fn judge(
    context: &PlanContext<'_>,
    work: &mut PlanInProgress,
    parted: &[ResourceEffect],
) -> RuleVerdict {
    let mut findings = rule_diagnostics(context, &work.effects);
    // Whose e-mail another source still has to give up is held, and that is no fault of this one.
    let waits = |finding: &RuleDiagnostic| finding_waits(context, work, finding);
    let all = findings.len();
    findings.retain(|finding| !waits(finding));
    work.effects_changed |= findings.len() < all;
    work.diagnostics
        .extend(only_if_approved(context, work, parted, &mut findings));
    let mut faulty: BTreeMap<Key, Code> = BTreeMap::new();
    let mut refused = false;
    // What a partial plan is not about is shown and refuses nothing.
    if let Some(only) = &context.rules.only {
        let of_findings = findings.iter_mut().map(|finding| &mut finding.diagnostic);
        for found in work.diagnostics.iter_mut().chain(of_findings) {
            let inside = found.key.as_ref().is_some_and(|key| only.contains(key));
            if found.is_error() && !inside {
                found.severity = Severity::Warning;
            }
        }
    }
    let errors = work
        .diagnostics
        .iter()
        .chain(findings.iter().map(|finding| &finding.diagnostic));
    for error in errors.filter(|diagnostic| diagnostic.is_error()) {
        refused = true;
        if let Some(key) = &error.key {
            faulty.entry(key.clone()).or_insert(error.code);
        }
    }
    let warned = findings.iter().filter(|f| leaves_nobody(f));
    let warned = warned.map(signature).collect();
    let known = findings
        .iter()
        .filter(|f| f.diagnostic.is_error())
        .map(signature)
        .collect();
    if refused && !context.rules.hold_errors {
        work.diagnostics
            .extend(check::fold_unread(findings, context.desired));
        return RuleVerdict {
            refused: true,
            faulty,
            error_signatures: known,
            warned: BTreeSet::new(),
            non_errors: Vec::new(),
        };
    }
    let (errors, calm): (Vec<RuleDiagnostic>, Vec<RuleDiagnostic>) = findings
        .into_iter()
        .partition(|finding| finding.diagnostic.is_error());
    let calm = calm.into_iter().map(|finding| finding.diagnostic).collect();
    work.diagnostics
        .extend(check::fold_unread(errors, context.desired));
    RuleVerdict {
        refused: false,
        faulty,
        error_signatures: known,
        warned,
        non_errors: calm,
    }
}

/// Takes out of the findings the errors that only what is held anyway would make, were it approved:
/// somebody else changed the row, which is no reason to refuse the source.
fn only_if_approved(
    context: &PlanContext<'_>,
    work: &PlanInProgress,
    parted: &[ResourceEffect],
    findings: &mut Vec<RuleDiagnostic>,
) -> Vec<Diagnostic> {
    let mut errors = findings.iter().filter(|found| found.diagnostic.is_error());
    let Some(waiting) = work
        .without_waiting(parted)
        .filter(|_| errors.next().is_some())
    else {
        return Vec::new();
    };
    let left = self::rule_diagnostics(context, &waiting);
    let left = left.iter().filter(|found| found.diagnostic.is_error());
    let left: BTreeSet<RuleSignature> = left.map(signature).collect();
    let all = std::mem::take(findings);
    let (kept, waits) = all
        .into_iter()
        .partition(|found| !found.diagnostic.is_error() || left.contains(&signature(found)));
    *findings = kept;
    let warning = |found: RuleDiagnostic| found.diagnostic.severity(Severity::Warning);
    Vec::into_iter(waits).map(warning).collect()
}

/// Whether a finding is about an e-mail that goes in another source while it comes here.
fn finding_waits(
    context: &PlanContext<'_>,
    work: &PlanInProgress,
    finding: &RuleDiagnostic,
) -> bool {
    let about =
        |key: &Key| finding.diagnostic.key.as_ref() == Some(key) || finding.involves.contains(key);
    finding.diagnostic.code == codes::EMAIL_DUPLICATE
        && work
            .from_elsewhere
            .iter()
            .any(|rename| about(&rename.new) && !super::rename::is_accepted(context, &rename.old))
}

/// Holds faulty units, then whatever is only valid with something held, until nothing more is.
pub(super) fn settle(context: &PlanContext<'_>, work: &mut PlanInProgress, verdict: RuleVerdict) {
    if verdict.faulty.is_empty()
        && !work.effects_changed
        && successors::held_elsewhere(context).is_empty()
    {
        // Nothing was held, here or by another source, so the rules would say the same again.
        work.diagnostics.extend(verdict.non_errors);
        return;
    }
    for (key, code) in &verdict.faulty {
        let message = format!("{key} has errors; it is held until they are fixed");
        hold_unit(context, work, key, *code, *code, &message);
    }
    for mate in record_mates::mates(context, &verdict.faulty) {
        let message = format!(
            "{} is in the same record as {}, which has errors; the whole record is held",
            mate.key, mate.faulty_key
        );
        let (code, root) = (codes::HELD_DEPENDENCY, mate.code);
        hold_unit(context, work, &mate.key, code, root, &message);
    }
    work.remove_held();
    loop {
        if context.rules.stop.is_set() {
            return;
        }
        let findings = rule_diagnostics(context, &work.effects);
        let new = |f: &RuleDiagnostic| {
            let known = verdict.warned.contains(&signature(f));
            leaves_nobody(f) && !known && !is_drift(work, f)
        };
        let wrong = findings
            .iter()
            .filter(|f| f.diagnostic.is_error() || new(f));
        let wrong: Vec<&RuleDiagnostic> = wrong.collect();
        let held_before = work.held.len();
        for finding in wrong {
            hold_dependent(context, work, finding, &verdict.error_signatures);
        }
        successors::keep_predecessors(context, work, &verdict.faulty);
        work.remove_held();
        if work.held.len() == held_before {
            let calm = findings.into_iter().map(|finding| finding.diagnostic);
            work.diagnostics
                .extend(calm.filter(|diagnostic| !diagnostic.is_error()));
            return;
        }
    }
}

/// Whether a finding comes of taking back what somebody else gave.
fn is_drift(work: &PlanInProgress, finding: &RuleDiagnostic) -> bool {
    let mut keys = finding.involves.iter().chain(&finding.diagnostic.key);
    keys.any(|key| work.effects.contains(key) && work.reason(key) == StepReason::Drift)
}

/// Whether a finding says that the last one of some goes: no fault by itself, but nobody's wish when
/// only a hold keeps the successor away.
fn leaves_nobody(finding: &RuleDiagnostic) -> bool {
    let code = finding.diagnostic.code;
    finding.diagnostic.severity == Severity::Warning
        && [
            codes::LAST_USER,
            codes::LAST_ADMINISTRATOR,
            codes::POLICY_APPROVERS,
        ]
        .contains(&code)
}

/// Holds what a finding says cannot stand without something that is held.
fn hold_dependent(
    context: &PlanContext<'_>,
    work: &mut PlanInProgress,
    finding: &RuleDiagnostic,
    known: &BTreeSet<RuleSignature>,
) {
    let Some(subject) = &finding.diagnostic.key else {
        return;
    };
    let held: Option<(&Key, Code)> = finding
        .involves
        .iter()
        .chain([subject])
        .find_map(|key| Some((key, work.holding_rule(key)?)));
    let (message, code, root) = match held {
        Some((cause, root)) if !known.contains(&signature(finding)) => {
            let message = format!(
                "{subject} needs {cause}, which is held ({root}): {}",
                finding.diagnostic.message
            );
            (message, codes::HELD_DEPENDENCY, root)
        }
        _ if !finding.diagnostic.is_error() => return,
        _ => {
            let code = finding.diagnostic.code;
            (finding.diagnostic.message.clone(), code, code)
        }
    };
    if code == codes::HELD_DEPENDENCY
        && let Some(change) = dependent_change(work, finding)
    {
        return hold_field(context, work, subject, change, root, &message);
    }
    if work.effects.contains(subject) && !work.blocked.contains_key(subject) {
        return hold_unit(context, work, subject, code, root, &message);
    }
    for key in &finding.involves {
        hold_one(context, work, key, code, root, &message);
    }
}

/// The one field that a finding is about, of a resource of which more changes: the rest goes on.
fn dependent_change(work: &PlanInProgress, finding: &RuleDiagnostic) -> Option<FieldChange> {
    let (key, field) = (
        finding.diagnostic.key.as_ref()?,
        finding.diagnostic.field.as_ref()?,
    );
    let EffectOutcome::Change(changes) = &work.effects.get(key)?.outcome else {
        return None;
    };
    let kind = kinds::get(key.kind);
    let found = changes
        .iter()
        .find(|change| kind.field_name(&change.field) == *field);
    found.filter(|_| changes.len() > 1).cloned()
}

/// The other sources, by whom what is missing may be declared.
fn other_sources<'c>(context: &'c PlanContext<'_>) -> impl Iterator<Item = &'c PeerSource> {
    context.rules.peers.iter().chain(&context.rules.witnesses)
}

/// Of a fault by a setting: names the other source that is going to set it otherwise.
fn name_setters(
    context: &PlanContext<'_>,
    world: &PlannedState<'_>,
    findings: &mut [RuleDiagnostic],
) {
    for finding in findings {
        let Some(setting) = finding.setting else {
            continue;
        };
        let field = kinds::own_field(kinds::get(kinds::SETTINGS).expect_index(setting));
        let key = Key::new(kinds::SETTINGS, "settings");
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

/// Of a reference that leads nowhere: names the other source that declares what is meant.
fn name_declarers(context: &PlanContext<'_>, findings: &mut [RuleDiagnostic]) {
    let dangling = |finding: &&mut RuleDiagnostic| finding.diagnostic.code == codes::REFERENCE;
    for finding in findings.iter_mut().filter(dangling) {
        let Some(target) = finding.involves.first() else {
            continue;
        };
        let peers = other_sources(context);
        let declarers = peers.filter_map(|peer| Some((&peer.name, peer.declares(target)?)));
        // A source that could write it now comes first.
        let Some((name, accepted)) = declarers.min_by_key(|(_, accepted)| !accepted) else {
            continue;
        };
        // Without a database nobody knows what is stored.
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

/// What the rules find in the state after the effects that are left. A fault that was stored
/// already, and that the plan neither makes nor worsens, is a warning.
fn rule_diagnostics(
    context: &PlanContext<'_>,
    effects: &KeyedList<ResourceEffect>,
) -> Vec<RuleDiagnostic> {
    let world = PlannedState::new(context.stored, context.desired, effects);
    let subjects = check::subjects(&world);
    let mut findings = check::run(&world, &subjects);
    name_declarers(context, &mut findings);
    name_setters(context, &world, &mut findings);
    if !findings.iter().any(|finding| finding.diagnostic.is_error()) {
        return findings;
    }
    let nothing = KeyedList::default();
    let before = PlannedState::new(context.stored, context.desired, &nothing);
    // What was a warning before and is an error now, the plan makes.
    let stored = check::run(&before, &subjects);
    let stored = stored.iter().filter(|found| found.diagnostic.is_error());
    let stored: BTreeSet<_> = stored.map(RuleDiagnostic::identity).collect();
    for finding in &mut findings {
        let subject = finding.diagnostic.key.as_ref();
        let comes = subject.and_then(|key| world.after(key));
        // Whatever comes into use is judged as if it were created.
        let comes = comes.is_some_and(|view| view.becomes_live());
        if finding.diagnostic.is_error() && !comes && stored.contains(&finding.identity()) {
            finding.diagnostic.severity = Severity::Warning;
        }
    }
    findings
}
