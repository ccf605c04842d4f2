//! What the daemon shows: the API and the page are two forms of it.

use super::memory::{self, Memory};
use super::schedule;
use super::serve::Daemon;
use super::state::{HoldState, Outcome, State};
use super::worker::Activity;
use crate::config::{Feed, Source, Window};
use crate::store::{Act, EVERY, StoreError, Suspension};
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The state of the daemon and its sources.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The replica that answers.
    pub replica: String,
    /// The release of the replica.
    pub version: &'static str,
    /// The environment that it serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The time on the replica's clock.
    pub time: DateTime<Utc>,
    /// Every source, in the order of the configuration.
    pub sources: Vec<SourceView>,
    /// The number of unsent notices.
    pub notices: u64,
    /// Why the last unsent notice could not be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice_error: Option<String>,
    /// Why the last reload of the configuration failed. The previous configuration is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reload_error: Option<String>,
}

/// The state of a source.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceView {
    /// The name of the source.
    pub name: String,
    /// Where the source is read from, without secrets.
    pub from: String,
    /// `apply`, or `plan` for a source that only plans.
    pub mode: &'static str,
    /// One sentence that explains the state. If nothing happens, it says why.
    pub why: String,
    /// Who suspended the source, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspended>,
    /// The window that prevents applies at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Closed>,
    /// When the last pass ended, on any replica, with any result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<DateTime<Utc>>,
    /// What the answering replica does with the source now.
    pub activity: Activity,
    /// The replica that ran the last pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
    /// The result of the last pass.
    pub state: State,
}

/// Who suspended a source, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suspended {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Whether every source is suspended.
    pub all: bool,
}

/// A window that prevents applies.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Closed {
    /// The window, as written in the configuration.
    pub by: String,
    /// When applies are possible again. Absent if there is no such time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// A hold with its source.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldView {
    /// The source.
    pub source: String,
    /// The approval for the next pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalView>,
    /// The hold.
    #[serde(flatten)]
    pub hold: HoldState,
}

/// An approval of a hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalView {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
    /// When the approval expires, if it is not used before.
    pub lapses: DateTime<Utc>,
    /// The approved resources. Absent: all of the hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<String>>,
}

/// An act of a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActView {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// What.
    pub act: String,
    /// The source or hold that the act concerns.
    pub subject: String,
    /// Why.
    pub reason: String,
}

impl Daemon {
    /// How everything stands; of the sources those that `sees` says yes to.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn status(&self, sees: impl Fn(&str) -> bool) -> Result<Status, StoreError> {
        let setup = self.setup();
        let (notices, notice_error) = self.store.waiting_notices().await?;
        let shown = setup
            .config
            .sources
            .iter()
            .filter(|source| sees(&source.name));
        let mut kept = memory::all_kept(&self.store).await?;
        let suspensions: BTreeMap<_, _> = self.store.suspensions().await?.into_iter().collect();
        let now = Utc::now();
        let sources = shown.map(|source| {
            let own = suspensions.get(&*source.name).map(|one| (one, false));
            let all = suspensions.get(EVERY).map(|one| (one, true));
            let (replica, memory) = kept.remove(&*source.name).unzip();
            let worker = setup.workers.get(&*source.name);
            let activity = worker.map_or(
                Activity::Waiting {
                    next: now,
                    why: None,
                },
                |worker| worker.activity(),
            );
            view(
                source,
                memory.unwrap_or_default(),
                replica,
                own.or(all),
                activity,
                now,
            )
        });
        Ok(Status {
            replica: self.replica.clone(),
            version: env!("CARGO_PKG_VERSION"),
            environment: setup.config.environment.clone(),
            time: now,
            sources: sources.collect(),
            notices,
            notice_error,
            reload_error: self.reload_error(),
        })
    }

    /// Who suspended a source, alone or with all others.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn suspension(&self, source: &str) -> Result<Option<Suspension>, StoreError> {
        memory::suspension(&self.store, source).await
    }

    /// Every hold, those that wait for somebody first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn holds(&self, sees: impl Fn(&str) -> bool) -> Result<Vec<HoldView>, StoreError> {
        let setup = self.setup();
        let approvals = self.store.approvals().await?;
        let ttl = TimeDelta::from_std(setup.config.approval_ttl).unwrap_or(TimeDelta::MAX);
        let now = Utc::now();
        let mut holds = Vec::new();
        for (source, (_, memory)) in memory::all_kept(&self.store).await? {
            let configured = setup
                .config
                .sources
                .iter()
                .any(|known| *known.name == *source);
            if !configured || !sees(&source) {
                continue;
            }
            for hold in memory.state.held {
                let given = approvals
                    .iter()
                    .filter(|approval| Some(&approval.hold) == hold.hold.as_ref());
                let approval =
                    ApprovalView::of(&given.collect::<Vec<_>>(), ttl).filter(|it| it.lapses > now);
                holds.push(HoldView {
                    source: source.clone(),
                    approval,
                    hold,
                });
            }
        }
        holds.sort_by_key(|view| {
            (
                view.hold.standing,
                view.hold.hold.is_none(),
                view.hold.since,
            )
        });
        Ok(holds)
    }

    /// What persons did last, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn acts(&self, limit: u32) -> Result<Vec<ActView>, StoreError> {
        let acts = self.store.acts(limit).await?;
        Ok(acts.into_iter().map(ActView::from).collect())
    }
}

fn view(
    source: &Source,
    memory: Memory,
    replica: Option<String>,
    suspended: Option<(&Suspension, bool)>,
    activity: Activity,
    now: DateTime<Utc>,
) -> SourceView {
    let Memory { state, ended, .. } = memory;
    let suspended = suspended.map(|(suspension, all)| Suspended {
        by: suspension.actor.clone(),
        reason: suspension.reason.clone(),
        since: moment(suspension.at),
        all,
    });
    let window = match Window::state(&source.timing.windows, now) {
        schedule::State::Open { .. } => None,
        schedule::State::Closed { by, until } => Some(Closed { by, until }),
    };
    let why = match (&suspended, &activity) {
        (Some(suspended), _) => format!("suspended by {}: {}", suspended.by, suspended.reason),
        (None, Activity::Waiting { why: Some(why), .. }) => why.clone(),
        _ => standing(source, &state),
    };
    SourceView {
        name: source.name.to_string(),
        ended,
        from: source.written.clone(),
        mode: if source.apply { "apply" } else { "plan" },
        why,
        suspended,
        window,
        activity,
        replica,
        state,
    }
}

/// Why a source stands as it does by its last pass.
fn standing(source: &Source, state: &State) -> String {
    let feed = state.feed.as_ref();
    match (state.outcome, feed.and_then(|feed| feed.same.as_deref())) {
        (Outcome::Never, _) if source.feed().is_some_and(Feed::is_pushed) => {
            "nothing was pushed to it yet".to_owned()
        }
        (Outcome::Unchanged, Some(same)) => format!("{}; {same}", state.reason),
        _ => state.reason.clone(),
    }
}

impl ApprovalView {
    /// The approvals of one hold: of all of it, or of some resources.
    fn of(given: &[&crate::store::Approval], ttl: TimeDelta) -> Option<Self> {
        let first = given.iter().min_by_key(|approval| approval.at)?;
        let whole = given.iter().any(|approval| approval.resource.is_empty());
        let at = moment(first.at);
        Some(Self {
            by: first.approver.clone(),
            reason: first.reason.clone(),
            at,
            lapses: at
                .checked_add_signed(ttl)
                .unwrap_or(DateTime::<Utc>::MAX_UTC),
            only: (!whole).then(|| {
                given
                    .iter()
                    .map(|approval| approval.resource.clone())
                    .collect()
            }),
        })
    }
}

impl From<Act> for ActView {
    fn from(act: Act) -> Self {
        Self {
            at: moment(act.at),
            actor: act.actor,
            act: act.act,
            subject: act.subject,
            reason: act.reason,
        }
    }
}

/// A moment of the database's, in milliseconds since 1970.
fn moment(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
}
