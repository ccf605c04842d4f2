//! What the operator's queries say of the resources that a plan takes out of use: open orders, say,
//! or revenue. The queries are asked between two plans: the first shows what to ask about
//! ([`impact_subjects`]), and the second holds what is over a limit ([`hold_impact`]).

use super::context::PlanContext;
use super::dated_changes;
use super::effects::{
    self, DeltaLayer, EffectCause, EffectFilter, EffectName, PlanEffect, PlanEffects,
};
use super::hold::{Hold, HoldMember, effect_member, field_member};
use super::hold_ledger::RuleOutcome;
use super::planned_change::{self, change_of, takes_out_of_use};
use super::remainder::PlanRemainder;
use super::rules::AcceptOverride;
use super::types::{Plan, StepVerb};
use crate::diagnostic::codes;
use crate::kinds::{self, USER};
use crate::model::{CompactText, Key, KindId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// A number that a query returns.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct ImpactNumber(f64);

impl ImpactNumber {
    /// `None` if the text is not a number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number: f64 = text.trim().parse().ok()?;
        number.is_finite().then_some(Self(number))
    }

    /// `None` if it is not a number.
    #[must_use]
    pub fn new(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self(number))
    }

    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Without a fraction that is zero.
impl fmt::Display for ImpactNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What one query says of the resources that a plan takes out of use.
#[derive(Clone, PartialEq, Debug)]
pub struct ImpactAnswer {
    /// The name of the query.
    pub name: Arc<str>,
    pub kind: KindId,
    /// The largest number with which a resource may go. `None` if the query is only shown.
    pub hold_above: Option<ImpactNumber>,
    /// The resources that it was asked about.
    pub asked: BTreeSet<CompactText>,
    /// The numbers of those that it returned, or why there is no answer.
    pub numbers: Result<BTreeMap<CompactText, ImpactNumber>, String>,
}

impl ImpactAnswer {
    /// Whether nobody may take a resource out of use without a decision: its number is too large,
    /// or nobody knows it.
    #[must_use]
    pub fn holds(&self, id: &str) -> bool {
        let Some(limit) = self.hold_above else {
            return false;
        };
        match &self.numbers {
            Ok(numbers) if self.asked.contains(id) => {
                numbers.get(id).is_some_and(|number| *number > limit)
            }
            _ => true,
        }
    }

    /// The number of a resource; `None` if it is not known.
    fn number(&self, id: &str) -> Option<ImpactNumber> {
        let numbers = self.numbers.as_ref().ok()?;
        let zero = || self.asked.contains(id).then_some(ImpactNumber(0.0));
        numbers.get(id).copied().or_else(zero)
    }

    /// The name under which `--accept` counts it.
    fn budget(&self) -> String {
        format!("impact.{}", self.name)
    }

    fn sentence(&self, subject: &Key) -> String {
        let (name, limit) = (&self.name, self.hold_above);
        match (self.number(&subject.id), limit) {
            (Some(number), Some(limit)) => {
                format!("{subject} has {name} {number}, which is more than {limit}")
            }
            _ => format!("{name} of {subject} is not known"),
        }
    }
}

/// What a query says of a resource that a step takes out of use.
#[derive(Clone, PartialEq, Debug)]
pub struct StepImpact {
    /// The name of the query.
    pub name: Arc<str>,
    /// The resource, if it is another one than that of the step.
    pub of: Option<Key>,
    /// `None` if it is not known.
    pub number: Option<ImpactNumber>,
    /// The largest number with which it may go without a decision.
    pub limit: Option<ImpactNumber>,
}

impl StepImpact {
    /// Whether it takes a decision.
    #[must_use]
    pub fn is_over_limit(&self) -> bool {
        self.limit
            .is_some_and(|limit| self.number.is_none_or(|number| number > limit))
    }
}

/// In words: `openOrders 12 (limit 0)`.
impl fmt::Display for StepImpact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(of) = &self.of {
            write!(f, "{of} ")?;
        }
        match self.number {
            Some(number) => write!(f, "{} {number}", self.name)?,
            None => write!(f, "{} unknown", self.name)?,
        }
        match self.limit {
            Some(limit) if self.is_over_limit() => write!(f, " (limit {limit})"),
            _ => Ok(()),
        }
    }
}

/// The resources of a kind that a plan takes out of use, whether it holds them or not. Of users also
/// those who lose access because of something else.
#[must_use]
pub fn impact_subjects(plan: &Plan, kind: KindId) -> BTreeSet<CompactText> {
    let mut subjects = step_subjects(plan, kind);
    for held in &plan.held {
        let consequences = held.consequences.iter().map(|it| (it.verb, &it.key));
        let all = consequences.chain([(held.verb, &held.key)]);
        let gone = all.filter(|(verb, key)| key.kind == kind && goes(*verb));
        subjects.extend(gone.map(|(_, key)| key.id.clone()));
        subjects.extend(losing_access(&held.effects, kind));
    }
    subjects
}

/// Those of the steps alone.
fn step_subjects(plan: &Plan, kind: KindId) -> BTreeSet<CompactText> {
    let steps = plan.steps.iter();
    let gone = steps.filter(|step| step.key.kind == kind && goes(step.verb));
    let gone = gone.map(|step| step.key.id.clone());
    gone.chain(losing_access(&plan.effects, kind)).collect()
}

fn goes(verb: StepVerb) -> bool {
    matches!(verb, StepVerb::Deactivate | StepVerb::Delete)
}

fn losing_access(effects: &PlanEffects, kind: KindId) -> impl Iterator<Item = CompactText> {
    let lost = access_lost(effects).filter(move |_| kind == USER);
    lost.map(|effect| effect.key.id.clone())
}

fn access_lost(effects: &PlanEffects) -> impl Iterator<Item = &PlanEffect> {
    let all = effects.listed.iter();
    all.filter(|effect| effect.name == EffectName::AccessLost)
}

/// Holds the steps that take something out of use of which a query says too much, or nothing.
pub(super) fn hold_impact(context: &PlanContext<'_>, left: &PlanRemainder) -> RuleOutcome {
    let mut outcome = RuleOutcome::default();
    let answers = context.rules.impact.iter();
    let judging: Vec<&ImpactAnswer> = answers.filter(|it| it.hold_above.is_some()).collect();
    if judging.is_empty() {
        return outcome;
    }
    let mut held: BTreeMap<EffectCause, ImpactExcess> = BTreeMap::new();
    for answer in judging {
        let subjects = subjects(context, left, answer.kind).into_iter();
        let subjects = subjects.filter(|(key, _)| answer.holds(&key.id));
        let over: Vec<(Key, BTreeSet<EffectCause>)> = subjects.collect();
        let option = format!("{}={}", answer.budget(), over.len());
        let accepted = AcceptOverride::Budget(answer.budget(), over.len() as u64);
        if over.is_empty() {
            continue;
        }
        if context.rules.accepts.contains(&accepted) {
            outcome.consents.push(option);
            continue;
        }
        for (key, causes) in over {
            for cause in causes {
                held.entry(cause)
                    .or_default()
                    .add(answer.sentence(&key), &option);
            }
        }
    }
    let holds = held.into_iter();
    let holds = holds.filter_map(|(cause, excess)| {
        let member = held_member(context, left, &cause)?;
        Some(excess.hold(member))
    });
    outcome.holds = holds.collect();
    outcome
}

/// Why a step is held.
#[derive(Default)]
struct ImpactExcess {
    sentences: Vec<String>,
    options: BTreeSet<String>,
}

/// How many resources a message names.
const NAMED: usize = 5;

impl ImpactExcess {
    fn add(&mut self, sentence: String, option: &str) {
        self.sentences.push(sentence);
        self.options.insert(option.to_owned());
    }

    fn hold(self, member: HoldMember) -> Hold {
        let more = self.sentences.len().saturating_sub(NAMED);
        let named = self.sentences.get(..NAMED).unwrap_or(&self.sentences);
        let mut why = named.join(", and ");
        if more > 0 {
            why.push_str(&format!(", and {more} more"));
        }
        let options = self.options.iter().map(|it| format!("--accept {it}"));
        let options = options.collect::<Vec<_>>().join(" ");
        let message = format!("{why}; if this is intended, pass `{options}`");
        Hold {
            accept_option: Some(options),
            facts: self.sentences.into_iter().collect(),
            ..Hold::single(codes::IMPACT, message, member)
        }
    }
}

/// What would go out of use, each with the changes that cause it. An end that was known before counts
/// for no guard.
fn subjects(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    kind: KindId,
) -> BTreeMap<Key, BTreeSet<EffectCause>> {
    let mut found: BTreeMap<Key, BTreeSet<EffectCause>> = BTreeMap::new();
    let own = left.effects.iter();
    let own = own.filter(|effect| effect.key.kind == kind && takes_out_of_use(effect));
    for effect in own {
        let cause = EffectCause {
            key: effect.key.clone(),
            field: None,
        };
        found.insert(effect.key.clone(), [cause].into());
    }
    if kind == USER && !left.effects.is_empty() {
        let planned = DeltaLayer::planned(&left.effects);
        let none = BTreeSet::new();
        let others = effects::compare(context.stored, &[&planned], &none, EffectFilter::Budgeted);
        let lost = others.found.into_iter();
        for it in lost.filter(|it| it.effect.name == EffectName::AccessLost) {
            found.entry(it.effect.key).or_insert(it.causes);
        }
    }
    for causes in found.values_mut() {
        causes.retain(|cause| !is_known_end(context, left, cause));
    }
    found.retain(|_, causes| !causes.is_empty());
    found
}

fn is_known_end(context: &PlanContext<'_>, left: &PlanRemainder, cause: &EffectCause) -> bool {
    let effect = left.effects.get(&cause.key);
    let status = kinds::own_field(kinds::get(cause.key.kind).status_index());
    let field = cause.field.as_ref().unwrap_or(&status);
    let change = effect.and_then(|effect| change_of(effect, field));
    // A deletion has no change, and no date explains it.
    change.is_some_and(|change| dated_changes::is_known_end(context, &cause.key, Some(change)))
}

fn held_member(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    cause: &EffectCause,
) -> Option<HoldMember> {
    let effect = left.effects.get(&cause.key)?;
    Some(match &cause.field {
        None => effect_member(context, effect, planned_change::verb(context, effect)),
        Some(field) => field_member(context, &cause.key, change_of(effect, field)?.clone()),
    })
}

/// Whether a plan has a step that takes a decision by these answers.
#[must_use]
pub fn needs_impact_hold(plan: &Plan, answers: &[ImpactAnswer]) -> bool {
    let holds = |answer: &ImpactAnswer| {
        let subjects = impact_subjects(plan, answer.kind);
        subjects.iter().any(|id| answer.holds(id))
            || answer.kind == USER
                && answer.hold_above.is_some()
                // Nobody was asked about those that the plan does not list.
                && plan.effects.omitted.contains_key(EffectName::AccessLost.word())
    };
    answers.iter().any(holds)
}

/// Adds to each step and hold what the queries say of it. Numbers that are zero are left out.
pub fn add_impact(plan: &mut Plan, answers: &[ImpactAnswer]) {
    if answers.is_empty() {
        return;
    }
    let by_step = losses_by_step(&plan.effects);
    for step in &mut plan.steps {
        let own = goes(step.verb).then_some(&step.key);
        step.impact = impact_of(&step.key, own, by_step.get(&step.key), answers);
    }
    for held in &mut plan.held {
        let own = goes(held.verb).then_some(&held.key);
        let by_step = losses_by_step(&held.effects);
        held.impact = impact_of(&held.key, own, by_step.get(&held.key), answers);
    }
}

/// The users who lose access, by the steps that cause it.
fn losses_by_step(effects: &PlanEffects) -> BTreeMap<Key, BTreeSet<Key>> {
    let mut by_step: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
    for effect in access_lost(effects) {
        for step in &effect.because {
            let of = by_step.entry(step.clone()).or_default();
            of.insert(effect.key.clone());
        }
    }
    by_step
}

fn impact_of(
    step: &Key,
    own: Option<&Key>,
    others: Option<&BTreeSet<Key>>,
    answers: &[ImpactAnswer],
) -> Box<[StepImpact]> {
    let others = others.into_iter().flatten().filter(|key| *key != step);
    let subjects: Vec<&Key> = own.into_iter().chain(others).collect();
    let pairs = answers
        .iter()
        .flat_map(|answer| subjects.iter().map(move |key| (answer, *key)));
    let all = pairs.filter(|(answer, key)| answer.kind == key.kind);
    let all = all.map(|(answer, key)| StepImpact {
        name: answer.name.clone(),
        of: (key != step).then(|| key.clone()),
        number: answer.number(&key.id),
        limit: answer.hold_above,
    });
    let is_nothing = |it: &StepImpact| it.number.is_some_and(|number| number.get() == 0.0);
    all.filter(|it| !is_nothing(it) || it.is_over_limit())
        .collect()
}

/// What a saved plan takes out of use although more depends on it by now than when it was reviewed.
#[must_use]
pub fn over_impact(plan: &Plan, answers: &[ImpactAnswer]) -> Vec<String> {
    let reviewed = reviewed(plan);
    let mut what = Vec::new();
    for answer in answers {
        let subjects = step_subjects(plan, answer.kind).into_iter();
        for id in subjects.filter(|id| answer.holds(id)) {
            let subject = Key::new(answer.kind, id);
            let sentence = answer.sentence(&subject);
            match reviewed.get(&(&*answer.name, &subject)) {
                Some(known) if !is_more(answer.number(&subject.id), *known) => {}
                Some(Some(known)) => what.push(format!("{sentence}; it was {known} in the plan")),
                _ => what.push(sentence),
            }
        }
    }
    what
}

/// The numbers over their limits in a plan, by the query and the resource.
fn reviewed(plan: &Plan) -> BTreeMap<(&str, &Key), Option<ImpactNumber>> {
    let all = plan.steps.iter().flat_map(|step| {
        let over = step.impact.iter().filter(|known| known.is_over_limit());
        over.map(|known| {
            let of = known.of.as_ref().unwrap_or(&step.key);
            ((&*known.name, of), known.number)
        })
    });
    all.collect()
}

/// Whether a number is more than was known of it. Who took an unknown one for good took any.
fn is_more(now: Option<ImpactNumber>, known: Option<ImpactNumber>) -> bool {
    known.is_some_and(|known| now.is_none_or(|now| now > known))
}
