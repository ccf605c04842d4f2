//! Values that several keys share: environment variables and durations.

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

/// Reads `72h`, `15m`, `30s`, `3d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("`{text}` is not a duration; use a value such as `30s`, `15m`, `24h` or `3d`");
    let unit = text.chars().last().ok_or_else(wrong)?;
    // The last character may be longer than a byte; cutting inside of it would panic.
    let number: u64 = text[..text.len() - unit.len_utf8()]
        .parse()
        .map_err(|_| wrong())?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
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
