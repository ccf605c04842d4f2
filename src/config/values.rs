//! Values that several keys share: environment variables and durations.

use crate::kinds::read;
use std::time::Duration;

pub(super) const DAY: Duration = Duration::from_hours(24);

/// Expands environment variables: `${NAME}`.
pub(super) fn expand_variables(text: &str) -> Result<String, String> {
    let mut expanded = String::new();
    let mut unset = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else {
            return Err("`${` without a closing `}`".to_owned());
        };
        let name = &rest[start + 2..start + length];
        match std::env::var(name) {
            Ok(value) => {
                expanded.push_str(&rest[..start]);
                expanded.push_str(&value);
            }
            // All of them are collected, so that one run names everything that is missing.
            Err(_) => unset.push(format!("`{name}`")),
        }
        rest = &rest[start + length + 1..];
    }
    match unset.as_slice() {
        [] => Ok(expanded + rest),
        [one] => Err(format!("the environment variable {one} is not set")),
        [others @ .., last] => Err(format!(
            "the environment variables {} and {last} are not set",
            others.join(", ")
        )),
    }
}

/// What is wrong with a key, without the value, which may be secret.
pub(super) fn told_without_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(", expected ") {
        Some((what, expected)) if what.starts_with("invalid ") => format!("expected {expected}"),
        _ => text,
    }
}

/// Reads `72h`, `15m`, `30s`, `3d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let seconds = read::duration_seconds(text);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        format!("`{text}` is not a duration; use a value such as `30s`, `15m`, `24h` or `3d`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_in_four_units() {
        assert_eq!(parse_duration("90m"), Ok(Duration::from_mins(90)));
        assert!(parse_duration("soon").is_err());
    }
}
