//! How an export writes booleans, numbers, dates, lists and countries, and how they are read and
//! written. Where a text could mean two things (`1.234`), reading it is an error instead of a
//! guess.

use crate::diagnostic::codes;
use crate::kinds::country;
use crate::kinds::read::{ValueProblem, quoted};
use chrono::NaiveDate;
use std::borrow::Cow;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExportLocale {
    /// Words for true, in lower case.
    pub truths: Vec<String>,
    /// Words for false, in lower case.
    pub falsehoods: Vec<String>,
    /// The decimal sign. `None` accepts `.` or `,` where only one is possible.
    pub decimal: Option<char>,
    /// Date formats such as `%d.%m.%Y`. The first that fits counts.
    pub dates: Vec<String>,
    /// The separator of list members.
    pub lists: String,
    /// How countries are written. All forms are read.
    pub countries: CountryFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
pub enum CountryFormat {
    /// `SE`
    #[default]
    #[serde(rename = "alpha-2")]
    Alpha2,
    /// `SWE`
    #[serde(rename = "alpha-3")]
    Alpha3,
    /// `Sweden`
    #[serde(rename = "names")]
    Names,
}

/// What spreadsheets and exports write for true and false, in the languages that customers use.
const TRUTHS: &[&str] = &[
    "true", "1", "x", "y", "yes", "ja", "j", "oui", "vrai", "wahr", "sant", "sann", "si", "sí",
    "vero",
];
const FALSEHOODS: &[&str] = &[
    "false", "0", "n", "no", "nej", "nein", "nee", "non", "faux", "falsch", "falskt", "usann",
    "falso",
];

/// What a locale decides: the decimal sign, and date formats besides ISO.
const LOCALES: &[(&str, char, &[&str])] = &[
    ("da", ',', &["%d-%m-%Y", "%d.%m.%Y"]),
    ("de", ',', &["%d.%m.%Y"]),
    ("en", '.', &["%m/%d/%Y"]),
    ("en-gb", '.', &["%d/%m/%Y"]),
    ("es", ',', &["%d/%m/%Y"]),
    ("fi", ',', &["%d.%m.%Y"]),
    ("fr", ',', &["%d/%m/%Y"]),
    ("it", ',', &["%d/%m/%Y"]),
    ("nb", ',', &["%d.%m.%Y"]),
    ("nl", ',', &["%d-%m-%Y"]),
    ("sv", ',', &["%Y-%m-%d"]),
];
/// Date formats that mean the same everywhere.
const ISO: &[&str] = &["%Y-%m-%d", "%Y%m%d"];

impl Default for ExportLocale {
    fn default() -> Self {
        let owned = |words: &[&str]| words.iter().copied().map(str::to_owned).collect();
        Self {
            truths: owned(TRUTHS),
            falsehoods: owned(FALSEHOODS),
            decimal: None,
            dates: owned(ISO),
            lists: "||".to_owned(),
            countries: CountryFormat::default(),
        }
    }
}

impl ExportLocale {
    /// Returns the locale called `de` or `en-GB`.
    pub fn for_locale(locale: &str) -> Result<Self, String> {
        let wanted = locale.to_ascii_lowercase();
        let Some((_, decimal, dates)) = LOCALES.iter().find(|(name, ..)| *name == wanted) else {
            let known: Vec<&str> = LOCALES.iter().map(|(name, ..)| *name).collect();
            return Err(format!(
                "no locale `{locale}`; the locales are {}",
                known.join(", ")
            ));
        };
        let mut words = Self {
            decimal: Some(*decimal),
            ..Self::default()
        };
        // After the ISO forms, which no local format can be confused with.
        words.dates.extend(dates.iter().copied().map(str::to_owned));
        Ok(words)
    }

    /// Reads a boolean.
    pub fn boolean(&self, text: &str) -> Option<bool> {
        let text = text.trim();
        // Lower-casing allocates, and this runs for every boolean cell. Nearly all of them are
        // ASCII.
        let lower = if text.is_ascii() {
            String::new()
        } else {
            text.to_lowercase()
        };
        let is =
            |word: &String| word.eq_ignore_ascii_case(text) || !lower.is_empty() && *word == lower;
        if self.truths.iter().any(is) {
            return Some(true);
        }
        self.falsehoods.iter().any(is).then_some(false)
    }

    /// Reads a decimal number. The result has `.` as decimal sign and no groups.
    pub fn number(&self, text: &str) -> Result<String, ValueProblem> {
        let fault = |what: &str, help: &str| {
            let message = format!("{} {what}", quoted(text));
            ValueProblem::new(codes::CUSTOM_FIELD_TYPE, message).help(help)
        };
        // Spaces, no-break spaces and the Swiss apostrophe separate thousands.
        let plain: String = text
            .chars()
            .filter(|c| !is_space(*c) && *c != '\'')
            .collect();
        let (minus, digits) = signed(&plain);
        let decimal = match self.decimal {
            Some(decimal) => decimal,
            None => clear_decimal(digits).ok_or_else(|| {
                fault(
                    "is ambiguous: its separator may be a decimal or a thousands separator",
                    "set `locale:` in the mapping",
                )
            })?,
        };
        let group = if decimal == ',' { '.' } else { ',' };
        let (whole, fraction) = digits.split_once(decimal).unwrap_or((digits, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        // Groups must be of three digits: `1,23` with a decimal point would otherwise pass as 123.
        let grouped = || {
            let mut parts = whole.split(group);
            let first = parts.next().unwrap_or_default();
            is_digits(first)
                && first.len() <= 3
                && parts.all(|part| part.len() == 3 && is_digits(part))
        };
        let fits = (is_digits(whole) || grouped()) && is_digits(fraction);
        if !fits || whole.is_empty() && fraction.is_empty() {
            return Err(fault(
                "is not a number",
                "use digits and the decimal sign of the `locale:` of the mapping",
            ));
        }
        let whole: String = whole.chars().filter(|c| *c != group).collect();
        let sign = if minus { "-" } else { "" };
        let dot = if fraction.is_empty() { "" } else { "." };
        Ok(format!("{sign}{whole}{dot}{fraction}"))
    }

    /// Reads a date as `2025-03-21`. `None` for the zeros that SAP and others write for no date.
    pub fn date(&self, text: &str) -> Result<Option<String>, ValueProblem> {
        let text = text.trim();
        // An empty text is caught earlier, as a blank.
        if text
            .bytes()
            .all(|byte| matches!(byte, b'0' | b'.' | b'-' | b'/'))
        {
            return Ok(None);
        }
        // Of a date with a time, only the date is read.
        let day = text.split(['T', ' ']).next().unwrap_or(text);
        let parse = |format: &String| NaiveDate::parse_from_str(day, format).ok();
        match self.dates.iter().find_map(parse) {
            Some(date) => Ok(Some(date.format("%Y-%m-%d").to_string())),
            None => Err(ValueProblem::new(
                codes::DATE,
                format!("{} is not a valid date", quoted(text)),
            )
            .help(format!(
                "use {}, or add another format to `dates:` of the mapping",
                self.dates.join(", ")
            ))),
        }
    }

    /// Writes a boolean.
    pub fn write_boolean(&self, value: bool) -> String {
        let words = if value {
            &self.truths
        } else {
            &self.falsehoods
        };
        words
            .first()
            .map_or_else(String::new, |word| word.to_uppercase())
    }

    /// Writes a decimal number given with `.` as decimal sign.
    pub fn write_number(&self, number: &str) -> String {
        match self.decimal {
            Some(decimal) => number.replace('.', &decimal.to_string()),
            None => number.to_owned(),
        }
    }

    /// Writes a date given as `2025-03-21`, in the format of the locale if it has one.
    pub fn write_date(&self, day: &str) -> Option<String> {
        let date = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
        // The default list begins with ISO, but an export with a local format expects that.
        let own = self.dates.iter().find(|form| !ISO.contains(&form.as_str()));
        let form = own.or(self.dates.first())?;
        Some(date.format(form).to_string())
    }

    /// Writes a country given as ISO 3166-1 alpha-2.
    pub fn write_country(&self, code: &str) -> String {
        let written = match self.countries {
            CountryFormat::Alpha2 => None,
            CountryFormat::Alpha3 => country::alpha3(code),
            CountryFormat::Names => country::name(code),
        };
        written.unwrap_or(code).to_owned()
    }

    /// Splits the members of a list, including blank ones.
    pub fn members<'a>(&self, text: &'a str) -> Vec<Cow<'a, str>> {
        let parts = text.split(&self.lists);
        parts.map(|part| Cow::Borrowed(trimmed(part))).collect()
    }
}

/// Trims spaces, including no-break ones, and invisible marks.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| is_space(c) || c == '\u{feff}' || c == '\u{200b}')
}

fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// Splits a number into its sign and the rest. SAP writes the minus behind the number.
fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-').or_else(|| text.strip_suffix('-')) {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Returns the decimal sign if only one is possible: the last of both, or the only one unless
/// exactly three digits follow it.
fn clear_decimal(digits: &str) -> Option<char> {
    let (dot, comma) = (digits.rfind('.'), digits.rfind(','));
    let (at, sign) = match (dot, comma) {
        (None, None) => return Some('.'),
        (Some(dot), Some(comma)) => return Some(if dot > comma { '.' } else { ',' }),
        (Some(at), None) => (at, '.'),
        (None, Some(at)) => (at, ','),
    };
    // A sign that occurs several times separates groups.
    let several = digits.matches(sign).count() > 1;
    if several {
        return Some(if sign == '.' { ',' } else { '.' });
    }
    let (before, after) = (&digits[..at], &digits[at + 1..]);
    // `1.234` may be a thousand or one. `1234.567`, `0.123` and `.123` cannot be groups.
    (after.len() != 3 || before.is_empty() || before.len() > 3 || before == "0").then_some(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_locale_or_where_they_are_clear() {
        let read = |locale: &str, text: &str| {
            let words = if locale.is_empty() {
                ExportLocale::default()
            } else {
                ExportLocale::for_locale(locale).expect("known")
            };
            words.number(text).ok()
        };
        for (locale, text, number) in [
            ("de", "125.000,00", Some("125000.00")),
            ("de", "1.234", Some("1234")),
            ("de", "12.000,00-", Some("-12000.00")),
            ("en", "125,000.00", Some("125000.00")),
            ("sv", "125\u{a0}000,5", Some("125000.5")),
            ("de", "1.23", None),
            ("de", "1,2,3", None),
            ("", "1.234", None),
            ("", "1,234", None),
            ("", "1.234.567", Some("1234567")),
            ("", "1.234,50", Some("1234.50")),
            ("", "12,5", Some("12.5")),
            ("", "0,125", Some("0.125")),
            ("", "42", Some("42")),
            ("", "1E5", None),
            ("", "-", None),
        ] {
            assert_eq!(read(locale, text).as_deref(), number, "{locale} {text}");
        }
    }

    #[test]
    fn days_are_read_in_the_forms_of_the_locale() {
        let read = |locale: &str, text: &str| {
            ExportLocale::for_locale(locale)
                .expect("known")
                .date(text)
                .ok()
        };
        let day = Some(Some("2025-03-21".to_owned()));
        assert_eq!(read("de", "21.03.2025"), day);
        assert_eq!(read("de", "20250321"), day);
        assert_eq!(read("en", "03/21/2025"), day);
        assert_eq!(read("fr", "21/03/2025"), day);
        assert_eq!(read("de", "2025-03-21T10:00:00Z"), day);
        assert_eq!(read("de", "00000000"), Some(None));
        assert_eq!(read("de", "03/21/2025"), None);
        assert_eq!(read("de", "31.02.2025"), None);
    }

    #[test]
    fn booleans_are_read_in_the_words_of_spreadsheets() {
        let words = ExportLocale::default();
        for text in ["TRUE", "VRAI", "Wahr", "SANT", "Ja", "1", "x", " true "] {
            assert_eq!(words.boolean(text), Some(true), "{text}");
        }
        for text in ["FALSE", "FAUX", "falsch", "Nej", "0", "N"] {
            assert_eq!(words.boolean(text), Some(false), "{text}");
        }
        assert_eq!(words.boolean("perhaps"), None);
    }
}
