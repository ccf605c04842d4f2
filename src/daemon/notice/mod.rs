//! Notices about changes in the state of a source: held plans, errors, drift and recovery.
//!
//! [`events_between`] compares two states of a source and returns the events. A [`Notice`] describes one
//! event, and a [`NoticeSender`] delivers it as JSON, as a Slack message or as mail. No notice carries a
//! customer's values: only keys, field names and positions leave the server.

mod cause;
mod document;
mod mail;
mod send;
mod signature;
mod slack;
mod state;

pub use crate::config::NoticeEvent;
pub use document::document;
pub use mail::{body, subject};
pub use send::{DeliveryError, NoticeSender, next_attempt_at};
pub use signature::sign;
pub use slack::slack;
pub use state::{NoticeState, events_between, fingerprint};

use crate::config::NoticeTarget;
use crate::diagnostic::{Diagnostic, Origin};
use crate::plan::HoldEntry;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// What happened.
    pub event: NoticeEvent,
    pub source: String,
    pub environment: Option<String>,
    /// At which revision of the source.
    pub revision: Option<String>,
    /// What makes it this state and no other, and which one it came after: the same again is no news.
    pub state: String,
    /// One sentence, without values of customers.
    pub summary: String,
    /// What it is about, one by one.
    pub details: Vec<NoticeDetail>,
    /// How many of what: `errors`, `steps`, `held`.
    pub counts: BTreeMap<String, u64>,
    /// Since when it is so.
    pub since: DateTime<Utc>,
    /// Where more is shown.
    pub url: Option<String>,
    /// The command that lets a hold through.
    pub command: Option<String>,
}

/// One of the things a notice is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeDetail {
    /// What, without values of customers.
    pub what: String,
    /// By which rule.
    pub code: Option<String>,
    /// Of which resource: `User/u-1`.
    pub resource: Option<String>,
    pub field: Option<String>,
    /// Where.
    pub place: Option<NoticeOrigin>,
}

/// A place in a file of a source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NoticeOrigin {
    /// The file.
    pub path: String,
    /// The line, from 1; 0 when the whole file is meant.
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

/// A finding as it may be told: what its rule says in general stands for its message, which may
/// name a value.
impl From<&Diagnostic> for NoticeDetail {
    fn from(finding: &Diagnostic) -> Self {
        Self {
            what: finding.code.summary().to_owned(),
            code: Some(finding.code.name().to_owned()),
            resource: finding.key.as_ref().map(ToString::to_string),
            field: finding.field.clone(),
            place: finding.origin.as_ref().map(NoticeOrigin::from),
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
    /// Place, resource and field, rule: what comes before the words.
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
    /// One that says nothing but that notices arrive.
    #[must_use]
    pub fn test(environment: Option<&str>, now: DateTime<Utc>) -> Self {
        Self {
            event: NoticeEvent::Test,
            source: "roster".to_owned(),
            environment: environment.map(str::to_owned),
            revision: None,
            state: now.to_rfc3339(),
            summary: "This is a test. Notices arrive here.".to_owned(),
            details: Vec::new(),
            counts: BTreeMap::new(),
            since: now,
            url: None,
            command: None,
        }
    }

    /// What it is called: `directory failed`, with the environment where there is one.
    #[must_use]
    pub fn title(&self) -> String {
        let title = format!("{} {}", line(&self.source), self.event.word());
        match &self.environment {
            Some(environment) => format!("[{environment}] {title}"),
            None => title,
        }
    }

    /// The name of its delivery to a target: the same on every attempt and on every replica, so
    /// that it is kept and told once. What may differ when it is made again is left out.
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
            hasher.update(&[0]);
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// On one line, without signs that could be taken for something else.
fn line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

/// Not longer than so many characters.
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
