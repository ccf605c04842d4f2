//! Parts of schemas that no derive can say.

use serde_json::{Value, json};

/// The schema of an object with the member `one` and without `other`.
pub(super) fn exactly_one_of(one: &str, other: &str) -> Value {
    let (one, other) = (one.to_owned(), other.to_owned());
    json!({
        "required": [one],
        "properties": {one: {"not": {"type": "null"}}, other: {"type": "null"}},
    })
}
