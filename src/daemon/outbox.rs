//! Notices about passes: `notices` decides which ones a pass causes, and `NoticeOutbox` stores them
//! in the database and delivers them, and the invitations that acts put there. They are stored
//! before they are sent, so a restart or an unreachable receiver loses none. A notice may arrive
//! twice; it is given up only after a day of retries or when nobody can send it any more. An
//! invitation is given up when its link has ended or the mail server refuses it for good.

use super::invitation::InvitationDelivery;
use super::notice::{
    self, DeliveryError, Notice, NoticeDetail, NoticeEvent, NoticeOrigin, NoticeSender,
};
use super::outcome_text;
use super::setup::DaemonSetup;
use crate::config::{Config, NoticeTarget};
use crate::diagnostic::{agreed, chain};
use crate::document::{PassOutcome, SourceState};
use crate::kinds;
use crate::plan::Plan;
use crate::store::{NewPendingAccounts, OutboxEntry, OutboxNotice, Store, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How many errors or held changes a notice lists.
const LISTED: usize = 20;
/// How often the outbox is checked. Retries, and notices of replicas that died, come without a
/// wakeup.
const LOOK: Duration = Duration::from_secs(5);
/// How long a notice that is being sent is reserved, in milliseconds. If the sender dies, another
/// replica takes it after that.
const SEND_CLAIM_MILLIS: i64 = 60_000;
/// How long an invitation waits that cannot be sent now, in milliseconds.
const PAUSE_MILLIS: i64 = 60_000;
/// The actor of what the daemon itself enters into the audit log.
const DAEMON_ACTOR: &str = "roster";

impl SourceState {
    /// The part of the state that decides which notices are due.
    pub(super) fn notice_state(&self, plan: Option<&Plan>) -> notice::NoticeState {
        let failed = match (self.outcome, plan) {
            (PassOutcome::Failed, _) => Some(self.reason.clone()),
            (_, Some(plan)) if self.errors > 0 => {
                let errors = plan.diagnostics.iter().filter(|found| found.is_error());
                Some(notice::fingerprint(errors))
            }
            _ => None,
        };
        notice::NoticeState {
            failed,
            held: self
                .waiting()
                .filter_map(|hold| hold.hold.clone())
                .collect(),
            drift: self.drift > 0,
            applied: self.run.map(|run| run.to_string()),
        }
    }
}

/// The notices for the change between two states. `kept` is when the earlier one was saved.
pub(super) fn notices(
    config: &Config,
    source: &str,
    [before, after]: [&notice::NoticeState; 2],
    kept: Option<DateTime<Utc>>,
    state: &SourceState,
    plan: Option<&Plan>,
) -> Vec<Notice> {
    let now = Utc::now();
    let events = notice::events_between(before, after).into_iter();
    let url = config.serve.url.as_ref();
    let made = events.map(|event| Notice {
        event,
        source: source.to_owned(),
        environment: config.environment.clone(),
        revision: state
            .last_attempted
            .as_ref()
            .map(|mark| mark.revision.clone()),
        // The key depends on the previous pass and not on this moment. If this pass dies before its
        // state is saved, the next one makes the same key, and the receiver can drop the
        // repetition.
        state: state_key(event, after, kept.unwrap_or(now)),
        summary: summary(event, state),
        details: plan.map_or_else(Vec::new, |plan| details(event, plan)),
        counts: state
            .summary
            .clone()
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect(),
        since: now,
        url: url.map(|url| format!("{url}/sources/{source}")),
        // Only the first command: it is an example for the reader, and the page lists all of them.
        command: (event == NoticeEvent::Held)
            .then(|| state.waiting().next()?.commands.first().cloned())
            .flatten(),
    });
    made.collect()
}

/// Identifies an occurrence. The same problem after a recovery is a new occurrence, so the time of
/// the previous state is part of the key.
fn state_key(event: NoticeEvent, after: &notice::NoticeState, kept: DateTime<Utc>) -> String {
    let what = match event {
        NoticeEvent::Failed => after.failed.clone().unwrap_or_default(),
        NoticeEvent::Held => after.held.iter().cloned().collect::<Vec<_>>().join(" "),
        _ => after.applied.clone().unwrap_or_default(),
    };
    format!("{what} after {}", kept.to_rfc3339())
}

/// One sentence. It is sent by mail or chat, so it contains no values of customers.
fn summary(event: NoticeEvent, state: &SourceState) -> String {
    match event {
        NoticeEvent::Failed if state.outcome == PassOutcome::Failed => state.reason.clone(),
        NoticeEvent::Failed => format!(
            "{} in the source; the last good state stays in use",
            outcome_text::error_count(state.errors)
        ),
        NoticeEvent::Recovered => "the source has recovered".to_owned(),
        NoticeEvent::Held => {
            let waiting: usize = state.waiting().map(|hold| hold.count).sum();
            let waiting = agreed(waiting, ("change", "changes"), ("needs", "need"));
            format!("{waiting} a decision")
        }
        NoticeEvent::Drift => {
            let drifted = agreed(state.drift, ("resource", "resources"), ("was", "were"));
            format!("{drifted} changed outside Roster")
        }
        NoticeEvent::Applied | NoticeEvent::Approval | NoticeEvent::Test => state.reason.clone(),
    }
}

fn details(event: NoticeEvent, plan: &Plan) -> Vec<NoticeDetail> {
    match event {
        NoticeEvent::Failed => {
            let errors = plan.diagnostics.iter().filter(|found| found.is_error());
            errors.take(LISTED).map(NoticeDetail::from).collect()
        }
        NoticeEvent::Held => plan
            .held
            .iter()
            .take(LISTED)
            .map(NoticeDetail::from)
            .collect(),
        _ => Vec::new(),
    }
}

/// The notice about accounts that started to wait for an approval.
fn approval_notice(config: &Config, source: &str, accounts: &NewPendingAccounts) -> Notice {
    let kind = kinds::get(kinds::ACCOUNT).name;
    let details = accounts.ids.iter().zip(&accounts.claims);
    let details = details.map(|(id, claim)| NoticeDetail {
        what: "waits for an approval".to_owned(),
        code: None,
        resource: Some(format!("{kind}/{id}")),
        field: None,
        place: claim.as_ref().map(|(_, path, line)| NoticeOrigin {
            path: path.clone(),
            line: line.unsigned_abs(),
            column: 1,
        }),
    });
    let count = accounts.ids.len();
    let waiting = agreed(count, ("account", "accounts"), ("waits", "wait"));
    Notice {
        event: NoticeEvent::Approval,
        source: source.to_owned(),
        environment: config.environment.clone(),
        revision: None,
        // The accounts themselves, since each of them is noticed once.
        state: accounts.ids.join(" "),
        summary: format!("{waiting} for an approval"),
        details: details.collect(),
        counts: [("pending".to_owned(), count as u64)].into(),
        since: Utc::now(),
        url: config.serve.url.as_ref().map(|url| format!("{url}/")),
        command: Some(format!(
            "roster approve account {} --reason TEXT",
            accounts.ids[0]
        )),
    }
}

/// The entries of the outbox for a notice: one per target that wants its event.
fn entries(notice: &Notice, targets: &[NoticeTarget]) -> Vec<OutboxEntry> {
    let wanted = targets
        .iter()
        .filter(|target| target.events.contains(&notice.event));
    let entries = wanted.map(|target| OutboxEntry {
        // The id is derived from the state and the target, so storing the same notice again
        // changes nothing.
        id: notice.delivery(target),
        target: target.name.clone(),
        notice: serde_json::to_string(notice).unwrap_or_default(),
    });
    entries.collect()
}

/// The notices that wait in the database, and their delivery.
pub(super) struct NoticeOutbox {
    store: Store,
    /// Wakes the delivery when a notice was stored.
    enqueued: Notify,
}

impl NoticeOutbox {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            enqueued: Notify::new(),
        }
    }

    /// Stores each notice once per target that wants its event.
    pub(super) async fn enqueue(
        &self,
        targets: &[NoticeTarget],
        notices: &[Notice],
    ) -> Result<(), StoreError> {
        for notice in notices {
            for entry in entries(notice, targets) {
                self.store.post(&entry).await?;
            }
        }
        if !notices.is_empty() {
            self.enqueued.notify_one();
        }
        Ok(())
    }

    /// Stores a notice about the accounts of a source that started to wait for an approval.
    pub(super) async fn enqueue_approvals(
        &self,
        config: &Config,
        targets: &[NoticeTarget],
        source: &str,
    ) -> Result<(), StoreError> {
        // Without a target the accounts stay unnoticed, and one that is added later learns of them.
        let wanted = |target: &NoticeTarget| target.events.contains(&NoticeEvent::Approval);
        if !targets.iter().any(wanted) {
            return Ok(());
        }
        let compose = |accounts: &NewPendingAccounts| {
            entries(&approval_notice(config, source, accounts), targets)
        };
        let posted = self.store.post_approval_notices(source, LISTED, compose);
        if posted.await? {
            self.enqueued.notify_one();
        }
        Ok(())
    }

    /// Delivers stored notices until `stop`.
    pub(super) async fn deliver(&self, setup: &DaemonSetup, stop: &CancellationToken) {
        if setup.targets.is_empty() && !setup.invitations.is_configured() {
            return;
        }
        let sender = NoticeSender::new();
        while !stop.is_cancelled() {
            match self.store.take_notice(SEND_CLAIM_MILLIS).await {
                Ok(Some(outgoing)) => {
                    if let Err(error) = self.send(&sender, setup, &outgoing).await {
                        tracing::warn!("delivery failed: {}", chain(&error));
                    }
                    // Without a pause: a backlog after an outage drains at full speed.
                    continue;
                }
                Ok(None) => {}
                // The passes report an unreachable database loudly enough. This loop would repeat
                // it every five seconds.
                Err(error) => tracing::debug!("{}", chain(&error)),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.enqueued.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn send(
        &self,
        sender: &NoticeSender,
        setup: &DaemonSetup,
        outgoing: &OutboxNotice,
    ) -> Result<(), StoreError> {
        let store = &self.store;
        if outgoing.is_invitation() {
            let delivery = setup.invitations.send(store, &outgoing.id).await?;
            return record_invitation(store, outgoing, delivery).await;
        }
        let targets = &setup.targets;
        let target = targets.iter().find(|target| target.name == outgoing.target);
        let notice = serde_json::from_str::<Notice>(&outgoing.notice);
        // The target may have been removed by a reload, or the notice written by another release.
        // Nobody can send it any more, and it would be taken again forever.
        let (Some(target), Ok(notice)) = (target, notice) else {
            tracing::warn!(
                "dropped a notice for `{}`: the target is no longer configured, or another release wrote it",
                outgoing.target
            );
            return store.drop_notice(&outgoing.id).await;
        };
        let now = Utc::now();
        match sender.send(target, &notice, &outgoing.id, now).await {
            Ok(()) => {
                tracing::info!("notice sent to {}: {}", target.name, notice.title());
                store.drop_notice(&outgoing.id).await
            }
            Err(error) => record_failure(store, outgoing, &notice, &error).await,
        }
    }
}

/// Records what became of an invitation. Logs name its id and never the person.
async fn record_invitation(
    store: &Store,
    outgoing: &OutboxNotice,
    delivery: InvitationDelivery,
) -> Result<(), StoreError> {
    let id = &outgoing.id;
    match delivery {
        InvitationDelivery::Sent => {
            tracing::info!("invitation {id} sent");
            store.drop_notice(id).await
        }
        InvitationDelivery::Superseded => store.drop_notice(id).await,
        InvitationDelivery::Waits(why) => {
            tracing::warn!("invitation {id} waits: {why}");
            store.delay_notice(id, PAUSE_MILLIS, &why).await
        }
        InvitationDelivery::TooLate { user } => {
            give_up_invitation(
                store,
                id,
                &user,
                "the link expired before the mail was sent",
            )
            .await
        }
        InvitationDelivery::Failed { user, error } => {
            let error = error.without_person();
            let now = Utc::now();
            // Counted from now: its link says when to give up.
            let again = notice::next_attempt_at(now, outgoing.attempts + 1, now, &error, 0.5);
            // A wrong password of the mail server is the operator's to correct.
            let is_lasting = again.is_none() && !error.is_authentication();
            if is_lasting {
                return give_up_invitation(store, id, &user, &error.to_string()).await;
            }
            let wait = again.map_or(PAUSE_MILLIS, |again| delay_millis(again, now));
            tracing::warn!(
                "invitation {id} failed: {error}; retrying in {} s",
                wait / 1000
            );
            store.delay_notice(id, wait, &error.to_string()).await
        }
    }
}

async fn give_up_invitation(
    store: &Store,
    id: &str,
    user: &str,
    why: &str,
) -> Result<(), StoreError> {
    tracing::error!("invitation {id} was not sent: {why}; gave up");
    let subject = format!("User/{user}");
    store
        .record_act(DAEMON_ACTOR, "invitation not sent", &subject, why)
        .await?;
    store.drop_notice(id).await
}

async fn record_failure(
    store: &Store,
    outgoing: &OutboxNotice,
    notice: &Notice,
    error: &DeliveryError,
) -> Result<(), StoreError> {
    let now = Utc::now();
    // Counted from when the notice was made, so that the retries end however often the daemon
    // restarts.
    let again = notice::next_attempt_at(notice.since, outgoing.attempts + 1, now, error, 0.5);
    let Some(again) = again else {
        tracing::error!("notice to {} failed: {error}; gave up", outgoing.target);
        return store.drop_notice(&outgoing.id).await;
    };
    let wait = delay_millis(again, now);
    tracing::warn!(
        "notice to {} failed: {error}; retrying in {} s",
        outgoing.target,
        wait / 1000
    );
    store
        .delay_notice(&outgoing.id, wait, &error.to_string())
        .await
}

fn delay_millis(again: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    (again - now).max(TimeDelta::zero()).num_milliseconds()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_recovers_twice_is_told_of_twice() {
        let well = notice::NoticeState {
            applied: Some("7".to_owned()),
            ..notice::NoticeState::default()
        };
        let at = |text: &str| text.parse().expect("a time");
        let first = state_key(NoticeEvent::Recovered, &well, at("2026-05-01T12:00:00.1Z"));
        let again = state_key(NoticeEvent::Recovered, &well, at("2026-05-01T12:00:00.2Z"));
        assert_ne!(first, again);
        // The same notice again, because nobody knows whether it was stored.
        let same = state_key(NoticeEvent::Recovered, &well, at("2026-05-01T12:00:00.1Z"));
        assert_eq!(first, same);
    }
}
