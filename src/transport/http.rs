//! Exports from web servers: requests, redirects, and what an answer means. Credentials go only to
//! the server in the configuration, and an answer is accepted only if it is complete and looks like
//! data. Start reading at `HttpSession::get`; `pages.rs` uses it to fetch an export, in
//! one page or in several.

use super::cache::CacheMetadata;
use super::error::{TransportError, one_line, send_error};
use super::incoming::IncomingExport;
use super::location::{ExportLocation, HttpAuth, HttpLocation, NextPage, url_without_secrets};
use super::{CONNECT, ExportMetadata, IDLE, content_check, s3, token};
use crate::diagnostic::chain;
use crate::tls::choose_provider;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RETRY_AFTER,
};
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};

/// How many redirects are followed. More than a login or a CDN needs is a loop.
pub const MOST_REDIRECTS: usize = 5;

/// A connection to a server.
pub(super) struct HttpSession<'p> {
    pub place: &'p ExportLocation,
    pub http: &'p HttpLocation,
    client: Client,
    token: Option<SecretString>,
}

impl<'p> HttpSession<'p> {
    pub(super) fn new(
        place: &'p ExportLocation,
        http: &'p HttpLocation,
    ) -> Result<Self, TransportError> {
        Ok(Self {
            place,
            http,
            client: client(place, http)?,
            token: None,
        })
    }

    /// Requests an address, and again with a new token if the cached one is no longer accepted.
    pub(super) async fn get(
        &mut self,
        url: &Url,
        before: Option<&CacheMetadata>,
    ) -> Result<Response, TransportError> {
        let mut answer = None;
        if let HttpAuth::ClientCredentials(grant) = &self.http.auth {
            let given = token::get(self.place, grant, &self.client).await?;
            self.token = Some(given.token);
            let first = self.follow(url, before).await?;
            // A server may revoke a token before its time. A fresh one that is refused means that
            // the credentials are wrong.
            if first.status() == StatusCode::UNAUTHORIZED && given.cached {
                token::forget(grant);
                let given = token::get(self.place, grant, &self.client).await?;
                self.token = Some(given.token);
            } else {
                answer = Some(first);
            }
        }
        let answer = match answer {
            Some(answer) => answer,
            None => self.follow(url, before).await?,
        };
        self.check_status(answer, before.is_some()).await
    }

    /// Requests an address and follows redirects.
    async fn follow(
        &self,
        url: &Url,
        before: Option<&CacheMetadata>,
    ) -> Result<Response, TransportError> {
        // By hand, since the client would send headers of the configuration to other servers, and
        // would go from https to http.
        let mut url = url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let request = self.request(&url, before);
            let answer = request.send().await.map_err(|error| self.fault(&error))?;
            let moved = [301, 302, 303, 307, 308].contains(&answer.status().as_u16());
            if !moved {
                return Ok(answer);
            }
            url = self.redirect_target(&url, &answer)?;
        }
        Err(self.redirect_error(
            &url_without_secrets(&url),
            &format!("more than {MOST_REDIRECTS} redirects in a row"),
        ))
    }

    /// Builds a request, which is conditional if there is an export from before.
    fn request(&self, url: &Url, before: Option<&CacheMetadata>) -> RequestBuilder {
        let is_home = is_same_server(&self.http.url, url);
        let address = match &self.http.auth {
            HttpAuth::S3(key) if is_home => s3::sign_url(url, key, Utc::now()),
            _ => url.clone(),
        };
        // The client must not unpack: the limit counts packed and unpacked bytes, and the length
        // must match what the server announced.
        let mut request = self.client.get(address).header(ACCEPT_ENCODING, "gzip");
        if let Some(before) = before {
            if let Some(etag) = &before.etag {
                request = request.header(IF_NONE_MATCH, etag);
            }
            if let Some(time) = &before.last_modified {
                request = request.header(IF_MODIFIED_SINCE, time);
            }
        }
        // Another server gets neither credentials nor headers. A redirect to a signed address of a
        // storage needs none.
        if !is_home {
            return request;
        }
        for (name, value) in &self.http.headers {
            request = request.header(name, value.expose_secret());
        }
        match &self.http.auth {
            HttpAuth::None | HttpAuth::S3(_) => request,
            HttpAuth::Basic { username, password } => {
                request.basic_auth(username, Some(password.expose_secret()))
            }
            HttpAuth::Bearer(token) => request.bearer_auth(token.expose_secret()),
            HttpAuth::ClientCredentials(_) => match &self.token {
                Some(token) => request.bearer_auth(token.expose_secret()),
                None => request,
            },
        }
    }

    /// Returns the address that an answer redirects to.
    fn redirect_target(&self, from: &Url, answer: &Response) -> Result<Url, TransportError> {
        let to = answer.headers().get(LOCATION);
        let to = to.and_then(|to| to.to_str().ok()).unwrap_or_default();
        let url = from.join(to).map_err(|_| {
            let status = answer.status();
            self.redirect_error(
                "nowhere",
                &format!("it answers {status} without an address"),
            )
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(
                self.redirect_error(&url_without_secrets(&url), "that is not a web address")
            );
        }
        // The address may contain a token, which others could read then.
        if from.scheme() == "https" && url.scheme() == "http" {
            return Err(self.redirect_error(
                &url_without_secrets(&url),
                "the request would be sent unencrypted",
            ));
        }
        Ok(url)
    }

    pub(super) fn redirect_error(&self, to: &str, why: &str) -> TransportError {
        TransportError::Redirect {
            place: self.place.to_string(),
            to: to.to_owned(),
            why: why.to_owned(),
        }
    }

    /// Returns an error if the status is not a success.
    async fn check_status(&self, answer: Response, had: bool) -> Result<Response, TransportError> {
        let status = answer.status();
        // `304` is only an answer to a conditional request; otherwise there is nothing to fall back
        // to.
        if status == StatusCode::NOT_MODIFIED && had {
            return Ok(answer);
        }
        // Only 200: `206` is a part, `204` is nothing, and `202` is not ready yet.
        if status == StatusCode::OK {
            return self.check_content(answer).await;
        }
        let (place, after) = (self.place.to_string(), retry_after(answer.headers()));
        let shown = status.to_string();
        // A code with its own remedy each.
        match status.as_u16() {
            401 | 403 | 407 => {
                let said = format!("{shown}{}", self.error_text(answer).await);
                Err(TransportError::Authentication { place, said })
            }
            429 | 503 => Err(TransportError::Busy {
                place,
                status: shown,
                after,
            }),
            404 | 410 => Err(TransportError::Missing {
                place,
                said: format!(": the server answered {shown}"),
            }),
            _ => Err(TransportError::Status {
                place,
                status: shown,
                said: self.error_text(answer).await,
            }),
        }
    }

    /// Returns an error if the content is a page or is encoded in a way that was not asked for.
    async fn check_content(&self, mut answer: Response) -> Result<Response, TransportError> {
        let headers = answer.headers();
        let media = text(headers, CONTENT_TYPE).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        if ["text/html", "application/xhtml+xml"].contains(&media.to_lowercase().as_str()) {
            // Whatever has arrived. The title is near the beginning.
            let head = answer.chunk().await.ok().flatten().unwrap_or_default();
            return Err(content_check::html_page_error(
                &self.place.to_string(),
                &head,
            ));
        }
        let coding = text(headers, CONTENT_ENCODING).unwrap_or_default();
        if !["", "identity", "gzip", "x-gzip"].contains(&coding.to_lowercase().as_str()) {
            return Err(TransportError::Failed {
                place: self.place.to_string(),
                said: format!(
                    "the server compressed it as `{}`, but gzip was requested",
                    one_line(coding)
                ),
            });
        }
        Ok(answer)
    }

    /// Returns what the server says about an error, if it is machine-readable. HTML error pages say
    /// nothing useful in a log.
    async fn error_text(&self, mut answer: Response) -> String {
        let media = text(answer.headers(), CONTENT_TYPE).unwrap_or_default();
        let plain = media.starts_with("text/plain");
        if !plain && !is_json(answer.headers()) {
            return String::new();
        }
        let body = answer.chunk().await.ok().flatten().unwrap_or_default();
        // A few lines; the rest of an error can be a stack trace.
        let body = &body[..body.len().min(2_048)];
        let said = content_check::find_error_text(body)
            .or_else(|| plain.then(|| one_line(&String::from_utf8_lossy(body))))
            .unwrap_or_default();
        if said.is_empty() {
            return said;
        }
        format!(": {}", self.place.redact(&said))
    }

    /// Takes the whole body of an answer.
    pub(super) async fn take(
        &self,
        mut answer: Response,
        incoming: &mut IncomingExport,
    ) -> Result<(), TransportError> {
        let announced = answer.content_length();
        // Before the transfer, so that an export that is too large costs no time.
        if let Some(length) = announced {
            incoming.check_size(length)?;
        }
        loop {
            match answer.chunk().await {
                Ok(Some(bytes)) => incoming.take(&bytes)?,
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.broken_off(error, announced, incoming.size())),
            }
        }
    }

    fn broken_off(
        &self,
        error: reqwest::Error,
        announced: Option<u64>,
        came: u64,
    ) -> TransportError {
        let place = self.place.to_string();
        if error.is_timeout() {
            return TransportError::Silent { place, after: IDLE };
        }
        let came = match announced {
            Some(announced) => format!("received {came} of {announced} bytes"),
            None => format!("received {came} bytes"),
        };
        // Without the url, which may contain a token.
        let why = self.place.redact(&chain(&error.without_url()));
        let said = format!("{came}: {why}");
        TransportError::Truncated { place, said }
    }

    fn fault(&self, error: &reqwest::Error) -> TransportError {
        send_error(self.place, &self.place.to_string(), error)
    }
}

fn client(place: &ExportLocation, http: &HttpLocation) -> Result<Client, TransportError> {
    choose_provider();
    let mut client = Client::builder()
        .user_agent(concat!("roster/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(IDLE)
        .redirect(redirect::Policy::none());
    // A proxy of the environment cannot reach this machine.
    if is_loopback(&http.url) {
        client = client.no_proxy();
    }
    if let Some(path) = &http.ca {
        let wrong = |why: String| TransportError::Setting {
            path: path.clone(),
            why,
        };
        let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let chain = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
        if chain.is_empty() {
            return Err(wrong("it contains no certificate".to_owned()));
        }
        client = client.tls_certs_merge(chain);
    }
    client.build().map_err(|error| TransportError::Failed {
        place: place.to_string(),
        said: chain(&error),
    })
}

/// Returns whether credentials for one address may be sent to another: the same server, or the same
/// host with TLS.
pub(super) fn is_same_server(home: &Url, url: &Url) -> bool {
    let upgraded = home.scheme() == "http"
        && url.scheme() == "https"
        && home.port().is_none()
        && url.port().is_none()
        && home.host() == url.host();
    upgraded || home.origin() == url.origin()
}

/// Returns whether the address is on this machine.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<std::net::IpAddr> = address.parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

/// Returns what an answer says about the file.
pub(super) fn export_metadata(answer: &Response) -> ExportMetadata {
    let headers = answer.headers();
    let own = |name| text(headers, name).map(str::to_owned);
    let last_modified = own(LAST_MODIFIED);
    let time = last_modified.as_deref();
    let modified = time.and_then(|time| DateTime::parse_from_rfc2822(time).ok());
    let named = text(headers, CONTENT_DISPOSITION).and_then(file_name);
    let last = answer.url().path_segments();
    let last = last.and_then(|mut parts| parts.next_back());
    let host = answer.url().host_str().unwrap_or_default();
    ExportMetadata {
        name: named.unwrap_or_else(|| last.filter(|last| !last.is_empty()).unwrap_or(host).into()),
        modified: modified.map(|time| time.to_utc()),
        etag: own(ETAG),
        last_modified,
        stamp: None,
    }
}

/// Returns the file name of `Content-Disposition`, if it is one.
fn file_name(text: &str) -> Option<String> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.find_map(|part| part.strip_prefix("filename="))?;
    let name = name.trim_matches('"');
    // The name ends up in reports and in file names, so it may not lead anywhere else.
    let odd = |c: char| c.is_control() || c == '/' || c == '\\';
    let fine = !name.is_empty() && !name.starts_with('.') && !name.contains(odd);
    fine.then(|| name.to_owned())
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = text(headers, CONTENT_TYPE).unwrap_or_default();
    media.contains("json")
}

fn text(headers: &HeaderMap, name: reqwest::header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Reads seconds or a date.
fn retry_after(headers: &HeaderMap) -> Option<TimeDelta> {
    let text = text(headers, RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(TimeDelta::seconds(i64::from(seconds)));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    // A date in the past means now.
    Some((at.to_utc() - Utc::now()).max(TimeDelta::zero()))
}

/// Returns the address of the next page from the header `Link`.
pub(super) fn next_link(answer: &Response) -> Option<String> {
    let links = answer.headers().get_all(reqwest::header::LINK);
    let links = links.iter().filter_map(|link| link.to_str().ok());
    let mut links = links.flat_map(|links| links.split(','));
    links.find_map(|link| {
        let (address, parameters) = link.split_once(';')?;
        let is_next = parameters.split(';').any(|parameter| {
            let relation = parameter.trim().strip_prefix("rel=");
            let relation = relation.map(|relation| relation.trim_matches('"').to_lowercase());
            relation.is_some_and(|relation| relation.split(' ').any(|word| word == "next"))
        });
        let address = address.trim().strip_prefix('<')?.strip_suffix('>')?;
        is_next.then(|| address.to_owned())
    })
}

/// Describes for messages where the next page is named.
pub(super) fn describe_next_page(next: &NextPage) -> String {
    match next {
        NextPage::Header => "the header `Link`".to_owned(),
        NextPage::Link(path) | NextPage::Cursor { path, .. } => format!("`{path}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_one_server_is_for_no_other() {
        let url = |text: &str| Url::parse(text).unwrap();
        for (home, other, expected) in [
            ("https://erp.example/a", "https://erp.example/b", true),
            ("http://erp.example/a", "https://erp.example/a", true),
            ("https://erp.example/a", "http://erp.example/a", false),
            ("https://erp.example/a", "https://erp.example:8443/a", false),
            ("https://erp.example/a", "https://cdn.erp.example/a", false),
            ("http://erp.example:81/a", "https://erp.example/a", false),
        ] {
            assert_eq!(
                is_same_server(&url(home), &url(other)),
                expected,
                "{home} {other}"
            );
        }
    }

    #[test]
    fn the_name_of_a_file_is_a_name() {
        assert_eq!(
            file_name("attachment; filename=\"customers.csv\"").as_deref(),
            Some("customers.csv")
        );
        for odd in [
            "attachment",
            "x; filename=../../etc/passwd",
            "x; filename=\"\"",
        ] {
            assert_eq!(file_name(odd), None, "{odd}");
        }
    }
}
