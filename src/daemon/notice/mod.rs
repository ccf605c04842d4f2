//! Notices about changes in the state of a source: held plans, errors, drift and recovery.
//!
//! [`events_between`] compares two states of a source and returns the events. A [`Notice`]
//! describes one event, and a [`NoticeSender`] delivers it as JSON, as a Slack message or as mail.
//! No notice carries a customer's values: only keys, field names and positions leave the server.

mod cause;
mod document;
mod mail;
mod send;
mod slack;
mod state;

pub use crate::config::NoticeEvent;
pub use document::document;
pub use mail::{body, subject};
pub(super) use send::send_message;
pub use send::{DeliveryError, NoticeSender, next_attempt_at, sign};
pub use slack::slack;
pub use state::{NoticeState, events_between, fingerprint};

use crate::config::NoticeTarget;
use crate::diagnostic::{Diagnostic, Origin};
use crate::plan::HoldEntry;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One event of a source, ready to be delivered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    pub event: NoticeEvent,
    pub source: String,
    pub environment: Option<String>,
    /// The revision of the source that the last pass looked at.
    pub revision: Option<String>,
    /// Identifies the state and the one before it. The same state again is not a new event.
    pub state: String,
    /// One sentence, without values of customers.
    pub summary: String,
    /// The diagnostics or held steps.
    pub details: Vec<NoticeDetail>,
    /// Counts by name: `errors`, `steps`, `held`.
    pub counts: BTreeMap<String, u64>,
    /// The start of the state.
    pub since: DateTime<Utc>,
    /// The page of the source.
    pub url: Option<String>,
    /// The command that approves the hold.
    pub command: Option<String>,
}

/// One diagnostic or held step of a notice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeDetail {
    /// What is wrong or held, without values of customers.
    pub what: String,
    /// The code of the rule.
    pub code: Option<String>,
    /// The resource, such as `User/u-1`.
    pub resource: Option<String>,
    pub field: Option<String>,
    pub place: Option<NoticeOrigin>,
}

/// A position in a file of a source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NoticeOrigin {
    pub path: String,
    /// The line, from 1. 0 stands for the whole file.
    pub line: u64,
    pub column: u64,
}

impl From<&Origin> for NoticeOrigin {
    fn from(origin: &Origin) -> Self {
        Self {
            path: origin.path.to_string(),
            line: u64::from(origin.at.line),
            column: u64::from(origin.at.column),
        }
    }
}

impl std::fmt::Display for NoticeOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(&self.path),
            line => write!(f, "{}:{line}:{}", self.path, self.column),
        }
    }
}

/// Uses the general summary of the rule, because the message may contain a customer's value and
/// notices go to chat rooms and mailboxes.
impl From<&Diagnostic> for NoticeDetail {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            what: diagnostic.code.summary().to_owned(),
            code: Some(diagnostic.code.name().to_owned()),
            resource: diagnostic.key.as_ref().map(ToString::to_string),
            field: diagnostic.field.clone(),
            place: diagnostic.origin.as_ref().map(NoticeOrigin::from),
        }
    }
}

impl From<&HoldEntry> for NoticeDetail {
    fn from(held: &HoldEntry) -> Self {
        Self {
            what: format!("{} is held: {}", held.verb.word(), held.code.summary()),
            code: Some(held.code.name().to_owned()),
            resource: Some(held.key.to_string()),
            field: None,
            place: held.origin.as_ref().map(NoticeOrigin::from),
        }
    }
}

impl NoticeDetail {
    /// The position, and the resource with its field: what comes before the text.
    fn head(&self) -> Vec<String> {
        let place = self.place.as_ref().map(ToString::to_string);
        let named = match (&self.resource, &self.field) {
            (Some(resource), Some(field)) => Some(format!("{resource} {field}")),
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        [place, named]
            .into_iter()
            .flatten()
            .map(|text| line(&text))
            .collect()
    }
}

impl Notice {
    /// Returns the notice of `roster notice test`.
    #[must_use]
    pub fn test(environment: Option<&str>, now: DateTime<Utc>) -> Self {
        Self {
            event: NoticeEvent::Test,
            source: "roster".to_owned(),
            environment: environment.map(str::to_owned),
            revision: None,
            // A second test is another delivery, so a receiver does not drop it as a repetition.
            state: now.to_rfc3339(),
            summary: "This is a test. Notices arrive here.".to_owned(),
            details: Vec::new(),
            counts: BTreeMap::new(),
            since: now,
            url: None,
            command: None,
        }
    }

    /// Returns the title, such as `[staging] directory failed`.
    #[must_use]
    pub fn title(&self) -> String {
        let title = format!("{} {}", line(&self.source), self.event.word());
        match &self.environment {
            Some(environment) => format!("[{environment}] {title}"),
            None => title,
        }
    }

    /// Returns the id of its delivery to a target.
    ///
    /// It is the same for every attempt and on every replica, so that the outbox stores a notice
    /// once and a receiver can drop repetitions. Whatever may differ when the notice is built again
    /// is left out, such as its time and texts.
    #[must_use]
    pub fn delivery(&self, target: &NoticeTarget) -> String {
        let mut hasher = blake3::Hasher::new();
        let environment = self.environment.as_deref().unwrap_or_default();
        let event = self.event.word();
        for part in [
            &*target.name,
            &*self.source,
            environment,
            event,
            &*self.state,
        ] {
            hasher.update(part.as_bytes());
            // Without a separator, `a` + `bc` and `ab` + `c` would get one id.
            hasher.update(&[0]);
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// Puts a text on one line. A file name with a line break must not add lines of its own to a mail.
fn line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

/// Cuts a text to at most this number of characters.
fn truncate(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
