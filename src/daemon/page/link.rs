//! Links to pages, and the short forms of long names.
//!
//! Resources need access to every source. For other callers their names are shown without a link,
//! which would only lead to an error.

pub(super) use crate::daemon::path_segment::percent_encode;

use crate::daemon::path_segment;
use crate::http::Caller;
use crate::model::SHORT_REVISION;
use maud::{Markup, html};

/// The path of the page of a resource.
pub(super) fn resource_path(kind: &str, id: &str) -> String {
    format!(
        "/resources/{}/{}",
        percent_encode(kind),
        path_segment::encode_id(id)
    )
}

/// The path of the page of a source.
pub(super) fn source(name: &str) -> String {
    format!("/sources/{}", percent_encode(name))
}

/// Shows a resource, linked to its page if the caller may see it.
pub(super) fn resource(caller: &Caller, kind: &str, id: &str) -> Markup {
    html! {
        @if caller.sources.is_none() {
            a.key href=(resource_path(kind, id)) { (kind) "/" (id) }
        } @else {
            span.key { (kind) "/" (id) }
        }
    }
}

/// Like [`resource`], for a key written as `User/u-1`.
pub(super) fn key(caller: &Caller, key: &str) -> Markup {
    // At the first slash, because ids may contain more.
    let (kind, id) = key.split_once('/').unwrap_or((key, ""));
    resource(caller, kind, id)
}

/// Shows a resource that may not be stored, linked to a search for its id.
pub(super) fn search_link(caller: &Caller, key: &str) -> Markup {
    let (kind, id) = key.split_once('/').unwrap_or_default();
    html! {
        @if caller.sources.is_none() {
            a.key href={ "/resources?kind=" (percent_encode(kind)) "&q=" (percent_encode(id)) } { (key) }
        } @else {
            span.key { (key) }
        }
    }
}

pub(super) fn run(id: i64) -> Markup {
    html! { a href={ "/runs/" (id) } { "run " (id) } }
}

/// Shows the beginning of a commit or digest, with the whole as a tooltip.
pub(super) fn revision(whole: &str) -> Markup {
    let short: String = whole.chars().take(SHORT_REVISION).collect();
    html! {
        @if short.len() == whole.len() { code { (whole) } } @else { code title=(whole) { (short) "…" } }
    }
}

/// Returns the path if it is one of this site, and `/` otherwise, for redirects that a form asks
/// for.
pub(super) fn local_path(path: &str) -> &str {
    // Browsers take `\` for `/`, so `/\evil.example` leads to another site just as `//evil.example`
    // does. They also drop control characters before they look.
    let plain = path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if plain && path.starts_with('/') && !path.starts_with("//") {
        path
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_gone_on_with() {
        for path in ["/", "/sources/a?q=b", "/resources/User/a%2Fb"] {
            assert_eq!(local_path(path), path);
        }
        for path in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\nb",
        ] {
            assert_eq!(local_path(path), "/", "{path:?}");
        }
    }
}
