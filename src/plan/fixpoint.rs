//! Rules on the state after the plan, and holds until nothing more is held: what remains always
//! passes every rule.

use super::draft::{Context, partial};
use super::forbid::whole;
use super::hold::Hold;
use super::order;
use super::planner::Work;
use super::record;
use super::rules::Peer;
use super::successors;
use super::types::Reason;
use crate::check::{self, Effect, Finding, Outcome, World};
use crate::diagnostic::{Code, Diagnostic, Severity, codes};
use crate::kinds;
use crate::model::{Change, Key, Keyed};
use std::collections::{BTreeMap, BTreeSet};

/// What the rules say of the whole plan, before anything is held.
pub(super) struct Verdict {
    pub refused: bool,
    /// The resources with errors, and the rule each broke first.
    faulty: BTreeMap<Key, Code>,
    /// What the rules said, whoever's doing it is.
    known: BTreeSet<Signature>,
    /// What they warned of that nobody wants who has a successor in the same plan.
    warned: BTreeSet<Signature>,
    /// What they said beside errors, true as long as the effects are the same.
    calm: Vec<Diagnostic>,
}

type Signature = (Code, Option<Key>, Option<String>);

fn signature(finding: &Finding) -> Signature {
    let diagnostic = &finding.diagnostic;
    (
        diagnostic.code,
        diagnostic.key.clone(),
        diagnostic.field.clone(),
    )
}

/// Runs the rules on everything that would happen; `parted` are the effects without what waits.
pub(super) fn judge(context: &Context<'_>, work: &mut Work, parted: &[Effect]) -> Verdict {
    let mut findings = findings(context, &work.effects);
    // Whose e-mail another source still has to give up is held, and that is no fault of this one.
    let waits = |finding: &Finding| finding_waits(context, work, finding);
    let all = findings.len();
    findings.retain(|finding| !waits(finding));
    work.moved |= findings.len() < all;
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
            .extend(check::fold(findings, context.desired));
        return Verdict {
            refused: true,
            faulty,
            known,
            warned: BTreeSet::new(),
            calm: Vec::new(),
        };
    }
    let (errors, calm): (Vec<Finding>, Vec<Finding>) = findings
        .into_iter()
        .partition(|finding| finding.diagnostic.is_error());
    let calm = calm.into_iter().map(|finding| finding.diagnostic).collect();
    work.diagnostics
        .extend(check::fold(errors, context.desired));
    Verdict {
        refused: false,
        faulty,
        known,
        warned,
        calm,
    }
}

/// Takes out of the findings the errors that only what is held anyway would make, were it approved:
/// somebody else changed the row, which is no reason to refuse the source.
fn only_if_approved(
    context: &Context<'_>,
    work: &Work,
    parted: &[Effect],
    findings: &mut Vec<Finding>,
) -> Vec<Diagnostic> {
    let mut errors = findings.iter().filter(|found| found.diagnostic.is_error());
    let Some(waiting) = work
        .without_waiting(parted)
        .filter(|_| errors.next().is_some())
    else {
        return Vec::new();
    };
    let left = self::findings(context, &waiting);
    let left = left.iter().filter(|found| found.diagnostic.is_error());
    let left: BTreeSet<Signature> = left.map(signature).collect();
    let all = std::mem::take(findings);
    let (kept, waits) = all
        .into_iter()
        .partition(|found| !found.diagnostic.is_error() || left.contains(&signature(found)));
    *findings = kept;
    let warning = |found: Finding| found.diagnostic.severity(Severity::Warning);
    Vec::into_iter(waits).map(warning).collect()
}

/// Whether a finding is about an e-mail that goes in another source while it comes here.
fn finding_waits(context: &Context<'_>, work: &Work, finding: &Finding) -> bool {
    let about =
        |key: &Key| finding.diagnostic.key.as_ref() == Some(key) || finding.involves.contains(key);
    finding.diagnostic.code == codes::EMAIL_DUPLICATE
        && work
            .from_elsewhere
            .iter()
            .any(|rename| about(&rename.new) && !super::rename::is_accepted(context, &rename.old))
}

/// Holds faulty units, then whatever is only valid with something held, until nothing more is.
pub(super) fn settle(context: &Context<'_>, work: &mut Work, verdict: Verdict) {
    if verdict.faulty.is_empty() && !work.moved && successors::held_elsewhere(context).is_empty() {
        // Nothing was held, here or by another source, so the rules would say the same again.
        work.diagnostics.extend(verdict.calm);
        return;
    }
    for (key, code) in &verdict.faulty {
        let message = format!("{key} has errors and is held until they are mended");
        hold_unit(context, work, key, *code, *code, &message);
    }
    for mate in record::mates(context, &verdict.faulty) {
        let message = format!(
            "{} is in one record with {}, which has errors: the record is held whole",
            mate.key, mate.of
        );
        let (code, root) = (codes::HELD_DEPENDENCY, mate.code);
        hold_unit(context, work, &mate.key, code, root, &message);
    }
    work.take_out();
    loop {
        if context.rules.stop.is_set() {
            return;
        }
        let findings = findings(context, &work.effects);
        let new = |f: &Finding| {
            let known = verdict.warned.contains(&signature(f));
            leaves_nobody(f) && !known && !is_drift(work, f)
        };
        let wrong = findings
            .iter()
            .filter(|f| f.diagnostic.is_error() || new(f));
        let wrong: Vec<&Finding> = wrong.collect();
        let held_before = work.held.len();
        for finding in wrong {
            depend(context, work, finding, &verdict.known);
        }
        successors::keep_predecessors(context, work, &verdict.faulty);
        work.take_out();
        if work.held.len() == held_before {
            let calm = findings.into_iter().map(|finding| finding.diagnostic);
            work.diagnostics
                .extend(calm.filter(|diagnostic| !diagnostic.is_error()));
            return;
        }
    }
}

/// Whether a finding comes of taking back what somebody else gave.
fn is_drift(work: &Work, finding: &Finding) -> bool {
    let mut keys = finding.involves.iter().chain(&finding.diagnostic.key);
    keys.any(|key| work.effects.contains(key) && work.reason(key) == Reason::Drift)
}

/// Whether a finding says that the last one of some goes: no fault by itself, but nobody's wish when
/// only a hold keeps the successor away.
fn leaves_nobody(finding: &Finding) -> bool {
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
fn depend(context: &Context<'_>, work: &mut Work, finding: &Finding, known: &BTreeSet<Signature>) {
    let Some(subject) = &finding.diagnostic.key else {
        return;
    };
    let held: Option<(&Key, Code)> = finding
        .involves
        .iter()
        .chain([subject])
        .find_map(|key| Some((key, work.cause(key)?)));
    let (message, code, root) = match held {
        Some((cause, root)) if !known.contains(&signature(finding)) => {
            let message = format!(
                "{subject} is only valid with {cause}, which is held ({root}): {}",
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
fn dependent_change(work: &Work, finding: &Finding) -> Option<Change> {
    let (key, field) = (
        finding.diagnostic.key.as_ref()?,
        finding.diagnostic.field.as_ref()?,
    );
    let Outcome::Change(changes) = &work.effects.get(key)?.outcome else {
        return None;
    };
    let kind = kinds::get(key.kind);
    let found = changes
        .iter()
        .find(|change| kind.field_name(&change.field) == *field);
    found.filter(|_| changes.len() > 1).cloned()
}

/// Holds one field of a resource.
pub(super) fn hold_field(
    context: &Context<'_>,
    work: &mut Work,
    key: &Key,
    change: Change,
    root: Code,
    message: &str,
) {
    if work.holds_field(key, &change.field) {
        return;
    }
    let member = partial(context, key, change);
    let hold = Hold::of(codes::HELD_DEPENDENCY, message, member);
    let id = hold.id(&context.desired.source, &context.rules.salt);
    let entries = hold.entries(&id);
    work.held
        .extend(entries.map(|held| crate::plan::Held { root, ..held }));
    for member in &hold.members {
        work.block(root, key, false, &member.changes);
    }
}

/// Holds a resource; of an account also its organisations, policies and the users whose only
/// account it is.
fn hold_unit(
    context: &Context<'_>,
    work: &mut Work,
    key: &Key,
    code: Code,
    root: Code,
    message: &str,
) {
    hold_one(context, work, key, code, root, message);
    if key.kind != kinds::ACCOUNT {
        return;
    }
    let world = World::new(context.stored, context.desired, &work.effects);
    let mut unit: Vec<Key> = Vec::new();
    for (referrer, field) in world.all_referrers(key) {
        let only = world
            .after(referrer)
            .is_some_and(|view| view.targets(field).count() == 1);
        if only && work.effects.contains(referrer) {
            unit.push(referrer.clone());
        }
    }
    // An address that nobody else has would be left behind.
    let addresses = kinds::get(kinds::ACCOUNT).at("addresses");
    let targets = world.after(key).into_iter().flat_map(|view| {
        let targets = view
            .targets(addresses)
            .map(|id| Key::new(kinds::ADDRESS, id));
        targets.collect::<Vec<_>>()
    });
    let alone = |address: &Key| {
        let created = !context.stored.rows.contains(address) && work.effects.contains(address);
        created && world.referrers(kinds::ACCOUNT, addresses, address) == [key]
    };
    unit.extend(targets.filter(alone));
    for member in unit {
        let message = format!("{member} belongs to {key}, which is held ({code})");
        hold_one(
            context,
            work,
            &member,
            codes::HELD_DEPENDENCY,
            root,
            &message,
        );
    }
}

/// Holds one resource.
pub(super) fn hold_one(
    context: &Context<'_>,
    work: &mut Work,
    key: &Key,
    code: Code,
    root: Code,
    message: &str,
) {
    if work.blocked.contains_key(key) {
        return;
    }
    let Some(effect) = work.effects.get(key) else {
        return;
    };
    let verb = order::verb(context, effect);
    let hold = Hold::of(code, message, whole(context, effect, verb));
    let id = hold.id(&context.desired.source, &context.rules.salt);
    work.held.extend(
        hold.entries(&id)
            .map(|held| crate::plan::Held { root, ..held }),
    );
    work.blocked.insert(key.clone(), root);
}

/// The other sources, by whom what is missing may be declared.
fn others<'c>(context: &'c Context<'_>) -> impl Iterator<Item = &'c Peer> {
    context.rules.peers.iter().chain(&context.rules.witnesses)
}

/// Of a fault by a setting: names the other source that is going to set it otherwise.
fn name_setters(context: &Context<'_>, world: &World<'_>, findings: &mut [Finding]) {
    for finding in findings {
        let Some(setting) = finding.setting else {
            continue;
        };
        let field = kinds::own(kinds::get(kinds::SETTINGS).at(setting));
        let key = Key::new(kinds::SETTINGS, "settings");
        let now = world.setting(setting);
        let sets = |peer: &&Peer| {
            let declared = peer.desired.as_ref()?.resources.get(&key)?;
            let stated = declared.stated(&field)?.cell.value();
            Some(stated.is_some() && stated != now.as_ref())
        };
        let Some(peer) = others(context).find(|peer| sets(peer) == Some(true)) else {
            continue;
        };
        let name = &peer.name;
        finding.diagnostic.help = Some(format!(
            "source {name} sets `{setting}`; apply that source first: `roster apply --source {name}`"
        ));
    }
}

/// Of a reference that leads nowhere: names the other source that declares what is meant.
fn name_declarers(context: &Context<'_>, findings: &mut [Finding]) {
    let dangling = |finding: &&mut Finding| finding.diagnostic.code == codes::REFERENCE;
    for finding in findings.iter_mut().filter(dangling) {
        let Some(target) = finding.involves.first() else {
            continue;
        };
        let peers = others(context);
        let declarers = peers.filter_map(|peer| Some((&peer.name, peer.declares(target)?)));
        // A source that could write it now comes first.
        let Some((name, accepted)) = declarers.min_by_key(|(_, accepted)| !accepted) else {
            continue;
        };
        // Without a database nobody knows what is stored.
        finding.diagnostic.message = if context.rules.witnesses.is_empty() {
            format!("there is no {target}: it is not stored yet")
        } else {
            format!("there is no {target} in this source")
        };
        finding.diagnostic.help = Some(if accepted {
            format!(
                "source {name} declares {target}; apply that source first: `roster apply --source {name}`"
            )
        } else {
            format!(
                "source {name} declares {target}, but it is held there; fix what is reported for {name} first"
            )
        });
    }
}

/// What the rules find in the state after the effects that are left. A fault that was stored
/// already, and that the plan neither makes nor worsens, is a warning.
fn findings(context: &Context<'_>, effects: &Keyed<Effect>) -> Vec<Finding> {
    let world = World::new(context.stored, context.desired, effects);
    let subjects = check::subjects(&world);
    let mut findings = check::run(&world, &subjects);
    name_declarers(context, &mut findings);
    name_setters(context, &world, &mut findings);
    if !findings.iter().any(|finding| finding.diagnostic.is_error()) {
        return findings;
    }
    let nothing = Keyed::default();
    let before = World::new(context.stored, context.desired, &nothing);
    // What was a warning before and is an error now, the plan makes.
    let stored = check::run(&before, &subjects);
    let stored = stored.iter().filter(|found| found.diagnostic.is_error());
    let stored: BTreeSet<_> = stored.map(Finding::identity).collect();
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
