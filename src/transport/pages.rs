//! Exports in several pages: each page holds a part of a list, and all parts are joined into one
//! JSON list. If one page fails, the whole export fails, since a missing page looks like removed
//! customers. Start reading at `fetch`.

use super::cache::CacheMetadata;
use super::error::TransportError;
use super::fetched::{ExportMetadata, FetchAnswer};
use super::http::{self, HttpSession, describe_next_page, export_metadata, next_link};
use super::incoming::IncomingExport;
use super::location::{ExportLocation, HttpLocation, NextPage, url_without_secrets};
use crate::diagnostic::codes;
use crate::feed::format::json::{EnvelopeSignal, read_envelope_member};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// An upper bound against a server that invents next pages for ever.
const MOST_PAGES: usize = 100_000;
/// The most bytes of one page, which is held in memory.
const MOST_BYTES: u64 = 256 << 20;

/// An object whose values keep their spelling: numbers that are ids must not be converted on the
/// way.
type RawObject<'p> = BTreeMap<String, &'p RawValue>;

/// Fetches one page after the other.
async fn fetch_pages(
    session: &mut HttpSession<'_>,
    next: &NextPage,
    incoming: &mut IncomingExport,
) -> Result<ExportMetadata, TransportError> {
    let mut url = session.http.url.clone();
    let mut seen = BTreeSet::from([url.to_string()]);
    let mut first = None;
    incoming.take(b"[")?;
    for page in 1..=MOST_PAGES {
        let taken = take(session, &url, next, incoming).await;
        let (about, following) = taken.map_err(|source| page_error(session, page, source))?;
        first.get_or_insert(about);
        let Some(following) = following else {
            incoming.take(b"]\n")?;
            return Ok(ExportMetadata {
                // The validators of the first page say nothing about the others, so an export in
                // pages is never requested conditionally.
                etag: None,
                last_modified: None,
                ..first.unwrap_or_default()
            });
        };
        // A server with a broken cursor returns the same page again and again.
        if !seen.insert(following.to_string()) {
            let what = format!("{} leads back to an earlier page", describe_next_page(next));
            return Err(page_error(session, page, not_data(session, what)));
        }
        url = following;
    }
    Err(not_data(
        session,
        format!("it has more than {MOST_PAGES} pages"),
    ))
}

fn page_error(session: &HttpSession<'_>, page: usize, source: TransportError) -> TransportError {
    TransportError::Page {
        place: session.place.to_string(),
        page,
        source: Box::new(source),
    }
}

fn not_data(session: &HttpSession<'_>, what: String) -> TransportError {
    TransportError::NotData {
        place: session.place.to_string(),
        what,
    }
}

/// Fetches a page. Returns the address of the next one.
async fn take(
    session: &mut HttpSession<'_>,
    url: &Url,
    next: &NextPage,
    incoming: &mut IncomingExport,
) -> Result<(ExportMetadata, Option<Url>), TransportError> {
    let answer = session.get(url, None).await?;
    let about = export_metadata(&answer);
    // Before the body is consumed, which consumes the answer.
    let link = next_link(&answer);
    let body = body(session, answer, incoming).await?;
    let page = ExportPage::read(&body, session.http.items.as_deref())
        .map_err(|what| not_data(session, what))?;
    // Beside an error, the rows may be only a part of the page.
    if let Some(what) = page.problem() {
        return Err(not_data(session, what));
    }
    // Earlier pages may have been empty, so the first comma depends on what was written and not on
    // the page number.
    let is_first = incoming.size() == 1;
    let mut between: &[u8] = if is_first { b"\n" } else { b",\n" };
    for item in &page.items {
        incoming.take(between)?;
        incoming.take(item.get().as_bytes())?;
        between = b",\n";
    }
    let following = match next {
        NextPage::Header => link,
        NextPage::Link(path) | NextPage::Cursor { path, .. } => {
            page.text(path).map_err(|what| not_data(session, what))?
        }
    };
    let following = following.map(|following| next_page_url(session, url, next, &following));
    Ok((about, following.transpose()?))
}

/// Returns the address of the next page.
fn next_page_url(
    session: &HttpSession<'_>,
    url: &Url,
    next: &NextPage,
    following: &str,
) -> Result<Url, TransportError> {
    // The cursor replaces the one of the page before; other parameters of the configured address
    // are kept.
    if let NextPage::Cursor { parameter, .. } = next {
        let mut address = session.http.url.clone();
        let kept = session.http.url.query_pairs();
        let kept = kept.filter(|(name, _)| name != parameter);
        address
            .query_pairs_mut()
            .clear()
            .extend_pairs(kept)
            .append_pair(parameter, following);
        return Ok(address);
    }
    let address = url.join(following).map_err(|_| {
        not_data(
            session,
            format!("{} holds no address", describe_next_page(next)),
        )
    })?;
    // Credentials are sent with every page, and the address of the next one comes from a document.
    if !http::is_same_server(&session.http.url, &address) {
        return Err(session.redirect_error(
            &url_without_secrets(&address),
            "the next page is on another server, which would receive the credentials",
        ));
    }
    Ok(address)
}

/// Fetches the body of a page, which must fit into the remaining size.
async fn body(
    session: &HttpSession<'_>,
    answer: Response,
    incoming: &IncomingExport,
) -> Result<Vec<u8>, TransportError> {
    let place = session.place;
    let limit = place.limit.saturating_sub(incoming.size()).min(MOST_BYTES);
    let path = incoming.page_path();
    let mut page = IncomingExport::new(place, path, limit)?;
    session.take(answer, &mut page).await?;
    let whole = page.finish()?;
    let bytes = std::fs::read(&whole.path);
    // The next page uses the same name.
    let _ = std::fs::remove_file(&whole.path);
    bytes.map_err(|source| TransportError::Cache {
        path: whole.path,
        source,
    })
}

/// A page: its part of the list, and what surrounds it.
struct ExportPage<'p> {
    items: Vec<&'p RawValue>,
    around: Option<RawObject<'p>>,
}

impl<'p> ExportPage<'p> {
    /// Reads a page, which is a list or an object with one: at the given path, or the only one.
    fn read(body: &'p [u8], at: Option<&str>) -> Result<Self, String> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let whole: &RawValue = parse(body).ok_or("it is not valid JSON; pages must be JSON")?;
        if at.is_none()
            && let Some(items) = list(whole)
        {
            return Ok(Self {
                items,
                around: None,
            });
        }
        let around: RawObject<'p> =
            object(whole).ok_or("it is neither a list nor an object with a list in it")?;
        let items = match at {
            Some(path) => find(&around, path)
                .and_then(list)
                .ok_or_else(|| format!("no list at `{path}`"))?,
            None => only_list(&around)?,
        };
        Ok(Self {
            items,
            around: Some(around),
        })
    }

    /// Returns the error that a page reports beside its list.
    fn problem(&self) -> Option<String> {
        let members = self.around.iter().flatten();
        let mut found = members.filter_map(|(name, value)| {
            match read_envelope_member(name, &parse(value.get().as_bytes())?)? {
                EnvelopeSignal::Problem(found) => Some(found),
                EnvelopeSignal::Total(_) => None,
            }
        });
        // A next page is normal here.
        let error = found.find(|found| found.code == codes::FEED_NOT_DATA);
        error.map(|error| error.message)
    }

    /// Returns the text or number at a path, if there is one.
    fn text(&self, path: &str) -> Result<Option<String>, String> {
        let found = self.around.as_ref().map(|around| find(around, path));
        let Some(found) = found.flatten() else {
            return Ok(None);
        };
        let value = serde_json::from_str(found.get()).unwrap_or_default();
        match value {
            // Systems end the pages in all these ways.
            serde_json::Value::Null | serde_json::Value::Bool(false) => Ok(None),
            serde_json::Value::String(text) if text.is_empty() => Ok(None),
            serde_json::Value::String(text) => Ok(Some(text)),
            serde_json::Value::Number(_) => Ok(Some(found.get().to_owned())),
            _ => Err(format!("`{path}` is neither text nor a number")),
        }
    }
}

fn parse<'p, T: Deserialize<'p>>(bytes: &'p [u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

fn list(value: &RawValue) -> Option<Vec<&RawValue>> {
    parse(value.get().as_bytes())
}

fn object(value: &RawValue) -> Option<RawObject<'_>> {
    parse(value.get().as_bytes())
}

/// Returns the only list among the values of an object. With several, the wrong one could be taken,
/// and would look like an export with few rows.
fn only_list<'p>(object: &RawObject<'p>) -> Result<Vec<&'p RawValue>, String> {
    let lists = object
        .iter()
        .filter(|(_, value)| value.get().starts_with('['));
    let lists: Vec<_> = lists.collect();
    match lists.as_slice() {
        [(_, value)] => list(value).ok_or_else(|| "its list cannot be read".to_owned()),
        [] => Err("it contains no list; set `items:` to the path of the list".to_owned()),
        many => {
            let names: Vec<String> = many.iter().map(|(name, _)| format!("`{name}`")).collect();
            Err(format!(
                "it contains several lists ({}); set `items:` to the path of one of them",
                names.join(", ")
            ))
        }
    }
}

/// Returns the value at a path of names with dots between them.
fn find<'p>(object: &RawObject<'p>, path: &str) -> Option<&'p RawValue> {
    // `@odata.nextLink` is a single name.
    if let Some(value) = object.get(path) {
        return Some(value);
    }
    let dots = path.match_indices('.');
    let mut ways = dots.map(|(at, _)| (&path[..at], &path[at + 1..]));
    ways.find_map(|(name, rest)| find(&self::object(object.get(name)?)?, rest))
}

/// Asks for an export, or for all of its pages.
pub(super) async fn fetch(
    place: &ExportLocation,
    http: &HttpLocation,
    before: Option<&CacheMetadata>,
    incoming: &mut IncomingExport,
) -> Result<FetchAnswer, TransportError> {
    let mut session = HttpSession::new(place, http)?;
    if let Some(next) = &http.next {
        return fetch_pages(&mut session, next, incoming)
            .await
            .map(FetchAnswer::New);
    }
    let answer = session.get(&http.url, before).await?;
    if answer.status() == StatusCode::NOT_MODIFIED {
        return Ok(FetchAnswer::Same);
    }
    if next_link(&answer).is_some() {
        return Err(TransportError::NotData {
            place: place.to_string(),
            what: "its header `Link` names more pages; set `next: link` of the export".to_owned(),
        });
    }
    let about = export_metadata(&answer);
    session.take(answer, incoming).await?;
    Ok(FetchAnswer::New(about))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(body: &str, at: Option<&str>) -> Result<Vec<String>, String> {
        let page = ExportPage::read(body.as_bytes(), at)?;
        Ok(page
            .items
            .iter()
            .map(|item| item.get().to_owned())
            .collect())
    }

    #[test]
    fn items_stay_as_they_are_written() {
        let one = [r#"{"id":1.10,"id":2}"#.to_owned()];
        for (body, at) in [
            (r#"[{"id":1.10,"id":2}]"#, None),
            (r#"{"value": [{"id":1.10,"id":2}], "count": 1}"#, None),
            (
                r#"{"d": {"results": [{"id":1.10,"id":2}]}, "x": []}"#,
                Some("d.results"),
            ),
        ] {
            assert_eq!(items(body, at).unwrap(), one, "{body}");
        }
    }

    #[test]
    fn which_list_counts_is_asked_for_when_that_is_not_clear() {
        assert!(
            items(r#"{"a": [], "b": []}"#, None)
                .unwrap_err()
                .contains("`a`, `b`")
        );
        assert!(items(r#"{"a": 1}"#, None).is_err());
        assert!(items(r#"{"a": [1]}"#, Some("b")).is_err());
        assert!(items("id;name\n", None).is_err());
        assert!(items("[1,", None).is_err());
    }

    #[test]
    fn the_next_page_is_found_by_names_with_dots_in_them_or_between_them() {
        let body = br#"{"@odata.nextLink": "/2", "meta": {"next": 7, "last": null}, "v": []}"#;
        let page = ExportPage::read(body, None).unwrap();
        assert_eq!(page.text("@odata.nextLink").unwrap().as_deref(), Some("/2"));
        assert_eq!(page.text("meta.next").unwrap().as_deref(), Some("7"));
        assert_eq!(page.text("meta.last").unwrap(), None);
        assert_eq!(page.text("nothing").unwrap(), None);
        assert!(page.text("meta").is_err());
    }
}
