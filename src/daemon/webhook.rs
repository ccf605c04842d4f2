//! Webhooks of git hosts: checks who sent one and reads which push it reports. Start at `verify`.
//!
//! A webhook is only a hint that makes a pass come sooner: the pass fetches and reads the
//! repository itself. A forged or replayed webhook could at most cause a needless pass. It is
//! refused all the same, so that nobody can keep a daemon busy.

use crate::model::hmac_digest;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeSet, VecDeque};
use subtle::ConstantTimeEq;

/// How far a signed time may be from ours, in either direction.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// A git host, recognized by its headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum GitHost {
    /// GitHub: `X-GitHub-Event`, `X-Hub-Signature-256`.
    GitHub,
    /// GitLab: `X-Gitlab-Event`; `X-Gitlab-Token`, or a signature of Standard Webhooks.
    GitLab,
    /// Gitea and Forgejo: `X-Gitea-Event`, `X-Gitea-Signature`.
    Gitea,
}

/// Why a webhook is refused. None of them repeats what was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WebhookError {
    /// No event header of a known host.
    #[error("not a webhook of GitHub, GitLab, Gitea or Forgejo: their event header is missing")]
    UnknownHost,
    /// Neither a signature nor a token.
    #[error("the webhook is not signed; set the secret of the configuration at the host")]
    Unsigned,
    /// A wrong signature or token.
    #[error("wrong signature: the secret at the host differs from the one in the configuration")]
    Signature,
    /// Signed too long ago, or in the future.
    #[error("the signature is too old, or a clock is wrong by more than 5 minutes")]
    Stale,
    /// Signed correctly, but not the body of a push.
    #[error("the body is not a push event; send JSON (content type application/json)")]
    Body,
}

/// What a correctly signed webhook says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WebhookEvent {
    /// A test of the connection.
    Ping,
    Push(WebhookPush),
    /// Any other event, by its name. Nothing to do.
    Other(String),
}

/// A push to a repository.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebhookPush {
    /// The id of the delivery, the same if it is sent again.
    pub delivery: Option<String>,
    /// The digest of the signed body. A replay cannot change it.
    body_digest: String,
    /// The pushed ref: `refs/heads/main`.
    pub reference: String,
    /// The commit it points to now; `None` if it was deleted.
    pub commit: Option<String>,
    /// The addresses of the repository, as the host knows them.
    pub urls: Vec<String>,
}

impl WebhookPush {
    /// Whether the push concerns a source that follows `wanted`, a branch, a tag or a full ref. If
    /// `wanted` is a commit, no push does, because a commit never moves.
    #[must_use]
    pub fn concerns_ref(&self, wanted: &str) -> bool {
        let short = ["refs/heads/", "refs/tags/"];
        self.reference == wanted
            || short
                .iter()
                .any(|prefix| self.reference.strip_prefix(prefix) == Some(wanted))
    }
}

/// Checks a webhook against the secret of the configuration and parses it. The body must be what
/// arrived, byte for byte. The caller limits its length.
pub fn verify(
    headers: &HeaderMap,
    body: &[u8],
    secret: &str,
    now: DateTime<Utc>,
) -> Result<WebhookEvent, WebhookError> {
    let host = detect_host(headers).ok_or(WebhookError::UnknownHost)?;
    // With an empty secret anybody could sign.
    if secret.is_empty() {
        return Err(WebhookError::Signature);
    }
    match host {
        GitHost::GitHub => {
            let given = text(headers, "x-hub-signature-256").ok_or(WebhookError::Unsigned)?;
            let given = given.strip_prefix("sha256=");
            verify_hex(given.ok_or(WebhookError::Signature)?, secret, body)?;
        }
        GitHost::Gitea => {
            let given = text(headers, "x-gitea-signature").filter(|given| !given.is_empty());
            verify_hex(given.ok_or(WebhookError::Unsigned)?, secret, body)?;
        }
        GitHost::GitLab => verify_gitlab(headers, body, secret, now)?,
    }
    // Last: unsigned bodies never reach the parser.
    parse_event(host, headers, body)
}

/// The host that sent the webhook. Gitea also sends the headers of GitHub, so its own are checked
/// first.
#[must_use]
fn detect_host(headers: &HeaderMap) -> Option<GitHost> {
    let by_header = [
        ("x-gitea-event", GitHost::Gitea),
        ("x-gitlab-event", GitHost::GitLab),
        ("x-github-event", GitHost::GitHub),
    ];
    let mut known = by_header.into_iter();
    let found = known.find(|(name, _)| headers.contains_key(*name));
    found.map(|(_, host)| host)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn verify_hex(given: &str, secret: &str, body: &[u8]) -> Result<(), WebhookError> {
    let given = unhex(given).ok_or(WebhookError::Signature)?;
    verify_digest(&given, &hmac_digest(secret.as_bytes(), &[body]))
}

/// GitLab sends the plain token, or a signature if it has a signing token. A signing token is never
/// accepted as a plain one.
fn verify_gitlab(
    headers: &HeaderMap,
    body: &[u8],
    secret: &str,
    now: DateTime<Utc>,
) -> Result<(), WebhookError> {
    if let Some(key) = secret.strip_prefix("whsec_") {
        let key = STANDARD.decode(key).map_err(|_| WebhookError::Signature)?;
        return verify_standard(headers, body, &key, now);
    }
    let given = text(headers, "x-gitlab-token").ok_or(WebhookError::Unsigned)?;
    // Digests are compared, so that the time it takes does not reveal even the length of the
    // secret.
    let of = |token: &str| hmac_digest(b"token", &[token.as_bytes()]);
    verify_digest(&of(given), &of(secret))
}

/// Standard Webhooks: `webhook-signature` has one or more `v1,BASE64`, each an HMAC-SHA256 of the
/// id, the time and the body, joined by dots.
fn verify_standard(
    headers: &HeaderMap,
    body: &[u8],
    key: &[u8],
    now: DateTime<Utc>,
) -> Result<(), WebhookError> {
    let signatures = text(headers, "webhook-signature").ok_or(WebhookError::Unsigned)?;
    let id = text(headers, "webhook-id").ok_or(WebhookError::Unsigned)?;
    let time = text(headers, "webhook-timestamp").ok_or(WebhookError::Unsigned)?;
    let parts = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    let right = hmac_digest(key, &parts);
    let given = signatures
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"));
    let decoded = given.filter_map(|one| STANDARD.decode(one).ok());
    // Several signatures come while a key is being replaced. All are checked, so that the time does
    // not show which one was right.
    let any = decoded.fold(false, |any, one| any | verify_digest(&one, &right).is_ok());
    if !any {
        return Err(WebhookError::Signature);
    }
    // Only after the signature is checked can the time be trusted.
    let signed = time.parse().ok();
    let signed = signed.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let age = (now - signed.ok_or(WebhookError::Stale)?).abs();
    if age <= TOLERANCE {
        Ok(())
    } else {
        Err(WebhookError::Stale)
    }
}

fn verify_digest(given: &[u8], right: &[u8; 32]) -> Result<(), WebhookError> {
    if bool::from(given.ct_eq(right)) {
        Ok(())
    } else {
        Err(WebhookError::Signature)
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let bytes = digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]));
    bytes.collect::<Result<_, _>>().ok()
}

fn parse_event(
    host: GitHost,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<WebhookEvent, WebhookError> {
    let (event, delivery) = match host {
        GitHost::GitHub => ("x-github-event", "x-github-delivery"),
        GitHost::Gitea => ("x-gitea-event", "x-gitea-delivery"),
        // The event id names the cause. Only the key is the same on every attempt.
        GitHost::GitLab => ("x-gitlab-event", "idempotency-key"),
    };
    let event = text(headers, event).unwrap_or_default();
    match event {
        "ping" => Ok(WebhookEvent::Ping),
        "push" | "Push Hook" | "Tag Push Hook" | "System Hook" => {
            let delivery = text(headers, delivery).map(str::to_owned);
            parse_push(event, delivery, body)
        }
        // Cut short, because the header may be as long as the server allows.
        other => Ok(WebhookEvent::Other(other.chars().take(64).collect())),
    }
}

fn parse_push(
    event: &str,
    delivery: Option<String>,
    signed: &[u8],
) -> Result<WebhookEvent, WebhookError> {
    let body: ForgePush = serde_json::from_slice(signed).map_err(|_| WebhookError::Body)?;
    // GitLab's system hooks send every event under one header.
    let kind = body.object_kind.as_deref();
    if event == "System Hook" && !matches!(kind, Some("push" | "tag_push")) {
        return Ok(WebhookEvent::Other(event.to_owned()));
    }
    let urls = body.urls();
    // A deleted branch is reported as a commit of zeros, whose length depends on the hash.
    let exists = |commit: &String| !commit.is_empty() && !commit.bytes().all(|byte| byte == b'0');
    Ok(WebhookEvent::Push(WebhookPush {
        delivery,
        body_digest: blake3::hash(signed).to_hex().to_string(),
        reference: body.reference.ok_or(WebhookError::Body)?,
        commit: body.after.filter(exists),
        urls,
    }))
}

/// The fields of a push that the hosts send, each under its own names.
#[derive(Deserialize)]
struct ForgePush {
    object_kind: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    after: Option<String>,
    repository: Option<Map<String, Value>>,
    project: Option<Map<String, Value>>,
}

impl ForgePush {
    /// Every address of the repository that the host names, each once.
    fn urls(&self) -> Vec<String> {
        const NAMES: [&str; 10] = [
            "clone_url",
            "ssh_url",
            "git_url",
            "html_url",
            "git_http_url",
            "git_ssh_url",
            "http_url",
            "web_url",
            "homepage",
            "url",
        ];
        let places = self.repository.iter().chain(&self.project);
        let found =
            places.flat_map(|place| NAMES.iter().filter_map(|name| place.get(*name)?.as_str()));
        let found: BTreeSet<String> = found.map(str::to_owned).collect();
        found.into_iter().collect()
    }
}

/// The latest deliveries. One that comes again is answered as the first time and starts nothing.
#[derive(Clone, Debug)]
pub struct SeenDeliveries {
    capacity: usize,
    order: VecDeque<String>,
    known: BTreeSet<String>,
}

impl Default for SeenDeliveries {
    fn default() -> Self {
        Self::new(1_000)
    }
}

impl SeenDeliveries {
    /// Remembers up to `most` names.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            capacity: most,
            order: VecDeque::new(),
            known: BTreeSet::new(),
        }
    }

    /// Records a push. Returns false if its delivery or its body was seen before. No host signs the
    /// id of the delivery, so the body counts too. Call it only with what [`verify`] accepted, or
    /// strangers could fill it.
    pub fn insert_push(&mut self, source: &str, push: &WebhookPush) -> bool {
        // Both are inserted before either is judged, so that a replay with one part changed is
        // known next time too.
        let body = self.insert_delivery(&format!("{source} body {}", push.body_digest));
        let delivery = push.delivery.as_ref();
        let delivery =
            delivery.is_none_or(|name| self.insert_delivery(&format!("{source} delivery {name}")));
        body && delivery
    }

    /// Records a name. The oldest one is forgotten if there are too many.
    fn insert_delivery(&mut self, delivery: &str) -> bool {
        // A long name is stored as its digest, so that senders cannot decide how much memory this
        // takes.
        let name = if delivery.len() > 64 {
            blake3::hash(delivery.as_bytes()).to_hex().to_string()
        } else {
            delivery.to_owned()
        };
        if !self.known.insert(name.clone()) {
            return false;
        }
        self.order.push_back(name);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
