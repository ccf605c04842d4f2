//! What commands that talk to a server share: the client, the address and the token.

use super::CommandFailure;
use crate::config::is_loopback;
use crate::diagnostic::chain;
use crate::http::choose_provider;
use reqwest::{Certificate, Client, Url, redirect};
use secrecy::SecretString;
use std::path::Path;
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(10);

/// Builds a client for one server.
pub fn build(
    url: &Url,
    ca: Option<&Path>,
    read_timeout: Duration,
) -> Result<Client, CommandFailure> {
    // The process has one TLS provider, and reqwest fails without a choice.
    choose_provider();
    let mut client = Client::builder()
        .user_agent(concat!("roster/", env!("CARGO_PKG_VERSION")))
        .read_timeout(read_timeout)
        .connect_timeout(CONNECT)
        // A redirect could send the token to another server.
        .redirect(redirect::Policy::none());
    if url.scheme() == "http" {
        // Plain http is only for this machine, where a proxy and certificates have no business.
        client = client.no_proxy().tls_certs_only([]);
    }
    if let Some(file) = ca {
        let why = |error: String| CommandFailure::error(format!("{}: {error}", file.display()));
        let pem = std::fs::read(file).map_err(|error| why(error.to_string()))?;
        let chain = Certificate::from_pem_bundle(&pem).map_err(|error| why(error.to_string()))?;
        client = client.tls_certs_merge(chain);
    }
    client
        .build()
        .map_err(|error| CommandFailure::error(chain(&error)))
}

/// Parses the address of a server; `option` is where it was given.
pub fn parse_base_url(option: &str, text: &str) -> Result<Url, CommandFailure> {
    let wrong = |why: String| {
        let shown = without_login(text);
        CommandFailure::usage(format!("`{option} {shown}`: {why}"))
    };
    let mut url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("use https://, or http:// on this machine".to_owned()));
    }
    // Without the slash, joining a path would replace the last segment of the base.
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// An address as it may be printed: without a login, and without a query, which may have a key.
pub fn shown_url(url: &Url) -> String {
    without_login(url.as_str()).trim_end_matches('/').to_owned()
}

/// The same of a text that need not be an address.
fn without_login(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    // A password that is not encoded may contain `@` and `/`, so what precedes the last one is left
    // out.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    format!("{scheme}{}", &rest[..end])
}

/// Fails if a token would be readable on the way. On the same machine nobody can listen in.
pub fn require_private(url: &Url) -> Result<(), CommandFailure> {
    if url.scheme() == "http" && !is_loopback(url.host_str().unwrap_or_default()) {
        return Err(CommandFailure::usage(
            "the token would be sent unencrypted; use https://",
        ));
    }
    Ok(())
}

/// Reads a token from a file. A file usually ends with a line break, which is not part of it.
pub fn read_token(file: &Path) -> Result<Option<SecretString>, CommandFailure> {
    let read = std::fs::read_to_string(file);
    let why = |error| format!("cannot read the token {}: {error}", file.display());
    let text = read.map_err(|error| CommandFailure::error(why(error)))?;
    token(&file.display().to_string(), &text)
}

/// Returns a token without the white space around it; `None` if nothing else is there. `place` is
/// where it was given.
pub fn token(place: &str, text: &str) -> Result<Option<SecretString>, CommandFailure> {
    let text = text.trim();
    let lines = text.lines().count();
    if lines > 1 {
        return Err(CommandFailure::usage(format!(
            "the token in {place} has {lines} lines; leave only the token"
        )));
    }
    // Anything else could not be sent, or would be refused without a reason.
    if !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err(CommandFailure::usage(format!(
            "the token in {place} has a space or another character that no token has; copy it again"
        )));
    }
    Ok((!text.is_empty()).then(|| SecretString::from(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_login_and_no_query_is_shown() {
        for (text, shown) in [
            ("https://git.example/api/v4/", "https://git.example/api/v4"),
            ("https://eva:p%40w@git.example/", "https://git.example"),
            (
                "https://token@git.example:8443/a?key=k#f",
                "https://git.example:8443/a",
            ),
        ] {
            assert_eq!(shown_url(&Url::parse(text).expect(text)), shown);
        }
        let unencoded = "https://eva:p@/w@git .example";
        assert_eq!(without_login(unencoded), "https://git .example");
        assert_eq!(without_login("eva:pw@git.example"), "git.example");
    }
}
