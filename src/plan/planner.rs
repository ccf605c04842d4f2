//! Compares what is desired with what is stored: effects first, then what keeps them back, then
//! steps in order.

use super::draft::{self, Context, Draft};
use super::effects::{put, put_back};
use super::guard_base::Bases;
use super::hold::{Hold, Member};
use super::rename::Rename;
use super::rules::Rules;
use super::types::{Agreed, AgreedClaim, Held, Plan, Reason, SourceRef, Verb};
use super::waiting::Waiting;
use super::{fixpoint, forbid, guard, guard_base, order, remember, removal, rename, tally};
use crate::check::{self, Effect, Outcome};
use crate::diagnostic::{self, Code, Diagnostic};
use crate::model::{
    Change, Claim, ClaimState, Declared, Desired, FieldRef, HeldStep, Key, Keyed, Snapshot, Text,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Plans what makes `stored` equal to `desired`.
///
/// `found` is what reading the source came upon: an error of it refuses the plan or, with
/// `hold_errors`, holds its resource.
pub fn plan(desired: &Desired, stored: &Snapshot, rules: &Rules, found: &[Diagnostic]) -> Plan {
    planned(desired, stored, rules, found, finish)
}

/// What a plan would say is wrong, without making its steps.
pub fn findings(
    desired: &Desired,
    stored: &Snapshot,
    rules: &Rules,
    found: &[Diagnostic],
) -> Vec<Diagnostic> {
    planned(desired, stored, rules, found, told).diagnostics
}

fn planned(
    desired: &Desired,
    stored: &Snapshot,
    rules: &Rules,
    found: &[Diagnostic],
    finish: fn(&Context<'_>, Work) -> Plan,
) -> Plan {
    let definitions = check::definitions(desired, stored);
    let context = Context {
        desired,
        stored,
        rules,
        definitions: &definitions,
        fingerprint: rules.fingerprint(),
    };
    let mut work = Work {
        diagnostics: found.to_vec(),
        ..Work::default()
    };
    work.draft(&context);
    work.say_waiting(&context);
    removal::removals(&context, &mut work);
    work.from_elsewhere = rename::from_elsewhere(&context, &work);
    let parted = work.complete();
    let verdict = fixpoint::judge(&context, &mut work, &parted);
    work.restore(parted);
    if verdict.refused {
        return refused(&context, work);
    }
    keep_back(&context, &mut work);
    fixpoint::settle(&context, &mut work, verdict);
    finish(&context, work)
}

/// Holds and guards, all on the whole plan, before any of it is taken out.
fn keep_back(context: &Context<'_>, work: &mut Work) {
    forbid::doubted(context, work);
    forbid::doubtful(context, work);
    let parts = std::mem::take(&mut work.parts);
    parts.into_iter().for_each(|part| work.part(context, part));
    forbid::forbidden(context, work);
    forbid::login_changes(context, work);
    let mut covered = rename::renames(context, work);
    let bases = Bases::of(context, work);
    covered.extend(removal::emptied(context, work, &bases.live, &covered));
    covered.extend(work.standing.iter().cloned());
    guard::guards(context, work, &bases, &covered);
    work.let_through.extend(covered);
    work.take_out();
}

/// A plan in the making.
#[derive(Default)]
pub(super) struct Work {
    /// What would happen; what is held is taken out.
    pub effects: Keyed<Effect>,
    /// Why, where it is not simply declared.
    reasons: HashMap<Key, Reason>,
    /// Fields of which the claim keeps what it said.
    pub open: HashMap<Key, BTreeSet<FieldRef>>,
    /// Of open fields, what the claim records all the same.
    pub recorded: HashMap<Key, Vec<(FieldRef, Text)>>,
    /// Parts of drafts that are held unless approved.
    parts: Vec<draft::Part>,
    /// What is held so far.
    pub held: Vec<Held>,
    /// The effects that are to be taken out whole, with the rule that held them first.
    pub blocked: BTreeMap<Key, Code>,
    /// The fields that are to be taken out.
    blocked_fields: BTreeMap<Key, BTreeSet<FieldRef>>,
    /// The fields that an export has lost: they wait, and count against nothing else.
    pub doubtful: BTreeMap<Key, BTreeSet<FieldRef>>,
    /// The resources of which fields are held, with the rule that held them first.
    partly: BTreeMap<Key, Code>,
    /// Of these, those that nobody can decide about now.
    standing: BTreeSet<Key>,
    /// Whether the effects are no longer those that the rules judged first.
    pub moved: bool,
    /// Overrides and approvals that were used.
    pub used: Vec<String>,
    /// Budgets that an override lets through.
    pub exempt: BTreeSet<String>,
    /// Resources that an approval or override lets through.
    pub let_through: BTreeSet<Key>,
    /// Of each resource, the fields about which an approval decided: they count against nothing.
    pub decided: BTreeMap<Key, BTreeSet<FieldRef>>,
    /// Who comes here and has not gone yet under an old id in another source.
    pub from_elsewhere: Vec<Rename>,
    /// What guards held, for later passes.
    pub remembered: Vec<HeldStep>,
    pub agreed: Vec<Agreed>,
    pub orphans: Vec<Key>,
    pub released: Vec<Key>,
    pub diagnostics: Vec<Diagnostic>,
    /// What waits for sources that decide it and write nothing now.
    pub waiting: Waiting,
    /// The sources that have to be read or accepted before what is no longer declared is decided.
    pub waits_for: BTreeSet<String>,
    pub refreshed: BTreeSet<Key>,
}

impl Work {
    fn draft(&mut self, context: &Context<'_>) {
        let new = context.desired.resources.len();
        self.effects
            .reserve(new.saturating_sub(context.stored.rows.len()));
        for declared in &context.desired.resources {
            let wanted = context
                .rules
                .only
                .as_ref()
                .is_none_or(|only| only.contains(&declared.key));
            if wanted && let Some(draft) = draft::draft(context, declared) {
                self.take(declared, draft);
            }
        }
    }

    fn take(&mut self, declared: &Arc<Declared>, draft: Draft) {
        let key = &declared.key;
        self.diagnostics.extend(draft.notes);
        self.wait(key, draft.waiting);
        self.parts.extend(draft.parts);
        if !draft.open.is_empty() {
            self.open.insert(key.clone(), draft.open);
        }
        if !draft.recorded.is_empty() {
            self.recorded.insert(key.clone(), draft.recorded);
        }
        if draft.refresh {
            self.refreshed.insert(key.clone());
        }
        if let Some(outcome) = draft.outcome {
            self.effect(
                Effect {
                    key: key.clone(),
                    outcome,
                },
                draft.reason,
            );
        }
    }

    /// Adds what would happen to a resource, and why.
    pub fn effect(&mut self, effect: Effect, reason: Reason) {
        if reason != Reason::Declared {
            self.reasons.insert(effect.key.clone(), reason);
        }
        let _ = self.effects.insert(effect);
    }

    /// Why something would happen to a resource.
    pub fn reason(&self, key: &Key) -> Reason {
        self.reasons.get(key).copied().unwrap_or(Reason::Declared)
    }

    /// Keeps back what no approval lets through.
    pub fn hold(&mut self, context: &Context<'_>, hold: Hold) {
        self.moved = true;
        let id = |hold: &Hold| hold.id(&context.desired.source, &context.rules.salt);
        let all = hold.members.clone();
        let approved = &context.stored.approved;
        let mut left = Some(hold);
        // What is left of a hold of which a part was approved is a hold of its own.
        while let Some(hold) = left.take_if(|hold| hold.code.is_approvable()) {
            let (count, id) = (hold.members.len(), id(&hold));
            left = hold.without_approved(&id, approved, &mut self.used);
            if left.as_ref().is_none_or(|left| left.members.len() == count) {
                break;
            }
        }
        if let Some(hold) = &left {
            self.held.extend(hold.entries(&id(hold)));
            for member in &hold.members {
                self.block(hold.code, &member.key, member.whole, &member.changes);
            }
        }
        let still = |key: &Key| {
            left.iter()
                .flat_map(|hold| &hold.members)
                .any(|member| member.key == *key)
        };
        for member in all.into_iter().filter(|member| !still(&member.key)) {
            self.decide(member);
        }
    }

    /// Lets a part of a hold through that a person approved.
    pub fn decide(&mut self, member: Member) {
        if member.verb == Verb::Delete {
            self.let_through.insert(member.key.clone());
        }
        let fields = member.changes.into_iter().map(|change| change.field);
        self.decided.entry(member.key).or_default().extend(fields);
    }

    /// Notes what is to be taken out.
    pub fn block(&mut self, code: Code, key: &Key, whole: bool, changes: &[Change]) {
        if code.is_standing() {
            self.standing.insert(key.clone());
        }
        if whole {
            self.blocked.entry(key.clone()).or_insert(code);
        } else {
            self.partly.entry(key.clone()).or_insert(code);
            let fields = changes.iter().map(|change| change.field.clone());
            self.blocked_fields
                .entry(key.clone())
                .or_default()
                .extend(fields);
        }
    }

    /// A part of a draft: held, or, approved, put into the effect.
    fn part(&mut self, context: &Context<'_>, part: draft::Part) {
        let key = part.hold.members[0].key.clone();
        let whole = part.hold.members[0].whole;
        let blocked = |work: &Self| work.held.len();
        let before = blocked(self);
        self.hold(context, part.hold);
        if blocked(self) > before {
            if !whole {
                // The field is not in the effect: nothing of it has to be taken out.
                self.blocked_fields.remove(&key);
            }
            return;
        }
        let Some(full) = part.full else { return };
        if let Some(open) = self.open.get_mut(&key) {
            open.remove(&full.field);
        }
        if let Some(effect) = self.effects.get_mut(&key) {
            put(effect, full);
        }
    }

    /// Whether a field is to be taken out already.
    pub fn holds_field(&self, key: &Key, field: &FieldRef) -> bool {
        let fields = self.blocked_fields.get(key);
        fields.is_some_and(|fields| fields.contains(field))
    }

    /// The rule that holds a resource or some of its fields.
    pub fn cause(&self, key: &Key) -> Option<Code> {
        self.blocked
            .get(key)
            .or_else(|| self.partly.get(key))
            .copied()
    }

    /// Puts every part into its effect, for what is declared is judged whole: that a part of it
    /// waits for somebody is no fault of the source. Returns the effects without.
    fn complete(&mut self) -> Vec<Effect> {
        let mut without = Vec::new();
        for part in &self.parts {
            if let Some(full) = &part.full
                && let Some(effect) = self.effects.get_mut(&part.hold.members[0].key)
            {
                without.push(effect.clone());
                put(effect, full.clone());
            }
        }
        without
    }

    /// Undoes [`Work::complete`].
    fn restore(&mut self, without: Vec<Effect>) {
        // What was judged was more than what may be left.
        self.moved |= !without.is_empty();
        put_back(&mut self.effects, without);
    }

    /// The effects without the parts of drafts that are held; `None` when there are no such parts.
    pub fn without_waiting(&self, without: &[Effect]) -> Option<Keyed<Effect>> {
        if self.parts.is_empty() {
            return None;
        }
        let mut effects = self.effects.clone();
        put_back(&mut effects, without.to_vec());
        let members = self.parts.iter().flat_map(|part| &part.hold.members);
        let whole: BTreeSet<&Key> = members
            .filter(|member| member.whole)
            .map(|member| &member.key)
            .collect();
        effects.retain(|effect| !whole.contains(&effect.key));
        Some(effects)
    }

    /// Takes what is held out of the effects.
    pub fn take_out(&mut self) {
        let (blocked, fields) = (&self.blocked, std::mem::take(&mut self.blocked_fields));
        for (key, fields) in &fields {
            if let Some(effect) = self.effects.get_mut(key)
                && let Outcome::Change(changes) = &mut effect.outcome
            {
                changes.retain(|change| !fields.contains(&change.field));
            }
        }
        for (key, fields) in fields {
            self.open.entry(key).or_default().extend(fields);
        }
        self.effects
            .retain(|effect| !blocked.contains_key(&effect.key));
    }
}

/// Errors refuse the plan: nothing but the findings is left.
fn refused(context: &Context<'_>, mut work: Work) -> Plan {
    diagnostic::sort(&mut work.diagnostics);
    Plan {
        errored: true,
        diagnostics: work.diagnostics,
        ..header(context)
    }
}

/// The findings alone.
fn told(context: &Context<'_>, mut work: Work) -> Plan {
    diagnostic::sort(&mut work.diagnostics);
    Plan {
        diagnostics: work.diagnostics,
        ..header(context)
    }
}

fn header(context: &Context<'_>) -> Plan {
    Plan {
        source: SourceRef {
            name: context.desired.source.clone(),
            revision: context.desired.revision.clone(),
        },
        database: context.stored.database.clone(),
        environment: context.stored.environment.clone(),
        ..Plan::default()
    }
}

fn finish(context: &Context<'_>, mut work: Work) -> Plan {
    work.drop_empty(context);
    let spent = guard::spent(context, &work);
    let bases = guard_base::bases(context, spent.keys());
    let forgotten = remember::forgotten(context, &work);
    let mut steps = order::steps(context, &work);
    order::sort(context, &work, &mut steps);
    work.agree_on_equal(context);
    diagnostic::sort(&mut work.diagnostics);
    // Not by the id alone, which differs from database to database.
    let place = |held: &Held| held.changes.first().map(|change| change.field.clone());
    work.held.sort_by(|a, b| {
        (&a.key, a.code, place(a), &a.hold).cmp(&(&b.key, b.code, place(b), &b.hold))
    });
    work.used.sort();
    work.used.dedup();
    work.remembered
        .sort_by(|a, b| (&a.key, &a.budget).cmp(&(&b.key, &b.budget)));
    work.remembered.dedup_by(|a, b| a.is_same_step(b));
    let mut unsettled: BTreeSet<Key> = work.open.into_keys().collect();
    unsettled.extend(work.held.iter().map(|held| held.key.clone()));
    unsettled.extend(
        work.diagnostics
            .iter()
            .filter_map(|found| found.key.clone()),
    );
    let mut plan = Plan {
        unsettled,
        steps,
        held: work.held,
        orphans: work.orphans,
        released: work.released,
        accepted: work.used,
        diagnostics: work.diagnostics,
        agreed: work.agreed,
        waits_for: work.waits_for,
        spent,
        bases,
        remembered: work.remembered,
        forgotten,
        ..header(context)
    };
    plan.summary = tally::summary(context, &plan);
    if context.rules.exact {
        plan.undeclared = tally::undeclared(context);
    }
    plan
}

impl Work {
    /// An effect of which nothing is left is none, unless it adopts.
    fn drop_empty(&mut self, context: &Context<'_>) {
        let source = &context.desired.source;
        self.effects.retain(|effect| match &effect.outcome {
            Outcome::Change(changes) => {
                !changes.is_empty() || context.stored.claim(source, &effect.key).is_none()
            }
            _ => true,
        });
    }

    /// The claims of what was found equal move with it.
    fn agree_on_equal(&mut self, context: &Context<'_>) {
        for key in std::mem::take(&mut self.refreshed) {
            let declared = context.desired.resources.get(&key);
            let (Some(declared), Some(row)) = (declared, context.stored.rows.get(&key)) else {
                continue;
            };
            if self.blocked.contains_key(&key) || self.effects.contains(&key) {
                continue;
            }
            let Some(claimed) = order::claim(context, self, &key) else {
                continue;
            };
            let claimed = claimed.digests().into_owned();
            let claim = Claim {
                source: context.desired.source.clone(),
                digest: claimed.digest,
                fields: claimed.fields,
                seen: row.version,
                state: ClaimState::Active,
                path: declared.path.clone(),
                at: declared.at,
                revision: context.desired.revision.clone(),
            };
            self.agreed.push(Agreed {
                key,
                claim: AgreedClaim::Write(Box::new(claim)),
            });
        }
        self.agreed.sort_by(|a, b| a.key.cmp(&b.key));
    }
}
