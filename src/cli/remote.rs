//! The client for a daemon elsewhere, used by `--remote`.

use super::download::FileDownload;
use super::http_client::parse_base_url;
use super::{CommandFailure, GlobalOptions, http_client};
use crate::diagnostic::chain;
use crate::http::problem::{MEDIA_TYPE, ProblemDetails};
use clap::Args;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

/// How long a daemon may take to plan the largest tree.
const TIMEOUT: Duration = Duration::from_mins(15);
/// How long a download may take, however large it is. A pause is limited by [`TIMEOUT`].
const DOWNLOAD_TIMEOUT: Duration = Duration::from_hours(24);

/// The daemon to ask, and the credentials.
#[derive(Clone, Debug, Default, Args)]
pub struct RemoteOptions {
    /// The URL of the daemon: `https://roster.example`.
    #[arg(long = "remote", value_name = "URL", env = "ROSTER_REMOTE")]
    pub url: Option<String>,
    /// The file that holds the token. Default: the token in ROSTER_TOKEN.
    #[arg(long, value_name = "FILE", env = "ROSTER_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust in addition to those of the system.
    #[arg(long, value_name = "FILE", env = "ROSTER_CA")]
    ca: Option<PathBuf>,
}

/// A connection to a daemon.
pub struct DaemonClient {
    client: Client,
    url: Url,
    token: Option<SecretString>,
}

impl RemoteOptions {
    pub fn daemon(&self, global: &GlobalOptions) -> Result<DaemonClient, CommandFailure> {
        // The daemon has the one it was started with, and a wrong one would be passed over in silence.
        if let Some(environment) = &global.environment {
            return Err(CommandFailure::usage(format!(
                "environment `{environment}` is one of a roster.yaml, and a daemon has its own; \
                 leave out `-e` and ROSTER_ENVIRONMENT with `--remote`"
            )));
        }
        let Some(url) = &self.url else {
            return Err(CommandFailure::usage(
                "no daemon given; pass `--remote URL` or set ROSTER_REMOTE",
            ));
        };
        let url = parse_base_url("--remote", url)?;
        let token = self.token()?;
        if token.is_some() {
            http_client::require_private(&url)?;
        }
        Ok(DaemonClient {
            client: self.client(&url)?,
            url,
            token,
        })
    }

    /// The given daemon, or the one at `default`, without a token.
    pub fn anonymous(&self, default: &str) -> Result<DaemonClient, CommandFailure> {
        let url = parse_base_url("--remote", self.url.as_deref().unwrap_or(default))?;
        Ok(DaemonClient {
            client: self.client(&url)?,
            url,
            token: None,
        })
    }

    fn token(&self) -> Result<Option<SecretString>, CommandFailure> {
        match &self.token_file {
            None => match std::env::var("ROSTER_TOKEN") {
                Ok(text) => http_client::token("ROSTER_TOKEN", &text),
                Err(_) => Ok(None),
            },
            Some(file) => http_client::read_token(file),
        }
    }

    fn client(&self, url: &Url) -> Result<Client, CommandFailure> {
        // Long, because the daemon answers a plan only when it is complete.
        http_client::build(url, self.ca.as_deref(), TIMEOUT)
    }
}

impl DaemonClient {
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CommandFailure> {
        self.ask(Method::GET, path, None::<&()>).await
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CommandFailure> {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Gets a document. A refusal of the daemon is not a failure: the caller shows it.
    pub async fn try_get<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<Result<T, ProblemDetails>, CommandFailure> {
        self.request(Method::GET, path, None::<&()>).await
    }

    /// Posts a body. A refusal of the daemon is not a failure: the caller shows it.
    pub async fn try_post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Result<T, ProblemDetails>, CommandFailure> {
        self.request(Method::POST, path, Some(body)).await
    }

    /// Parses an answer that was fetched as JSON.
    pub fn read<T: DeserializeOwned>(&self, answer: Value) -> Result<T, CommandFailure> {
        serde_json::from_value(answer).map_err(|error| self.unreadable(&error))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, CommandFailure> {
        let answer = self.request(method, path, body).await?;
        answer.map_err(|problem| self.refused(&problem))
    }

    /// The failure that a refusal of the daemon is.
    pub fn refused(&self, problem: &ProblemDetails) -> CommandFailure {
        problem_failure(&self.shown_url(), problem)
    }

    /// Begins to download a file.
    pub async fn download(&self, path: &str) -> Result<FileDownload, CommandFailure> {
        let answer = self
            .send(Method::GET, path, None::<&()>, DOWNLOAD_TIMEOUT)
            .await?;
        if answer.status().is_success() && !is_problem(&answer) {
            return Ok(FileDownload::new(answer));
        }
        let (status, problem) = (answer.status(), is_problem(&answer));
        let text = answer.text().await;
        let text = text.map_err(|error| self.unreached(error))?;
        match serde_json::from_str(&text) {
            Ok(details) if problem => Err(self.refused(&details)),
            _ => Err(self.no_daemon(status)),
        }
    }

    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<Result<T, ProblemDetails>, CommandFailure> {
        let answer = self.send(method, path, body, TIMEOUT).await?;
        let (status, problem) = (answer.status(), is_problem(&answer));
        let text = answer.text().await;
        let text = text.map_err(|error| self.unreached(error))?;
        if status.is_success() {
            // An empty answer means that the request was carried out.
            let text = if text.is_empty() { "null" } else { &text };
            match serde_json::from_str(text) {
                Ok(answer) => return Ok(Ok(answer)),
                Err(error) if error.is_data() => return Err(self.unreadable(&error)),
                Err(_) => {}
            }
        } else if let (true, Ok(problem)) = (problem, serde_json::from_str(&text)) {
            return Ok(Err(problem));
        }
        Err(self.no_daemon(status))
    }

    /// Sends a request, whose whole answer has to arrive within a time.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        timeout: Duration,
    ) -> Result<Response, CommandFailure> {
        let url = self
            .url
            .join(path)
            .map_err(|error| CommandFailure::usage(error.to_string()))?;
        let mut request = self.client.request(method, url).timeout(timeout);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let sent = request.send().await;
        sent.map_err(|error| self.unreached(error))
    }

    fn unreached(&self, error: reqwest::Error) -> CommandFailure {
        // The message names the server already.
        let why = chain(&error.without_url());
        CommandFailure::error(format!("no answer from {}: {why}", self.shown_url()))
    }

    fn no_daemon(&self, status: StatusCode) -> CommandFailure {
        let shown = self.shown_url();
        CommandFailure::error(format!(
            "{shown} answered {status}; it is not a Roster daemon"
        ))
    }

    fn unreadable(&self, error: &serde_json::Error) -> CommandFailure {
        CommandFailure::error(format!(
            "cannot read the answer of {}: {error}; use the same release of Roster as the daemon",
            self.shown_url()
        ))
    }

    fn shown_url(&self) -> String {
        http_client::shown_url(&self.url)
    }
}

fn is_problem(answer: &reqwest::Response) -> bool {
    let media = answer.headers().get(CONTENT_TYPE);
    media.is_some_and(|media| media.as_bytes().starts_with(MEDIA_TYPE.as_bytes()))
}

/// A problem in words, with the exit code that the same failure has locally.
fn problem_failure(shown: &str, problem: &ProblemDetails) -> CommandFailure {
    let ProblemDetails {
        code,
        title,
        detail,
        ..
    } = problem;
    let what = if detail.is_empty() {
        title.to_string()
    } else {
        format!("{title}: {detail}")
    };
    let hint = match &**code {
        "unauthorized" => "; set ROSTER_TOKEN or pass `--token-file`",
        _ => "",
    };
    let message = format!("{shown} refused ({code}): {what}{hint}");
    match &**code {
        "stale-plan" => CommandFailure {
            message,
            exit: super::failure::HELD,
        },
        "lock-timeout" => CommandFailure {
            message,
            exit: super::failure::LOCKED,
        },
        _ => CommandFailure::error(message),
    }
}

/// A path segment, escaped so that it stays one segment.
#[must_use]
pub fn encode_segment(text: &str) -> String {
    let mut part = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            part.push(char::from(byte));
        } else {
            part.push_str(&format!("%{byte:02X}"));
        }
    }
    part
}
