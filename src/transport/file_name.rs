//! Names of files: which are complete files, which match a pattern, and in which order they are
//! read.

use std::cmp::Ordering;

/// Endings that programs give to files while they write or transfer them.
const UNFINISHED: [&str; 6] = [
    ".part",
    ".tmp",
    ".temp",
    ".filepart",
    ".partial",
    ".crdownload",
];

/// Returns whether a file of this name may be complete.
pub(super) fn may_be_complete(name: &str) -> bool {
    let folded = name.to_lowercase();
    let unfinished = UNFINISHED.iter().any(|ending| folded.ends_with(ending));
    // Some programs write to a hidden file first. Control characters would reach logs and reports.
    !(unfinished || name.starts_with('.') || name.contains(char::is_control))
}

/// Returns whether a name is a pattern.
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// Returns whether a pattern with `*` and `?` matches a name.
pub(super) fn matches_pattern(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut from) = (0, 0);
    // The last star, and how much it has matched so far. Returning to the last star alone is
    // enough, and keeps this from taking exponential time.
    let mut star = None;
    while from < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, from));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((after, taken)) = star else {
                    return false;
                };
                star = Some((after, taken + 1));
                (at, from) = (after, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// The possible names of the done-file of a file: some systems add the ending, others replace the
/// old one.
pub(super) fn done_names(name: &str, ending: &str) -> [String; 2] {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    [format!("{name}{ending}"), format!("{stem}{ending}")]
}

/// Compares names with numbers by value: `customers_2` before `customers_10`.
pub(super) fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (one, other) = (number(left), number(right));
        if let (Some(one), Some(other)) = (one, other) {
            let by_value = one.trim_start_matches('0');
            let than = other.trim_start_matches('0');
            // By length and then text: the number may be longer than any integer type.
            let by_value = by_value.len().cmp(&than.len()).then(by_value.cmp(than));
            if by_value != Ordering::Equal {
                return by_value;
            }
            (left, right) = (&left[one.len()..], &right[other.len()..]);
            continue;
        }
        let (mut ahead, mut behind) = (left.chars(), right.chars());
        match (ahead.next(), behind.next()) {
            (Some(one), Some(other)) if one == other => {
                (left, right) = (ahead.as_str(), behind.as_str());
            }
            // Equal but for leading zeros, if they differ at all.
            (None, None) => return a.cmp(b),
            (one, other) => return one.cmp(&other),
        }
    }
}

/// Returns the digits at the beginning.
fn number(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let digits = &text[..end.unwrap_or(text.len())];
    (!digits.is_empty()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_files_do_not_count() {
        for name in [
            "a.csv.part",
            "a.csv.filepart",
            "a.TMP",
            ".a.csv",
            "a\nb.csv",
        ] {
            assert!(!may_be_complete(name), "{name:?}");
        }
        assert!(may_be_complete("customers 2026.csv"));
    }

    #[test]
    fn a_pattern_fits_whole_names() {
        for (pattern, name, expected) in [
            ("*", "a.csv", true),
            ("*.csv", "a.csv", true),
            ("*.csv", "a.csv.done", false),
            ("c*-?.csv", "customers-7.csv", true),
            ("c*-?.csv", "customers-17.csv", false),
            ("a*b*c", "aXbYbZc", true),
            ("a.csv", "aXcsv", false),
            ("", "", true),
        ] {
            assert_eq!(matches_pattern(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn numbers_in_names_count_by_their_value() {
        let mut names = ["c_10", "c_2", "c_2b", "b", "c_002", "c"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["b", "c", "c_002", "c_2", "c_2b", "c_10"]);
    }
}
