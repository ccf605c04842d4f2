//! Asks the operator's queries about what a plan takes out of use, and plans again if an answer
//! holds something. Start reading at [`judged`].

use super::PassError;
use crate::config::{Config, FILE_NAME, ImpactQuery};
use crate::diagnostic::{self, Diagnostic, Origin, codes};
use crate::kinds::read::quoted;
use crate::model::CompactText;
use crate::plan::{
    ImpactAnswer, ImpactNumber, Plan, add_impact, impact_subjects, needs_impact_hold, over_impact,
};
use crate::store::{ImpactRows, Store};
use std::collections::{BTreeMap, BTreeSet};

/// Judges a plan by the answers, and plans `again` with them as long as one of them holds something
/// that the plan would do.
pub(super) async fn judged<T>(
    config: &Config,
    store: &Store,
    mut planned: T,
    plan_of: impl Fn(&mut T) -> &mut Plan,
    mut again: impl FnMut(&[ImpactAnswer]) -> Result<T, PassError>,
) -> Result<T, PassError> {
    let mut answers = Vec::new();
    loop {
        let plan = plan_of(&mut planned);
        let asked = ask(config, store, plan, &answers).await;
        // A hold may bring about something else, about which nobody was asked yet.
        let is_new = asked != answers;
        answers = asked;
        if !is_new || !needs_impact_hold(plan, &answers) {
            add(config, plan, &answers);
            return Ok(planned);
        }
        planned = again(&answers)?;
    }
}

/// A plan with the answers, or `None` if one of them holds a step of it.
pub(super) async fn without_hold(config: &Config, store: &Store, mut plan: Plan) -> Option<Plan> {
    let answers = ask(config, store, &plan, &[]).await;
    if needs_impact_hold(&plan, &answers) {
        return None;
    }
    add(config, &mut plan, &answers);
    Some(plan)
}

/// What a saved plan would take out of use although more depends on it than when it was reviewed.
pub(super) async fn exceeded_since(config: &Config, store: &Store, plan: &Plan) -> Vec<String> {
    let answers = ask(config, store, plan, &[]).await;
    over_impact(plan, &answers)
}

/// Asks each query about what the plan takes out of use, unless it was asked about all of it.
async fn ask(
    config: &Config,
    store: &Store,
    plan: &Plan,
    known: &[ImpactAnswer],
) -> Vec<ImpactAnswer> {
    let mut answers = Vec::with_capacity(config.impact.len());
    for query in &config.impact {
        let subjects = impact_subjects(plan, query.kind);
        let known = known.iter().find(|answer| answer.name == query.name);
        let answer = match known {
            Some(known) if subjects.is_subset(&known.asked) => known.clone(),
            Some(known) => {
                let all = known.asked.union(&subjects).cloned().collect();
                answer(store, query, all).await
            }
            None if subjects.is_empty() => continue,
            None => answer(store, query, subjects).await,
        };
        answers.push(answer);
    }
    answers
}

async fn answer(store: &Store, query: &ImpactQuery, asked: BTreeSet<CompactText>) -> ImpactAnswer {
    tracing::debug!(query = &*query.name, asked = asked.len(), "asking");
    let rows = store.impact(&query.sql, &asked, query.timeout).await;
    ImpactAnswer {
        name: query.name.clone(),
        kind: query.kind,
        hold_above: query.hold_above,
        numbers: rows.map_err(|fault| fault.to_string()).and_then(numbers),
        asked,
    }
}

fn numbers(rows: ImpactRows) -> Result<BTreeMap<CompactText, ImpactNumber>, String> {
    let mut numbers = BTreeMap::new();
    for (id, number) in rows {
        // A sum over nothing.
        let Some(number) = number else { continue };
        let number = ImpactNumber::parse(&number)
            .ok_or_else(|| format!("it returns {} for `{id}`, not a number", quoted(&number)))?;
        let id = CompactText::new(id);
        if numbers.insert(id.clone(), number).is_some() {
            return Err(format!("it returns `{id}` twice; group by the external id"));
        }
    }
    Ok(numbers)
}

/// Adds the answers to a plan, and a warning for each query without one.
fn add(config: &Config, plan: &mut Plan, answers: &[ImpactAnswer]) {
    add_impact(plan, answers);
    let failed = answers.iter().filter_map(|answer| {
        let why = answer.numbers.as_ref().err()?;
        let query = config.impact.iter().find(|it| it.name == answer.name)?;
        Some(warning(config, query, why))
    });
    let before = plan.diagnostics.len();
    plan.diagnostics.extend(failed);
    if plan.diagnostics.len() > before {
        diagnostic::sort(&mut plan.diagnostics);
    }
}

fn warning(config: &Config, query: &ImpactQuery, why: &str) -> Diagnostic {
    let file = config.path.as_deref().and_then(|path| path.file_name());
    let file = file.map_or(FILE_NAME.into(), |name| name.to_string_lossy());
    let origin = Origin {
        path: file.as_ref().into(),
        at: query.place,
    };
    let message = format!("the query `{}` of `impact` failed: {why}", query.name);
    let help = match query.hold_above {
        Some(_) => "Correct the query. What it should judge is held until then",
        None => "Correct the query. Its number is not shown until then",
    };
    Diagnostic::new(codes::IMPACT_FAILED, message)
        .help(help)
        .at(origin)
}
