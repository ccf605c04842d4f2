//! Numbers and dates of a workbook as text.

use super::super::record::CellShape;
use crate::model::CompactText;
use calamine::ExcelDateTime;

/// Spreadsheets calculate with this many digits. What a float adds is noise: `0.1 + 0.2`.
const DIGITS: usize = 15;

/// Returns a number in its shortest decimal form, never with an exponent.
pub(super) fn decimal(number: f64) -> CompactText {
    if number == 0.0 {
        return CompactText::new("0");
    }
    let whole = number.fract() == 0.0;
    // Whole numbers are not rounded: an id must keep the digits it has.
    let rounded = if whole {
        number
    } else {
        let spelled = format!("{number:.*e}", DIGITS - 1);
        spelled.parse().unwrap_or(number)
    };
    CompactText::new(rounded.to_string())
}

/// Returns a date or time in ISO 8601. A duration stays a number of days.
pub(super) fn format_date(time: &ExcelDateTime) -> (CompactText, CellShape) {
    if time.is_duration() {
        return (decimal(time.as_f64()), CellShape::Number);
    }
    let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    let text = if (hour, minute, second) == (0, 0, 0) {
        // A date without a time is stored as midnight.
        date
    } else {
        format!("{date}T{hour:02}:{minute:02}:{second:02}")
    };
    (CompactText::new(text), CellShape::Date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::ExcelDateTimeType;

    #[test]
    fn numbers_have_no_exponent_and_no_noise() {
        for (number, expected) in [
            (10_927_781.0, "10927781"),
            (1e7, "10000000"),
            (0.1 + 0.2, "0.3"),
            (1.2e11, "120000000000"),
            (-0.0, "0"),
            (-12.5, "-12.5"),
            (1e-7, "0.0000001"),
            (12_345_678_901_234_567.0, "12345678901234568"),
        ] {
            assert_eq!(decimal(number), expected);
        }
    }

    #[test]
    fn days_are_written_as_days() {
        let at = |days| ExcelDateTime::new(days, ExcelDateTimeType::DateTime, false);
        assert_eq!(format_date(&at(45_740.0)).0, "2025-03-24");
        assert_eq!(format_date(&at(45_740.5)).0, "2025-03-24T12:00:00");
        let length = ExcelDateTime::new(1.5, ExcelDateTimeType::TimeDelta, false);
        assert_eq!(
            format_date(&length),
            (CompactText::new("1.5"), CellShape::Number)
        );
    }
}
