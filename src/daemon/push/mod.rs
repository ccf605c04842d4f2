//! Sources that are pushed to: what was sent is kept in the database, and the worker of the source
//! makes a pass of each, as of any export. What a pass holds back stays with the source, beneath
//! what is sent later, until it goes through or something else is said.

pub mod answer;

use super::pass::{self, Ended, Found};
use super::serve::{Daemon, Setup};
use super::state::{Outcome, State};
use crate::config::Source;
use crate::feed;
use crate::model::Key;
use crate::plan::Plan;
use crate::reconcile::{Kept, PassError, Pushed, Sent};
use crate::store::{Ending, Import, Store};
use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Arc;

/// How often one is begun before it is given up.
const TRIES: i64 = 5;

/// What a pass of such a source reads.
pub(super) struct Push {
    /// As the pass reads it.
    pub(super) pushed: Arc<Pushed>,
    /// What was sent and not looked at yet.
    new: Option<Import>,
    /// What was sent before, of which something was held back.
    before: Vec<Import>,
}

/// Makes a pass of everything that waits; without anything, of what was held back.
pub(super) async fn work(
    daemon: &Daemon,
    setup: &Setup,
    source: &str,
    triggers: &BTreeSet<String>,
    lease: &Kept,
) -> Result<Ended, PassError> {
    let store = &daemon.store;
    let mut made = false;
    for import in store.queued_imports(source).await? {
        if import.attempts >= TRIES {
            give_up(store, source, import).await?;
            daemon.answered();
            continue;
        }
        store.begin_import(&import.id).await?;
        let Some(push) = Push::load(store, source, Some(import)).await? else {
            continue;
        };
        let ended = pass::once(
            daemon,
            setup,
            source,
            triggers,
            Found::none(),
            lease,
            Some(push),
        )
        .await?;
        daemon.answered();
        if matches!(ended, Ended::Made { again: true }) {
            return Ok(ended);
        }
        made = true;
    }
    if made {
        return Ok(Ended::Made { again: false });
    }
    match Push::load(store, source, None).await? {
        Some(push) => {
            let found = Found::none();
            pass::once(daemon, setup, source, triggers, found, lease, Some(push)).await
        }
        None => Ok(Ended::Made { again: false }),
    }
}

async fn give_up(store: &Store, source: &str, import: Import) -> Result<(), PassError> {
    let (memory, _) = super::memory::kept(store, source).await?;
    let last = match memory.state.outcome {
        Outcome::Failed => memory.state.reason,
        _ => "the daemon came to its end each time".to_owned(),
    };
    let why = format!("given up after {} tries, the last: {last}", import.attempts);
    tracing::error!("source {source}: import {}: {why}", import.id);
    let ending = Ending {
        id: import.id,
        answer: Some(why),
        lost: true,
        held: Vec::new(),
    };
    Ok(store.end_imports(&[ending]).await?)
}

impl Push {
    /// What there is to be read; `None` when there is nothing.
    async fn load(
        store: &Store,
        source: &str,
        new: Option<Import>,
    ) -> Result<Option<Self>, PassError> {
        let (mut before, mut bodies) = (Vec::new(), Vec::new());
        for import in store.held_imports(source).await? {
            let Some(body) = store.import_body(&import.id).await? else {
                continue;
            };
            let held = import.held.iter().filter_map(|key| Key::parse(key));
            bodies.push(Sent {
                name: import.name.as_str().into(),
                bytes: body.into(),
                only: Some(held.collect()),
            });
            before.push(import);
        }
        if let Some(import) = &new {
            let Some(body) = store.import_body(&import.id).await? else {
                return Ok(None);
            };
            bodies.push(Sent {
                name: import.name.as_str().into(),
                bytes: body.into(),
                only: None,
            });
        }
        let pushed = Arc::new(Pushed {
            source: source.into(),
            bodies,
        });
        Ok((!pushed.bodies.is_empty()).then_some(Self {
            pushed,
            new,
            before,
        }))
    }

    /// In whose name it is applied.
    pub(super) fn actor(&self) -> &str {
        self.new
            .as_ref()
            .map_or("roster serve", |import| &import.actor)
    }

    /// Whether one bad record refuses all of it.
    pub(super) fn atomic(&self) -> bool {
        self.new.as_ref().is_some_and(|import| import.atomic)
    }

    /// How everything that was sent comes to its end by this plan.
    pub(super) fn endings(
        &self,
        source: &Source,
        plan: &Plan,
        decided: Outcome,
        state: &State,
    ) -> Vec<Ending> {
        let waiting = waiting(source, plan, decided);
        let came_to = (decided, &*state.reason);
        let before = self.before.iter().map(|import| {
            let held = import.held.iter();
            let held = held.filter(|key| waiting.contains(*key)).cloned();
            Ending {
                id: import.id.clone(),
                held: held.collect(),
                ..Ending::default()
            }
        });
        let new = self
            .new
            .iter()
            .filter_map(|import| self.answered(import, source, plan, came_to, &waiting));
        before.chain(new).collect()
    }

    fn answered(
        &self,
        import: &Import,
        source: &Source,
        plan: &Plan,
        came_to: (Outcome, &str),
        waiting: &BTreeSet<String>,
    ) -> Option<Ending> {
        let sent = self.pushed.bodies.last()?;
        let mapping = &source.feed()?.mapping;
        let bytes = Cursor::new(&*sent.bytes);
        let (_, listed) = feed::listed(bytes, &sent.name, &source.name, mapping);
        let answer = answer::of(&listed, &sent.name, plan, came_to);
        let keys = listed.iter().flat_map(|record| &record.keys);
        let held: BTreeSet<String> = keys.map(ToString::to_string).collect();
        Some(Ending {
            id: import.id.clone(),
            answer: Some(super::memory::document(&answer)),
            lost: false,
            held: held.intersection(waiting).cloned().collect(),
        })
    }
}

/// What is held back and may still go through.
fn waiting(source: &Source, plan: &Plan, outcome: Outcome) -> BTreeSet<String> {
    if !source.apply || outcome == Outcome::Refused {
        return BTreeSet::new();
    }
    let held = plan.held.iter();
    let held = held
        .filter(|held| !held.is_error() && !held.root.is_standing())
        .map(|held| held.key.to_string());
    let steps = plan.steps.iter().map(|step| step.key.to_string());
    let applied = matches!(outcome, Outcome::Applied | Outcome::Unchanged);
    held.chain(steps.filter(|_| !applied)).collect()
}
