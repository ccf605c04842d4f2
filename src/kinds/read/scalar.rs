//! Reads booleans, numbers, durations, dates and references to secrets, strictly: in manifests a
//! spelling that could mean two things is an error with a hint.

use super::{ValueProblem, quoted};
use crate::diagnostic::codes;
use crate::model::Value;
use chrono::DateTime;

pub(super) fn boolean(text: &str) -> Result<Value, ValueProblem> {
    match text {
        "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
        _ => Err(not_a_boolean(text)),
    }
}

fn not_a_boolean(text: &str) -> ValueProblem {
    let fault = ValueProblem::new(
        codes::BOOL,
        format!("{} is neither `true` nor `false`", quoted(text)),
    );
    // `no` is false in one YAML parser and text in another, so only one spelling is accepted.
    match text.to_lowercase().as_str() {
        "yes" | "y" | "on" | "1" | "oui" | "ja" | "si" | "vrai" | "wahr" | "sant" => {
            fault.help("Write `true`")
        }
        "no" | "n" | "off" | "0" | "non" | "nej" | "nein" | "faux" | "falsch" | "falskt" => {
            fault.help("Write `false`")
        }
        _ => fault.help("Write `true` or `false`"),
    }
}

pub(super) fn int(text: &str, least: i64, most: i64) -> Result<Value, ValueProblem> {
    let Ok(value) = text.parse::<i64>() else {
        let message = format!("{} is not a whole number", quoted(text));
        return Err(ValueProblem::new(codes::WRONG_TYPE, message)
            .help(format!("Write a number from {least} to {most}")));
    };
    if !(least..=most).contains(&value) {
        let message = format!("{value} is not between {least} and {most}");
        return Err(ValueProblem::new(codes::LENGTH, message));
    }
    Ok(Value::Int(value))
}

/// The seconds of a duration such as `90s`, `15m`, `72h` or `3d`; `None` if it is none.
#[must_use]
pub fn duration_seconds(text: &str) -> Option<u64> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u64 = text[..text.len() - 1].parse().ok()?;
    number.checked_mul(seconds)
}

pub(super) fn duration(text: &str) -> Result<Value, ValueProblem> {
    let number = text.strip_suffix(['s', 'm', 'h', 'd']).unwrap_or_default();
    // Nine digits cannot overflow in any unit.
    let fits = (1..=9).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    if fits && !number.starts_with('0') {
        return Ok(Value::text(text));
    }
    let message = format!("{} is not a duration", quoted(text));
    Err(ValueProblem::new(codes::WRONG_TYPE, message)
        .help("Write a whole number and a unit: `30s`, `15m`, `72h`, `3d`"))
}

pub(super) fn date(text: &str) -> Result<Value, ValueProblem> {
    match parts(text) {
        Some((year, month, day))
            // Outside of this, a year is a typing error, or the empty date of some system.
            if (1900..=2200).contains(&year) && (1..=days_in_month(year, month)).contains(&day) =>
        {
            Ok(Value::text(text))
        }
        Some((year, _, _)) if !(1900..=2200).contains(&year) => Err(not_a_date(
            text,
            "is not a valid date: the year must be between 1900 and 2200",
            "Write a year from 1900 to 2200",
        )),
        Some(_) => Err(not_a_date(
            text,
            "is not a valid date: the day does not exist",
            "Write YYYY-MM-DD, such as `2025-04-03`",
        )),
        None => Err(not_a_date(
            text,
            "is not a valid date",
            // Only ISO dates, because a reader cannot tell which of the others is meant.
            "Write YYYY-MM-DD, such as `2025-04-03`. `03/04/2025` could mean April or March",
        )),
    }
}

/// A day, which means its first moment in UTC, or a moment with its offset. Without an offset, a
/// time would mean another moment on each machine.
pub(super) fn moment(text: &str) -> Result<Value, ValueProblem> {
    let help = "Write a day such as `2026-12-31`, which begins at 00:00 UTC, or a moment with its \
                offset such as `2026-12-31T18:00:00+01:00`";
    let day = text.get(..10).unwrap_or(text);
    if parts(day).is_none() {
        return Err(not_a_date(text, "is neither a day nor a moment", help));
    }
    date(day)?;
    if day.len() == text.len() {
        return Ok(Value::text(format!("{text}T00:00:00Z")));
    }
    let Ok(moment) = DateTime::parse_from_rfc3339(text) else {
        return Err(not_a_date(text, "is neither a day nor a moment", help));
    };
    if moment.timestamp_subsec_nanos() != 0 {
        let what = "has fractions of a second";
        return Err(not_a_date(text, what, "Write whole seconds"));
    }
    let utc = moment.to_utc();
    Ok(Value::text(utc.format("%Y-%m-%dT%H:%M:%SZ").to_string()))
}

fn not_a_date(text: &str, what: &str, help: &str) -> ValueProblem {
    ValueProblem::new(codes::DATE, format!("{} {what}", quoted(text))).help(help)
}

fn parts(text: &str) -> Option<(u32, u32, u32)> {
    let bytes = text.as_bytes();
    let digit = |(at, byte): (usize, &u8)| match at {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    if bytes.len() != 10 || !bytes.iter().enumerate().all(digit) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse().ok();
    Some((part(0..4)?, part(5..7)?, part(8..10)?))
}

fn days_in_month(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

/// Reads `env:ROSTER_SECRET_X` or `file:name`. The text is not repeated in the message, since it
/// may be a password.
pub(super) fn secret(text: &str) -> Result<Value, ValueProblem> {
    let fits = match text.split_once(':') {
        Some(("env", name)) => is_variable(name),
        Some(("file", name)) => is_file_name(name),
        _ => false,
    };
    if fits {
        return Ok(Value::text(text));
    }
    Err(
        ValueProblem::new(codes::SECRET_SOURCE, "not an allowed source of passwords").help(
            "Write `{env: ROSTER_SECRET_…}`, or `{file: name}` for a file in the secrets directory",
        ),
    )
}

/// Returns whether a variable may be read. The prefix keeps manifests from reading others, such as
/// the credentials of Roster itself.
fn is_variable(name: &str) -> bool {
    name.strip_prefix("ROSTER_SECRET_").is_some_and(|rest| {
        !rest.is_empty()
            && rest.len() <= 200
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

/// Returns whether a name is that of a file. Without separators, it cannot leave the secrets
/// directory.
fn is_file_name(name: &str) -> bool {
    let plain = |c: char| !matches!(c, '/' | '\\' | ':') && !c.is_control();
    !name.is_empty()
        && name.len() <= 255
        && !name.starts_with('.')
        && name.chars().all(plain)
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use crate::kinds::FieldType;
    use crate::model::Value;

    fn code(ty: &FieldType, text: &str) -> &'static str {
        ty.read(text).map_or_else(|fault| fault.code.name(), |_| "")
    }

    #[test]
    fn booleans_are_true_and_false_only() {
        for text in ["true", "True", "TRUE", " true "] {
            assert_eq!(
                FieldType::Bool.read(text).expect("bool").value,
                Value::Bool(true)
            );
        }
        for text in ["yes", "on", "1", "y", "tRUE", "Oui", "VRAI", "0", "-"] {
            assert_eq!(code(&FieldType::Bool, text), "bool", "{text}");
        }
        let help = FieldType::Bool.read("no").expect_err("not a bool").help;
        assert_eq!(help.as_deref(), Some("Write `false`"));
    }

    #[test]
    fn numbers_durations_and_dates_are_strict() {
        let int = FieldType::Int(1, 64);
        let cases: &[(&FieldType, &str, &str)] = &[
            (&int, "2", ""),
            (&int, "0", "length"),
            (&int, "65", "length"),
            (&int, "0o17", "wrong-type"),
            (&int, "1e400", "wrong-type"),
            (&int, "NaN", "wrong-type"),
            (&int, "2.0", "wrong-type"),
            (&FieldType::Duration, "72h", ""),
            (&FieldType::Duration, "3d", ""),
            (&FieldType::Duration, "72", "wrong-type"),
            (&FieldType::Duration, "1h30m", "wrong-type"),
            (&FieldType::Duration, "-1h", "wrong-type"),
            (&FieldType::Duration, "0s", "wrong-type"),
            (&FieldType::PastDate, "2024-02-29", ""),
            (&FieldType::PastDate, "2023-02-29", "date"),
            (&FieldType::PastDate, "2025-13-01", "date"),
            (&FieldType::PastDate, "0000-01-01", "date"),
            (&FieldType::PastDate, "9999-12-31", "date"),
            (&FieldType::PastDate, "03/04/2025", "date"),
            (&FieldType::PastDate, "2025-4-3", "date"),
            (&FieldType::Moment, "2026-12-31", ""),
            (&FieldType::Moment, "2026-12-31T18:00:00+01:00", ""),
            (&FieldType::Moment, "2026-12-31T18:00:00Z", ""),
            (&FieldType::Moment, "2026-12-31T18:00:00", "date"),
            (&FieldType::Moment, "2026-12-31 18:00", "date"),
            (&FieldType::Moment, "2026-12-31T18:00:00.5Z", "date"),
            (&FieldType::Moment, "2026-12-31T25:00:00Z", "date"),
            (&FieldType::Moment, "2026-02-30", "date"),
            (&FieldType::Moment, "31.12.2026", "date"),
            (&FieldType::Moment, "tomorrow", "date"),
            (&FieldType::PastDate, "2025-04-03T00:00:00Z", "date"),
        ];
        for (ty, text, expected) in cases {
            assert_eq!(code(ty, text), *expected, "{text}");
        }
    }

    #[test]
    fn secrets_are_references_and_never_repeated() {
        for text in ["env:ROSTER_SECRET_ADA", "file:ada.txt"] {
            assert_eq!(code(&FieldType::Secret, text), "", "{text}");
        }
        for text in [
            "env:HOME",
            "env:ROSTER_SECRET_",
            "file:../x",
            "file:/etc/passwd",
            "file:a..b",
            "Hunter2hunter2",
            "env:ROSTER_SECRET_A B",
        ] {
            let fault = FieldType::Secret.read(text).expect_err("outside");
            assert_eq!(fault.code.name(), "secret-source");
            assert!(!format!("{fault:?}").contains(text));
        }
    }
}
