//! Access tokens (OAuth 2, client credentials), cached in memory until they expire. They are never
//! written to disk.

use super::content_check;
use super::error::{TransportError, send_error};
use super::location::{ClientCredentials, ExportLocation, url_without_secrets};
use crate::model::Digest;
use reqwest::{Client, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long before its end a token counts as expired: it must outlive the request that it is sent
/// with.
const MARGIN: Duration = Duration::from_secs(30);
/// The most bytes of an answer that are read. A token is short.
const MOST: usize = 64 << 10;

/// The valid tokens, by what they were requested with.
static TOKENS: Mutex<BTreeMap<Digest, (SecretString, Instant)>> = Mutex::new(BTreeMap::new());

pub(super) struct AccessToken {
    pub token: SecretString,
    /// Whether it was in the cache.
    pub cached: bool,
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
    token_type: Option<String>,
    expires_in: Option<u64>,
}

/// Returns a valid token.
pub(super) async fn get(
    place: &ExportLocation,
    grant: &ClientCredentials,
    client: &Client,
) -> Result<AccessToken, TransportError> {
    let now = Instant::now();
    if let Some((token, until)) = tokens().get(&cache_key(grant))
        && now < *until
    {
        let token = token.clone();
        return Ok(AccessToken {
            token,
            cached: true,
        });
    }
    // The lock is not held here, so two sources may both request a token. That is harmless, while a
    // lock across a request would let one slow server stop all.
    let answer = ask(place, grant, client).await?;
    let token = SecretString::from(answer.access_token);
    // Without a lifetime the token is used once: it may expire at any moment.
    let lasts = Duration::from_secs(answer.expires_in.unwrap_or_default());
    if let Some(until) = now.checked_add(lasts.saturating_sub(MARGIN)) {
        tokens().insert(cache_key(grant), (token.clone(), until));
    }
    Ok(AccessToken {
        token,
        cached: false,
    })
}

/// Drops a token that is no longer accepted.
pub(super) fn forget(grant: &ClientCredentials) {
    tokens().remove(&cache_key(grant));
}

fn tokens() -> MutexGuard<'static, BTreeMap<Digest, (SecretString, Instant)>> {
    // An entry is inserted as a whole, so a panic in another thread leaves nothing half done.
    TOKENS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the key in the cache. The secret is part of it, so that a rotated secret does not get the
/// token of the old one.
fn cache_key(grant: &ClientCredentials) -> Digest {
    let (id, secret) = (&grant.id, grant.secret.expose_secret());
    let text = format!("{}\0{id}\0{secret}\0{:?}", grant.url, grant.scope);
    Digest::of(text.as_bytes())
}

/// Requests a token: first with the credentials in a header, as the standard requires, then in the
/// form, as some servers do.
async fn ask(
    place: &ExportLocation,
    grant: &ClientCredentials,
    client: &Client,
) -> Result<TokenResponse, TransportError> {
    let unsent = |error| send_error(place, &url_without_secrets(&grant.url), &error);
    let (id, secret) = (&*grant.id, grant.secret.expose_secret());
    let mut form = vec![("grant_type", "client_credentials")];
    form.extend(grant.scope.as_deref().map(|scope| ("scope", scope)));
    let request = client
        .post(grant.url.clone())
        .basic_auth(encoded(id), Some(encoded(secret)));
    let first = request.form(&form).send().await.map_err(unsent)?;
    let answer = if matches!(first.status().as_u16(), 400 | 401) {
        form.extend([("client_id", id), ("client_secret", secret)]);
        let second = client.post(grant.url.clone()).form(&form);
        second.send().await.map_err(unsent)?
    } else {
        first
    };
    read(place, &grant.url, answer).await
}

async fn read(
    place: &ExportLocation,
    url: &Url,
    mut answer: Response,
) -> Result<TokenResponse, TransportError> {
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(bytes) = answer
        .chunk()
        .await
        .map_err(|error| send_error(place, &url_without_secrets(url), &error))?
    {
        // A server that answers with a page instead of a token may send a lot.
        body.extend(&bytes[..bytes.len().min(MOST - body.len())]);
        if body.len() == MOST {
            break;
        }
    }
    if !status.is_success() {
        let said = content_check::find_error_text(&body).unwrap_or_default();
        let said = format!("no token, {status} {}", place.redact(&said));
        return Err(refused(url, said.trim_end()));
    }
    let read: Result<TokenResponse, _> = serde_json::from_slice(&body);
    let Ok(read) = read else {
        return Err(refused(url, "the answer contains no token"));
    };
    let kind = read.token_type.as_deref().unwrap_or("bearer");
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err(refused(url, "the token is not a bearer token"));
    }
    if !is_token(&read.access_token) {
        // A line break in the token would add headers to every request.
        return Err(refused(
            url,
            "the token contains characters that cannot be sent",
        ));
    }
    Ok(read)
}

/// Returns whether a text may be sent in a header.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn refused(url: &Url, said: &str) -> TransportError {
    TransportError::Authentication {
        place: url_without_secrets(url),
        said: said.to_owned(),
    }
}

/// Encodes text as in a form, which the standard requires here.
fn encoded(text: &str) -> String {
    let mut url = Url::parse("form:x").ok();
    if let Some(url) = &mut url {
        url.query_pairs_mut().append_key_only(text);
    }
    let query = url.as_ref().and_then(Url::query);
    query.unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_as_in_a_form() {
        assert_eq!(encoded("a:b c+d"), "a%3Ab+c%2Bd");
    }

    #[test]
    fn a_token_is_one_word() {
        assert!(is_token("eyJhbGciOi.x-y_z"));
        assert!(!is_token("a\r\nX-Evil: 1") && !is_token(""));
    }
}
