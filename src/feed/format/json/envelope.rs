//! What an answer says beside its list of rows: that it failed, that another page follows, or how
//! many rows there are. In goes one member of the enclosing object; out comes an
//! `EnvelopeSignal`. An answer can hold rows, have HTTP status 200 and still be incomplete, and
//! rows missing from it must not count as removed. Start reading at `read_envelope_member`.

use crate::diagnostic::{Diagnostic, codes, plural};
use crate::kinds::read::quoted;
use serde_json::Value;

/// Names of error members. Many systems always send them, so an empty one means no error.
const ERRORS: [&str; 10] = [
    "error",
    "errors",
    "errormessage",
    "errorcode",
    "fault",
    "faults",
    "exception",
    "exceptions",
    "failure",
    "failures",
];
/// Names of members that tell how the request went.
const STATES: [&str; 5] = ["status", "state", "result", "outcome", "level"];
/// The values of these that mean that the answer is not complete.
const FAILED_STATES: [&str; 9] = [
    "error",
    "errors",
    "failed",
    "failure",
    "fail",
    "fault",
    "partial",
    "incomplete",
    "truncated",
];
/// Flags that are true in a complete answer.
const GOOD_FLAGS: [&str; 6] = [
    "success",
    "succeeded",
    "successful",
    "ok",
    "complete",
    "iscomplete",
];
/// Flags that are false in a complete answer.
const BAD_FLAGS: [&str; 7] = [
    "haserrors",
    "haserror",
    "iserror",
    "failed",
    "partial",
    "incomplete",
    "truncated",
];
/// Names of members that point to a next page.
const NEXT: [&str; 13] = [
    "next",
    "nextlink",
    "nextpage",
    "nextpagelink",
    "nexturl",
    "nextpageurl",
    "nextpagetoken",
    "nexttoken",
    "nextcursor",
    "hasmore",
    "hasnext",
    "hasnextpage",
    "morerecords",
];
/// Names of objects that say more about the answer.
const WRAPPERS: [&str; 8] = [
    "meta",
    "paging",
    "pagination",
    "page",
    "pageinfo",
    "links",
    "response",
    "info",
];
/// Names of the total number of rows.
const TOTALS: [&str; 6] = [
    "total",
    "totalcount",
    "totalresults",
    "totalrecords",
    "totalrows",
    "totalelements",
];
/// Words that show that a message reports an error.
const WORDS: [&str; 8] = [
    "error",
    "fail",
    "exception",
    "denied",
    "timeout",
    "timed out",
    "incomplete",
    "truncated",
];

/// What a member beside the list says of the answer.
#[derive(Debug)]
pub enum EnvelopeSignal {
    /// The answer is not complete.
    Problem(Diagnostic),
    /// The total number of rows.
    Total(u64),
}

/// Returns what a member beside the list says of the answer, if anything.
pub fn read_envelope_member(name: &str, value: &Value) -> Option<EnvelopeSignal> {
    let word = plain(name);
    let word = word.as_str();
    if ERRORS.contains(&word) && !is_empty(value) || is_bad(word, value) {
        return Some(EnvelopeSignal::Problem(error(name, value)));
    }
    // `links` may be a list of relations and often links to the page itself, so only a link to the
    // next page counts.
    if NEXT.contains(&word) && !is_empty(value) || word == "links" && is_next(value) {
        return Some(EnvelopeSignal::Problem(next_page(name)));
    }
    // OData puts its count under a name with a prefix that `plain` removes; `count` alone is too
    // common a word to believe.
    if TOTALS.contains(&word) || name.eq_ignore_ascii_case("@odata.count") {
        return value.as_u64().map(EnvelopeSignal::Total);
    }
    // Errors and pages are also put into objects such as `meta`, which may nest.
    let members = value.as_object().filter(|_| WRAPPERS.contains(&word))?;
    members
        .iter()
        .find_map(|(inner, value)| read_envelope_member(inner, value))
}

pub(super) fn missing_rows(rows: u64, total: u64) -> Diagnostic {
    let message = format!(
        "the answer announces {} in total, but has {rows}",
        plural(total, "row")
    );
    Diagnostic::new(codes::FEED_TRUNCATED, message)
        .help("Fetch all pages: set `next:` of the export.")
}

/// Strips what systems put around a name: `@odata.nextLink`, `_links`, `next_page`.
fn plain(name: &str) -> String {
    let name = name.rsplit('.').next().unwrap_or(name);
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.collect::<String>().to_lowercase()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        // `"errorCode": "0"` and `"next": "null"` are ways to say nothing.
        Value::String(text) => matches!(text.trim(), "" | "0" | "null" | "none"),
        Value::Array(members) => members.iter().all(is_empty),
        Value::Object(members) => members.values().all(is_empty),
    }
}

/// Returns whether a member says that something went wrong.
fn is_bad(word: &str, value: &Value) -> bool {
    match value {
        Value::Bool(value) => {
            !value && GOOD_FLAGS.contains(&word) || *value && BAD_FLAGS.contains(&word)
        }
        Value::Number(number) => {
            // A number beside rows may be anything, but `status` 400 and up is an HTTP error.
            word == "status" && number.as_u64().is_some_and(|code| code >= 400)
        }
        Value::String(text) if STATES.contains(&word) => {
            FAILED_STATES.contains(&&*text.trim().to_lowercase())
        }
        // A message is prose and usually harmless; only one with a word for failure counts.
        Value::String(text) if word == "message" => {
            let text = text.to_lowercase();
            WORDS.iter().any(|word| text.contains(word))
        }
        _ => false,
    }
}

/// Returns whether links lead to a next page: `{"next": ..}` or `[{"rel": "next"}]`.
fn is_next(links: &Value) -> bool {
    let of_list = links.as_array().into_iter().flatten();
    let mut of_list = of_list.filter_map(|link| link.get("rel")?.as_str());
    let next = links.get("next");
    next.is_some_and(|next| !is_empty(next)) || of_list.any(|rel| rel.eq_ignore_ascii_case("next"))
}

fn error(name: &str, value: &Value) -> Diagnostic {
    const SHOWN: usize = 160;
    // An error may carry a stack trace; the report shows its beginning.
    let mut text = value.to_string();
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    let message = format!(
        "the answer holds rows and reports {}: {}",
        quoted(name),
        quoted(&text)
    );
    Diagnostic::new(codes::FEED_NOT_DATA, message).help(
        "Nothing of it is applied. Report it to the operators of the system that wrote it, and export again.",
    )
}

fn next_page(name: &str) -> Diagnostic {
    let message = format!(
        "the answer is incomplete: it names a next page in {}",
        quoted(name)
    );
    Diagnostic::new(codes::FEED_TRUNCATED, message)
        .help("Fetch all pages: set `next:` of the export.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_stands_beside_the_rows_tells_whether_they_are_all() {
        let cases = [
            ("errors", json!([]), None),
            ("errors", json!(null), None),
            ("error", json!({"code": 0, "message": ""}), None),
            (
                "errors",
                json!([{"message": "shard 3 is down"}]),
                Some("feed-not-data"),
            ),
            ("error", json!("timeout"), Some("feed-not-data")),
            ("status", json!("error"), Some("feed-not-data")),
            ("status", json!("ok"), None),
            ("status", json!(200), None),
            ("status", json!(503), Some("feed-not-data")),
            ("success", json!(true), None),
            ("success", json!(false), Some("feed-not-data")),
            ("message", json!("12 customers"), None),
            (
                "message",
                json!("Request failed after 12 customers"),
                Some("feed-not-data"),
            ),
            (
                "@odata.nextLink",
                json!("https://bc.example/next"),
                Some("feed-truncated"),
            ),
            (
                "@odata.context",
                json!("https://bc.example/$metadata"),
                None,
            ),
            ("hasMore", json!(false), None),
            ("hasMore", json!(true), Some("feed-truncated")),
            ("links", json!([{"rel": "self", "href": "a"}]), None),
            (
                "links",
                json!([{"rel": "next", "href": "b"}]),
                Some("feed-truncated"),
            ),
            (
                "_links",
                json!({"next": {"href": "b"}}),
                Some("feed-truncated"),
            ),
            ("paging", json!({"next_page": null}), None),
            (
                "paging",
                json!({"next_page": "abc"}),
                Some("feed-truncated"),
            ),
        ];
        for (name, value, wanted) in cases {
            let found = match read_envelope_member(name, &value) {
                Some(EnvelopeSignal::Problem(found)) => Some(found.code.name()),
                Some(EnvelopeSignal::Total(_)) | None => None,
            };
            assert_eq!(found, wanted, "{name}: {value}");
        }
    }
}
