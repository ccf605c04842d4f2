//! The branch that the page proposes for a new resource. An erasure looks for the same name.

use super::Kind;

/// A branch named after a new resource, with what git allows in a name.
pub fn branch_name(kind: &Kind, id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let id: String = id.chars().take(60).map(plain).collect();
    format!("roster/{}-{}", kind.singular, id.trim_matches('-'))
        .trim_end_matches('-')
        .to_owned()
}
