//! Requests to the API of a platform: with the token, within a time, again after a rate limit or a
//! failure of the server.

use super::platform::CommentPlatform;
use super::refusal::{limited, refusal, unreached};
use super::setup::CommentPlace;
use crate::cli::{CommandFailure, http_client};
use crate::diagnostic::{chain, visible};
use crate::transport::percent_encode;
use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, HeaderMap, LINK, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode, Url};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(30);
/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// After so many failures of the server in a row it is given up.
const ATTEMPTS: u32 = 5;
/// What GitHub asks for after a limit that it does not describe.
const UNDESCRIBED_LIMIT: Duration = Duration::from_mins(1);

/// A platform and where to comment on it.
pub(super) struct PlatformClient {
    place: CommentPlace,
    client: Client,
    start: Instant,
    timeout: Duration,
    failures: AtomicU32,
}

/// Why a request failed.
#[derive(Debug)]
pub(super) enum RequestFailure {
    /// The platform does not do it.
    Refused { status: StatusCode, said: String },
    /// It is not known whether it was done.
    Unclear(String),
    /// A rate limit ends too late.
    Limited(Duration),
    /// The platform did not work for too long.
    Unreached(String),
}

impl PlatformClient {
    pub fn new(
        place: CommentPlace,
        ca: Option<&Path>,
        timeout: Duration,
    ) -> Result<Self, CommandFailure> {
        Ok(Self {
            client: http_client::build(&place.api, ca, REQUEST)?,
            place,
            start: Instant::now(),
            timeout,
            failures: AtomicU32::new(0),
        })
    }

    pub fn platform(&self) -> &'static CommentPlatform {
        self.place.platform
    }

    pub fn comments_path(&self) -> String {
        self.path(self.platform().comments)
    }

    pub fn comment_path(&self, id: u64) -> String {
        self.path(self.platform().comment)
            .replace("{id}", &id.to_string())
    }

    fn path(&self, template: &str) -> String {
        // GitLab takes the path of a project as one segment, with its slashes encoded.
        let is_path = template.starts_with("repos/");
        let repository = percent_encode(&self.place.repository, is_path);
        template
            .replace("{repository}", &repository)
            .replace("{number}", &self.place.number.to_string())
    }

    /// Sends a request and returns the answer. Waits for rate limits; a failure of the server is
    /// tried again unless that could do something twice.
    pub async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, RequestFailure> {
        let url = self.url(path)?;
        let answer = self.request(method, &url, body).await?;
        json(answer).await
    }

    /// Deletes what is at a path.
    pub async fn delete(&self, path: &str) -> Result<(), RequestFailure> {
        let url = self.url(path)?;
        self.request(&Method::DELETE, &url, None).await.map(drop)
    }

    /// Asks by GraphQL, whose address GitHub derives from that of the API.
    pub async fn graphql(&self, query: &str) -> Result<Value, RequestFailure> {
        let named =
            super::setup::variable("GITHUB_GRAPHQL_URL").and_then(|url| Url::parse(&url).ok());
        let mut url = self.place.api.clone();
        // GitHub Enterprise has `/api/v3` and `/api/graphql`.
        let base = url
            .path()
            .trim_end_matches('/')
            .trim_end_matches("/v3")
            .to_owned();
        url.set_path(&format!("{base}/graphql"));
        // The token is for the server of the API only.
        let url = named
            .filter(|named| named.origin() == url.origin())
            .unwrap_or(url);
        let body = serde_json::json!({ "query": query });
        // A query, which does nothing, so it may be sent twice.
        let answer = self.repeat(&Method::POST, &url, Some(&body), true).await?;
        json(answer).await
    }

    /// Returns the items of a page, and whether the platform names another one.
    pub async fn get_page(&self, path: &str) -> Result<(Vec<Value>, bool), RequestFailure> {
        let url = self.url(path)?;
        let answer = self.request(&Method::GET, &url, None).await?;
        let text = |name: &str| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
        // Only whether there is one: the address may be that of another server.
        let more = text(LINK.as_str()).is_some_and(|link| link.contains("rel=\"next\""))
            || text("x-next-page").is_some_and(|page| !page.trim().is_empty());
        match json(answer).await? {
            Value::Array(items) => Ok((items, more)),
            _ => Err(RequestFailure::Unreached(
                "it sent no list of comments".to_owned(),
            )),
        }
    }

    fn url(&self, path: &str) -> Result<Url, RequestFailure> {
        let url = self.place.api.join(path);
        url.map_err(|error| RequestFailure::Unreached(error.to_string()))
    }

    async fn request(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&Value>,
    ) -> Result<Response, RequestFailure> {
        self.repeat(method, url, body, *method != Method::POST)
            .await
    }

    async fn repeat(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&Value>,
        may_repeat: bool,
    ) -> Result<Response, RequestFailure> {
        loop {
            let (name, value) = self.place.header.header(self.place.token.expose_secret());
            // A server that hangs must not hold the job longer than it waits.
            let limit = REQUEST.min(self.time_left());
            let mut request = self
                .client
                .request(method.clone(), url.clone())
                .timeout(limit)
                .header(ACCEPT, self.platform().accept)
                .header(name, value);
            if let Some(body) = body {
                request = request.json(body);
            }
            let why = match request.send().await {
                Ok(answer) if answer.status().is_success() => {
                    self.failures.store(0, Ordering::Relaxed);
                    return Ok(answer);
                }
                Ok(answer) if answer.status().is_server_error() => {
                    format!("it answered {}", answer.status())
                }
                Ok(answer) => {
                    let limit = rate_limit(&answer);
                    let status = answer.status();
                    let said = self.said(answer).await;
                    let is_secondary = said.to_lowercase().contains("rate limit");
                    match limit.or(is_secondary.then_some(UNDESCRIBED_LIMIT)) {
                        // A limited request was not carried out.
                        Some(wait) => {
                            self.wait(wait).await?;
                            continue;
                        }
                        None => return Err(RequestFailure::Refused { status, said }),
                    }
                }
                Err(error) if error.is_timeout() && !error.is_connect() => no_answer(limit),
                // Without the address, which the message has already.
                Err(error) => chain(&error.without_url()),
            };
            if !may_repeat {
                return Err(RequestFailure::Unclear(why));
            }
            self.back_off(why).await?;
        }
    }

    fn time_left(&self) -> Duration {
        self.timeout.saturating_sub(self.start.elapsed())
    }

    /// Waits for a rate limit to end, if it ends in time.
    async fn wait(&self, wait: Duration) -> Result<(), RequestFailure> {
        if wait > self.time_left() {
            return Err(RequestFailure::Limited(wait));
        }
        tracing::warn!(
            "{} limits the requests; waiting {} s",
            self.platform().name,
            wait.as_secs()
        );
        tokio::time::sleep(wait).await;
        Ok(())
    }

    async fn back_off(&self, why: String) -> Result<(), RequestFailure> {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        let pause = FIRST_PAUSE * 2_u32.pow(failures.min(ATTEMPTS));
        if failures + 1 >= ATTEMPTS || pause > self.time_left() {
            return Err(RequestFailure::Unreached(why));
        }
        tracing::info!("{}: {why}; trying again", self.platform().name);
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Says that a comment had to be written to find those of this token.
    pub fn warn_of_unknown_identity(&self) {
        let platform = self.platform();
        let help = platform.identity_permission;
        let help = help.map_or_else(String::new, |needed| format!("; give it {needed}"));
        tracing::warn!(
            "{} does not tell this token whose it is, so Roster had to post another comment to find its own{help}",
            platform.name
        );
    }

    /// Pauses before another attempt, or fails if there were too many.
    pub async fn pause_after(&self, why: String) -> Result<(), CommandFailure> {
        let paused = self.back_off(why).await;
        paused.map_err(|failure| self.failure(failure))
    }

    /// The message of a refusal, on one line and without the token and the password.
    async fn said(&self, answer: Response) -> String {
        let text = answer.text().await.unwrap_or_default();
        let document: Value = serde_json::from_str(&text).unwrap_or_default();
        let members = ["message", "error_description", "error"].iter();
        let said = members.map(|member| match &document[member] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        });
        let said = said
            .into_iter()
            .find(|said| !said.is_empty())
            .unwrap_or_default();
        let said: String = said.chars().take(300).collect();
        self.without_secrets(&visible(said.trim().trim_end_matches('.')))
    }

    fn without_secrets(&self, text: &str) -> String {
        let token = Some(&self.place.token).into_iter();
        let secrets = token.chain(&self.place.password);
        secrets.fold(text.to_owned(), |text, secret| {
            text.replace(secret.expose_secret(), "***")
        })
    }

    pub fn failure(&self, failure: RequestFailure) -> CommandFailure {
        let message = match failure {
            RequestFailure::Refused { status, said } => refusal(&self.place, status, &said),
            RequestFailure::Limited(wait) => limited(&self.place, wait),
            RequestFailure::Unclear(why) | RequestFailure::Unreached(why) => {
                unreached(&self.place, &why)
            }
        };
        CommandFailure::error(self.without_secrets(&message))
    }

    pub fn unreadable(&self) -> CommandFailure {
        let why = "its answer has no comment; check `--api-url`".to_owned();
        self.failure(RequestFailure::Unreached(why))
    }
}

fn no_answer(limit: Duration) -> String {
    format!("no answer within {} s", limit.as_secs_f32().ceil())
}

async fn json(answer: Response) -> Result<Value, RequestFailure> {
    let text = answer.text().await;
    let text = text.map_err(|error| RequestFailure::Unclear(chain(&error.without_url())))?;
    serde_json::from_str(&text).map_err(|_| {
        RequestFailure::Unreached("it did not answer with JSON; check `--api-url`".to_owned())
    })
}

/// Returns how long a rate limit lasts, if that is why a request was refused.
fn rate_limit(answer: &Response) -> Option<Duration> {
    let status = answer.status();
    if status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::FORBIDDEN {
        return None;
    }
    let headers = answer.headers();
    let after = number(headers, RETRY_AFTER.as_str()).map(Duration::from_secs);
    let is_used_up = ["x-ratelimit-remaining", "ratelimit-remaining"]
        .iter()
        .any(|name| number(headers, name) == Some(0));
    let until = ["x-ratelimit-reset", "ratelimit-reset"]
        .iter()
        .find_map(|name| number(headers, name))
        .filter(|_| is_used_up)
        .and_then(seconds_until);
    let limited = status == StatusCode::TOO_MANY_REQUESTS || is_used_up;
    after.or(until).or(limited.then_some(UNDESCRIBED_LIMIT))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// How long until a time in seconds since 1970. A second more, since clocks differ.
fn seconds_until(time: u64) -> Option<Duration> {
    let time = DateTime::from_timestamp(i64::try_from(time).ok()?, 0)?;
    let left = (time - Utc::now()).num_seconds().max(0) + 1;
    u64::try_from(left).ok().map(Duration::from_secs)
}
