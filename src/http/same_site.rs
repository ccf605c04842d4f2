//! Where a request comes from, according to the browser. Protects sessions and anonymous access
//! from pages of other sites.

use super::problem::{self, HttpProblem};
use axum::body::Bytes;
use axum::extract::{Form, FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use std::net::IpAddr;

/// Whether the request is for a host name that no other site can redirect here: an IP address, this
/// machine's own name, or the name in the configuration.
pub(super) fn is_own_host(request: &Parts, url: Option<&str>) -> bool {
    let Some(authority) = authority(request) else {
        return false;
    };
    // A forwarded port differs from the one that the server listens on.
    let host = without_port(authority);
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok()
        || url
            .map(host_of)
            .is_some_and(|own| without_port(own).eq_ignore_ascii_case(host))
}

/// Fails if a browser sent the request from a page of another site. Programs send neither header,
/// and carry no cookie that somebody else could use.
pub(super) fn require_same_site(request: &Parts, url: Option<&str>) -> Result<(), HttpProblem> {
    let text = |name| {
        request
            .headers
            .get(name)
            .map(|it: &header::HeaderValue| it.to_str())
    };
    // `Sec-Fetch-Site` cannot be set by a page; `Origin` is for browsers without it.
    let own = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, Ok("same-origin" | "none")),
        (None, Some(Ok(origin))) => {
            let from = host_of(origin);
            let here = [authority(request), url.map(host_of)];
            origin.contains("://") && here.into_iter().flatten().any(|it| it == from)
        }
        (None, Some(Err(_))) => false,
        (None, None) => true,
    };
    if own {
        return Ok(());
    }
    Err(HttpProblem::new(problem::FORGED, ""))
}

/// A field of a form; `None` if the body is not a form or has no such field.
pub(super) async fn form_field(parts: &Parts, body: &Bytes, field: &str) -> Option<String> {
    let mut request = Request::new(body.clone().into());
    *request.method_mut() = parts.method.clone();
    let kind = parts.headers.get(header::CONTENT_TYPE)?.clone();
    *request.headers_mut() = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
    let form = Form::<Vec<(String, String)>>::from_request(request, &()).await;
    let mut fields = form.ok()?.0.into_iter();
    let (_, value) = fields.find(|(name, _)| name == field)?;
    Some(value)
}

fn authority(request: &Parts) -> Option<&str> {
    match request.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers.get(header::HOST)?.to_str().ok(),
    }
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> Parts {
        let mut builder = Request::builder().method("POST").uri("/x");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn only_an_address_or_the_own_name_is_a_host() {
        let own = |host| is_own_host(&request(&[("host", host)]), Some("https://roster.example"));
        for host in [
            "localhost:8080",
            "127.0.0.1",
            "10.0.0.1:80",
            "[::1]:80",
            "[::1]",
            "ROSTER.example",
            "roster.example:443",
        ] {
            assert!(own(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "",
            "evil.example:80",
        ] {
            assert!(!own(host), "{host}");
        }
        assert!(!is_own_host(&request(&[]), None));
    }

    #[test]
    fn a_browser_says_from_where_it_comes() {
        let passes = |headers: &[(&'static str, &str)]| {
            require_same_site(&request(headers), Some("https://roster.example")).is_ok()
        };
        assert!(passes(&[]));
        assert!(passes(&[("sec-fetch-site", "same-origin")]));
        assert!(!passes(&[("sec-fetch-site", "cross-site")]));
        assert!(!passes(&[("sec-fetch-site", "same-site")]));
        assert!(passes(&[("origin", "https://roster.example")]));
        assert!(passes(&[("host", "h:1"), ("origin", "http://h:1")]));
        assert!(!passes(&[("host", "h:1"), ("origin", "http://h:2")]));
        assert!(!passes(&[("host", "h"), ("origin", "null")]));
        assert!(!passes(&[("host", "null"), ("origin", "null")]));
    }
}
