//! Sends a notice to one target, once.
//!
//! Input is a target, a notice and its delivery id; output is success or a [`DeliveryError`]. The
//! outbox stores what was not delivered and asks [`next_attempt_at`] when to try again. Errors end
//! up on the page and in logs, so they never contain the URL of a webhook, which is a secret.

use super::cause::cause;
use super::{Notice, body, document, line, slack, subject, truncate};
use crate::config::{MailServer, NoticeChannel, NoticeFormat, NoticeTarget};
use crate::http::choose_provider;
use crate::model::hmac_digest;
use chrono::{DateTime, TimeDelta, Utc};
use lettre::message::header::ContentType;
use lettre::transport::smtp::PoolConfig;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use std::error::Error;
use std::fmt::Write;
use std::sync::OnceLock;
use std::time::Duration;

/// The longest time for one attempt. The outbox claims a notice for a minute, and mail takes up to
/// three of these, so an attempt ends before another replica may take the notice over.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long an undelivered notice is tried again.
const RETRY_WINDOW: TimeDelta = TimeDelta::hours(24);

/// Why a notice was not delivered. `to` is the scheme and host, or the mail server.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DeliveryError {
    /// No connection.
    #[error("{to}: {why}")]
    Unreachable { to: String, why: String },
    #[error("{to}: no answer within {} seconds", TIMEOUT.as_secs())]
    Timeout { to: String },
    /// The target refused the notice.
    #[error("{to}: HTTP {status}{}", colon_prefixed(line))]
    Status {
        to: String,
        status: StatusCode,
        /// The first line of the answer.
        line: String,
        /// How long to wait, by its `Retry-After`.
        after: Option<TimeDelta>,
    },
    /// The target redirects. Notices only go where the configuration says.
    #[error(
        "{to}: HTTP {status}: the address has moved{}; configure the new one",
        colon_prefixed(place)
    )]
    Moved {
        to: String,
        status: StatusCode,
        /// The scheme and host of the new address.
        place: String,
    },
    /// The mail server refused the mail.
    #[error("{to}: {}{}", if *login { "authentication refused" } else { "refused" }, colon_prefixed(line))]
    Mail {
        to: String,
        /// Whether it refused the user or password.
        login: bool,
        /// Whether trying again is useless.
        permanent: bool,
        /// Its answer.
        line: String,
    },
    /// The message cannot be built, for example because an address is not valid.
    #[error("{to}: {why}")]
    Invalid { to: String, why: String },
}

impl DeliveryError {
    /// Whether trying again may help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error()
                    || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(status)
            }
            Self::Mail { permanent, .. } => !permanent,
            Self::Moved { .. } | Self::Invalid { .. } => false,
        }
    }

    /// Whether the mail server refused the user or password.
    #[must_use]
    pub fn is_authentication(&self) -> bool {
        matches!(self, Self::Mail { login: true, .. })
    }

    /// The error without what may name the person to whom a mail goes, for logs.
    #[must_use]
    pub fn without_person(self) -> Self {
        match self {
            Self::Mail {
                to,
                login,
                permanent,
                line,
            } => Self::Mail {
                to,
                login,
                permanent,
                // Servers repeat the address behind their code.
                line: line.split(' ').next().unwrap_or_default().to_owned(),
            },
            Self::Invalid { to, .. } => Self::Invalid {
                to,
                why: "the mail cannot be written; check the e-mail address of the user".to_owned(),
            },
            other => other,
        }
    }

    /// How long the target asks to wait.
    #[must_use]
    pub fn after(&self) -> Option<TimeDelta> {
        match self {
            Self::Status { after, .. } => *after,
            _ => None,
        }
    }
}

fn colon_prefixed(line: &str) -> String {
    if line.is_empty() {
        String::new()
    } else {
        format!(": {line}")
    }
}

/// Returns when to try again, if `attempts` have failed and the last one ended at `now` with
/// `error`.
///
/// The wait starts at 10 seconds, doubles up to one hour, and is at least as long as the target
/// asks for. `jitter` (0 to 1) adds up to a fifth. `None` if trying again is useless, or a day
/// after the `first`.
#[must_use]
pub fn next_attempt_at(
    first: DateTime<Utc>,
    attempts: u32,
    now: DateTime<Utc>,
    error: &DeliveryError,
    jitter: f64,
) -> Option<DateTime<Utc>> {
    // Nine doublings of 10 s exceed the hour already, and more of them would overflow.
    let doublings = attempts.saturating_sub(1).min(9);
    let base = (10_i32 << doublings).min(3_600);
    // All notices that failed in one outage would otherwise be sent again in the same second.
    let wait = f64::from(base) * (1.0 + 0.2 * jitter.clamp(0.0, 1.0));
    #[allow(clippy::cast_possible_truncation)]
    let wait = TimeDelta::milliseconds((wait * 1_000.0) as i64);
    let next = now.checked_add_signed(wait.max(error.after().unwrap_or_default()))?;
    (error.is_retryable() && next <= first + RETRY_WINDOW).then_some(next)
}

/// Delivers notices. The clients are built on first use, because most configurations need one of
/// them.
#[derive(Debug, Default)]
pub struct NoticeSender {
    /// For `https://` targets, with the certificates and the proxy of the system.
    outside: OnceLock<Result<Client, String>>,
    /// For `http://` targets, which are on this machine, without certificates or a proxy.
    inside: OnceLock<Result<Client, String>>,
}

impl NoticeSender {
    #[must_use]
    pub fn new() -> Self {
        choose_provider();
        Self::default()
    }

    /// Makes one attempt. `delivery` is [`Notice::delivery`], and `now` is the time in the
    /// signature.
    pub async fn send(
        &self,
        target: &NoticeTarget,
        notice: &Notice,
        delivery: &str,
        now: DateTime<Utc>,
    ) -> Result<(), DeliveryError> {
        match &target.channel {
            NoticeChannel::Webhook {
                url,
                shown,
                format,
                secret,
            } => {
                let body = match format {
                    NoticeFormat::Json => document(notice, delivery),
                    NoticeFormat::Slack => slack(notice),
                };
                // The signature covers exactly these bytes, so the body is built once, before it.
                let mut headers = vec![(DELIVERY_HEADER, delivery.to_owned())];
                if let Some(secret) = secret {
                    let secret = secret.expose_secret();
                    headers.push((
                        SIGNATURE_HEADER,
                        sign(secret, now.timestamp(), body.as_bytes()),
                    ));
                }
                let answer = self.post(url, shown, headers, body).await?;
                let secrets = [Some(url), secret.as_ref()];
                check_response(answer, shown, now, &secrets).await
            }
            NoticeChannel::Mail { to, server: post } => mail(post, to, notice, delivery).await,
        }
    }

    async fn post(
        &self,
        url: &SecretString,
        to: &str,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Result<Response, DeliveryError> {
        let url = Url::parse(url.expose_secret()).map_err(|error| invalid(to, &error))?;
        let client = self
            .client(&url)
            .map_err(|why| DeliveryError::Unreachable {
                to: to.to_owned(),
                why,
            })?;
        let mut request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request
            .send()
            .await
            .map_err(|error| request_error(to, &error))
    }

    fn client(&self, url: &Url) -> Result<Client, String> {
        // The configuration allows `http://` only for this machine. Such a client must work where
        // no CA certificates are installed, and a proxy would look for `localhost` on its own
        // machine.
        let plain = url.scheme() == "http";
        let slot = if plain { &self.inside } else { &self.outside };
        slot.get_or_init(|| {
            let client = Client::builder()
                .user_agent(concat!("roster/", env!("CARGO_PKG_VERSION")))
                .timeout(TIMEOUT)
                // A redirect would carry the notice, and its signature, to a host nobody
                // configured.
                .redirect(redirect::Policy::none());
            let client = if plain {
                client.no_proxy().tls_certs_only([])
            } else {
                client
            };
            client.build().map_err(|error| cause(&error))
        })
        .clone()
    }
}

/// Turns an answer into success or an error.
async fn check_response(
    mut answer: Response,
    to: &str,
    now: DateTime<Utc>,
    secrets: &[Option<&SecretString>],
) -> Result<(), DeliveryError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let to = to.to_owned();
    if status.is_redirection() {
        let place = place(answer.headers()).unwrap_or_default();
        return Err(DeliveryError::Moved { to, status, place });
    }
    let after = retry_after(answer.headers(), now);
    // One chunk is enough for a first line. The body may be an endless stream.
    let chunk = answer.chunk().await.ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&chunk[..chunk.len().min(2_048)]).into_owned();
    let line = first_line(&text, secrets);
    Err(DeliveryError::Status {
        to,
        status,
        line,
        after,
    })
}

/// Returns the first line that is not blank, without secrets.
fn first_line(text: &str, secrets: &[Option<&SecretString>]) -> String {
    let mut first = text.lines().find(|line| !line.trim().is_empty());
    let mut text = line(first.take().unwrap_or_default().trim());
    for secret in secrets.iter().flatten() {
        // Error pages often repeat the path of the request, and in a webhook URL the path is the
        // secret.
        let whole = secret.expose_secret();
        let path = Url::parse(whole).map(|url| url.path().to_owned());
        let parts = [Some(whole.to_owned()), path.ok()];
        // The path of a URL without one is `/`, and replacing that would ruin every line.
        for part in parts.into_iter().flatten().filter(|part| part.len() > 1) {
            text = text.replace(&part, "[secret]");
        }
    }
    truncate(&text, 200)
}

/// The scheme and host of a redirect. Its path may be a secret too.
fn place(headers: &HeaderMap) -> Option<String> {
    let url = Url::parse(headers.get(LOCATION)?.to_str().ok()?).ok()?;
    Some(format!("{}://{}", url.scheme(), url.host_str()?))
}

/// Reads `Retry-After`, which is a number of seconds or a date.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<TimeDelta> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(TimeDelta::seconds(i64::from(seconds)));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some((at.to_utc() - now).max(TimeDelta::zero()))
}

fn request_error(to: &str, error: &reqwest::Error) -> DeliveryError {
    let to = to.to_owned();
    if error.is_timeout() {
        return DeliveryError::Timeout { to };
    }
    let why = cause(error);
    DeliveryError::Unreachable { to, why }
}

fn invalid(to: &str, error: &dyn ToString) -> DeliveryError {
    DeliveryError::Invalid {
        to: to.to_owned(),
        why: error.to_string(),
    }
}

async fn mail(
    post: &MailServer,
    to: &[String],
    notice: &Notice,
    delivery: &str,
) -> Result<(), DeliveryError> {
    let message =
        message(post, to, notice, delivery).map_err(|error| invalid(&post.shown, &error))?;
    send_message(post, message).await
}

/// Sends a mail. Makes one attempt.
pub(in crate::daemon) async fn send_message(
    post: &MailServer,
    message: Message,
) -> Result<(), DeliveryError> {
    let shown = &post.shown;
    let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(post.url.expose_secret())
        .map_err(|error| smtp_error(post, &error))?
        .timeout(Some(TIMEOUT))
        // The transport is built for this one mail. A larger pool would open connections for
        // nothing.
        .pool_config(PoolConfig::new().min_idle(0).max_size(1))
        .build();
    // The timeout of the transport is for each step. A slow server could use it up many times.
    let sent = tokio::time::timeout(TIMEOUT * 3, server.send(message)).await;
    server.shutdown().await;
    match sent {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(smtp_error(post, &error)),
        Err(_) => Err(DeliveryError::Timeout { to: shown.clone() }),
    }
}

fn message(
    post: &MailServer,
    to: &[String],
    notice: &Notice,
    delivery: &str,
) -> Result<Message, Box<dyn Error>> {
    let mut message = Message::builder()
        .from(post.from.parse()?)
        // The same id on every attempt, so that a mail that arrived before a timeout is not shown
        // twice.
        .message_id(Some(post.message_id(delivery)))
        .subject(subject(notice))
        .header(ContentType::TEXT_PLAIN);
    let meant_for = post.redirect.as_ref().map(|_| to);
    let reached = match &post.redirect {
        Some(redirect) => std::slice::from_ref(redirect),
        None => to,
    };
    for address in reached {
        message = message.to(address.parse()?);
    }
    Ok(message.body(body(notice, meant_for))?)
}

fn smtp_error(post: &MailServer, error: &lettre::transport::smtp::Error) -> DeliveryError {
    let to = post.shown.clone();
    if error.is_timeout() {
        return DeliveryError::Timeout { to };
    }
    let Some(code) = error.status() else {
        let why = cause(error);
        return DeliveryError::Unreachable { to, why };
    };
    // With a status, the server has answered. Its text may repeat the password it refused.
    let words = error.source().map(ToString::to_string).unwrap_or_default();
    let code = code.to_string();
    let url = Url::parse(post.url.expose_secret()).ok();
    let password = url.and_then(|url| {
        url.password()
            .map(|text| SecretString::from(text.to_owned()))
    });
    DeliveryError::Mail {
        to,
        // The codes of RFC 4954 for authentication.
        login: ["530", "534", "535", "538"].contains(&code.as_str()),
        permanent: error.is_permanent(),
        line: format!("{code} {}", first_line(&words, &[password.as_ref()])),
    }
}

/// The header of the signature.
const SIGNATURE_HEADER: &str = "Roster-Signature";
/// The header of the delivery: the same on every attempt.
const DELIVERY_HEADER: &str = "Roster-Delivery";

/// `t=UNIX,v1=HEX`: HMAC-SHA256 with the secret over the time, a dot and the body.
#[must_use]
pub fn sign(secret: &str, unix: i64, body: &[u8]) -> String {
    let time = unix.to_string();
    let digest = hmac_digest(secret.as_bytes(), &[time.as_bytes(), b".", body]);
    let mut text = format!("t={unix},v1=");
    for byte in digest {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
