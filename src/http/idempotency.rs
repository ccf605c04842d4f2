//! Idempotency keys: a repeated act gets the first answer and is not done again. The cache lives in
//! memory, which covers a client that retries after a lost connection; pushes keep their keys in
//! the database. Start at `IdempotencyCache::begin`.

use super::personal_response::RepeatedBody;
use super::problem::{self, HttpProblem};
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The header with the key.
pub const HEADER: &str = "idempotency-key";
/// The header that marks a repeated answer.
pub const REPLAYED: &str = "idempotency-replayed";

const LONGEST_KEY: usize = 128;
const LONGEST_ANSWER: usize = 64 << 10;
const MOST: usize = 1024;
const KEPT: Duration = Duration::from_hours(24);

/// The caller and the key it sent.
type IdempotencyKey = (Arc<str>, String);

/// The acts with a key, and their answers.
#[derive(Debug, Default)]
pub struct IdempotencyCache(Mutex<IdempotencyEntries>);

#[derive(Debug, Default)]
struct IdempotencyEntries {
    known: HashMap<IdempotencyKey, IdempotencyEntry>,
    order: VecDeque<(IdempotencyKey, Instant)>,
}

#[derive(Debug)]
struct IdempotencyEntry {
    request: [u8; 32],
    since: Instant,
    answer: Option<CachedResponse>,
}

/// A stored answer.
#[derive(Clone, Debug)]
struct CachedResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// What to do with a request that carries a key.
#[derive(Debug)]
pub enum IdempotencyLookup {
    /// It is the first with its key: do it and store the answer.
    First(IdempotencyGuard),
    /// It was done before; this was the answer.
    Replay(Box<Response>),
}

/// An act in progress. If dropped without an answer, its key is free again.
#[derive(Debug)]
pub struct IdempotencyGuard {
    replays: Arc<IdempotencyCache>,
    name: IdempotencyKey,
    since: Instant,
    answered: bool,
}

/// Reads the key from the headers.
pub fn key(headers: &HeaderMap) -> Result<Option<String>, HttpProblem> {
    let Some(value) = headers.get(HEADER) else {
        return Ok(None);
    };
    // A key ends up in logs and in the database, so it must be short and visible.
    let printable = |text: &&str| {
        !text.is_empty() && text.len() <= LONGEST_KEY && text.bytes().all(|b| b.is_ascii_graphic())
    };
    match value.to_str().ok().filter(printable) {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(HttpProblem::bad_request(format!(
            "Idempotency-Key: 1 to {LONGEST_KEY} visible ASCII characters"
        ))),
    }
}

/// Identifies a request: everything but the headers.
pub fn digest(method: &str, path_and_query: &str, body: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in [method.as_bytes(), path_and_query.as_bytes(), body] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

impl IdempotencyCache {
    /// Begins an act, or returns its earlier answer.
    pub fn begin(
        self: &Arc<Self>,
        who: &Arc<str>,
        key: String,
        request: [u8; 32],
        now: Instant,
    ) -> Result<IdempotencyLookup, HttpProblem> {
        let mut acts = self.lock();
        acts.forget(now);
        let name = (Arc::clone(who), key);
        // Another request with a used key is a bug of the client; answering it with the old result
        // would hide it.
        match acts.known.get(&name) {
            Some(act) if act.request != request => Err(HttpProblem::new(
                problem::KEY_REUSED,
                "use a new key for each request",
            )),
            Some(IdempotencyEntry {
                answer: Some(answer),
                ..
            }) => Ok(IdempotencyLookup::Replay(Box::new(
                answer.to_replayed_response(),
            ))),
            Some(_) => {
                Err(HttpProblem::new(problem::IN_PROGRESS, "").retry_after(Duration::from_secs(1)))
            }
            None => {
                let act = IdempotencyEntry {
                    request,
                    since: now,
                    answer: None,
                };
                acts.known.insert(name.clone(), act);
                acts.order.push_back((name.clone(), now));
                Ok(IdempotencyLookup::First(IdempotencyGuard {
                    replays: Arc::clone(self),
                    name,
                    since: now,
                    answered: false,
                }))
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, IdempotencyEntries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdempotencyEntries {
    /// Removes entries that are too old. If there are too many, removes the oldest with an answer;
    /// an act still in progress must not be done twice.
    fn forget(&mut self, now: Instant) {
        while let Some(at) = self.forgettable(now) {
            let Some((name, since)) = self.order.remove(at) else {
                return;
            };
            // The key may have been freed and used again since this entry was queued.
            if self.known.get(&name).is_some_and(|act| act.since == since) {
                self.known.remove(&name);
            }
        }
    }

    fn forgettable(&self, now: Instant) -> Option<usize> {
        let act = |(name, since): &(IdempotencyKey, Instant)| {
            let act = self.known.get(name);
            act.filter(|act| act.since == *since)
        };
        let first = self.order.front()?;
        if act(first).is_none() || now.saturating_duration_since(first.1) > KEPT {
            return Some(0);
        }
        let too_many = self.order.len() >= MOST;
        let answered = |entry| act(entry).is_none_or(|act| act.answer.is_some());
        too_many.then(|| self.order.iter().position(answered))?
    }
}

impl IdempotencyGuard {
    /// Stores the answer for repeats. A server error is not stored, because another try may
    /// succeed. Of a personal answer only what its handler says is stored.
    pub async fn end(
        mut self,
        response: Response,
        is_personal: bool,
    ) -> Result<Response, HttpProblem> {
        if response.status().is_server_error() {
            return Ok(response);
        }
        let (mut parts, body) = response.into_parts();
        let instead = parts.extensions.remove::<RepeatedBody>();
        if is_personal && instead.is_none() {
            return Ok(Response::from_parts(parts, body));
        }
        let body = axum::body::to_bytes(body, usize::MAX)
            .await
            .map_err(HttpProblem::internal)?;
        // A thousand answers are kept, so the size of each has to be bounded too.
        if instead.is_some() || body.len() <= LONGEST_ANSWER {
            // Only what describes the answer: a cookie or a request id belongs to one response.
            let kept = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];
            let headers = kept
                .into_iter()
                .filter_map(|name| Some((name.clone(), parts.headers.get(name)?.clone())));
            let answer = CachedResponse {
                status: parts.status,
                headers: headers.collect(),
                body: instead.map_or_else(|| body.clone(), |RepeatedBody(kept)| kept),
            };
            let mut acts = self.replays.lock();
            let act = acts.known.get_mut(&self.name);
            if let Some(act) = act.filter(|act| act.since == self.since) {
                act.answer = Some(answer);
                self.answered = true;
            }
        }
        Ok(Response::from_parts(parts, body.into()))
    }
}

impl Drop for IdempotencyGuard {
    fn drop(&mut self) {
        // The act failed, or its answer was too large to keep; a repeat has to do it again.
        if !self.answered {
            let mut acts = self.replays.lock();
            let own = acts.known.get(&self.name);
            if own.is_some_and(|act| act.since == self.since) {
                acts.known.remove(&self.name);
            }
        }
    }
}

impl CachedResponse {
    fn to_replayed_response(&self) -> Response {
        let mut response = (self.status, self.headers.clone(), self.body.clone()).into_response();
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, yes);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(
        replays: &Arc<IdempotencyCache>,
        who: &str,
        key: &str,
        body: &str,
    ) -> Result<IdempotencyLookup, HttpProblem> {
        let request = digest("POST", "/x", body.as_bytes());
        replays.begin(&who.into(), key.to_owned(), request, Instant::now())
    }

    fn first(turn: Result<IdempotencyLookup, HttpProblem>) -> IdempotencyGuard {
        match turn {
            Ok(IdempotencyLookup::First(begun)) => begun,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn the_same_act_is_answered_again_and_another_with_its_key_is_not() {
        let replays = Arc::new(IdempotencyCache::default());
        let begun = first(begin(&replays, "ada", "k", "a"));
        let meanwhile = begin(&replays, "ada", "k", "a").expect_err("still being done");
        assert_eq!(meanwhile.kind, problem::IN_PROGRESS);
        let answer = (StatusCode::CREATED, "done").into_response();
        begun.end(answer, false).await.expect("an answer");
        let Ok(IdempotencyLookup::Replay(again)) = begin(&replays, "ada", "k", "a") else {
            panic!("done twice");
        };
        assert_eq!(again.status(), StatusCode::CREATED);
        assert_eq!(again.headers()[REPLAYED], "true");
        let other = begin(&replays, "ada", "k", "b").expect_err("another body");
        assert_eq!(other.kind, problem::KEY_REUSED);
        first(begin(&replays, "bob", "k", "b"));
    }

    #[tokio::test]
    async fn what_failed_or_was_given_up_may_be_tried_again() {
        let replays = Arc::new(IdempotencyCache::default());
        drop(first(begin(&replays, "ada", "k", "a")));
        let begun = first(begin(&replays, "ada", "k", "a"));
        let failed = StatusCode::SERVICE_UNAVAILABLE.into_response();
        begun.end(failed, false).await.expect("an answer");
        first(begin(&replays, "ada", "k", "a"));
    }

    #[tokio::test]
    async fn an_act_that_is_being_done_is_not_forgotten_for_others() {
        let replays = Arc::new(IdempotencyCache::default());
        let slow = first(begin(&replays, "ada", "slow", ""));
        for number in 0..2 * MOST {
            let begun = first(begin(&replays, "bob", &format!("k{number}"), ""));
            begun
                .end("".into_response(), false)
                .await
                .expect("an answer");
        }
        let meanwhile = begin(&replays, "ada", "slow", "").expect_err("still being done");
        assert_eq!(meanwhile.kind, problem::IN_PROGRESS);
        slow.end("done".into_response(), false)
            .await
            .expect("an answer");
        assert!(matches!(
            begin(&replays, "ada", "slow", ""),
            Ok(IdempotencyLookup::Replay(_))
        ));
    }

    #[tokio::test]
    async fn so_many_are_kept_and_no_more() {
        let replays = Arc::new(IdempotencyCache::default());
        for number in 0..2 * MOST {
            let begun = first(begin(&replays, "ada", &format!("k{number}"), ""));
            begun
                .end("".into_response(), false)
                .await
                .expect("an answer");
        }
        let acts = replays.lock();
        assert!(acts.known.len() <= MOST && acts.order.len() <= MOST);
    }
}
