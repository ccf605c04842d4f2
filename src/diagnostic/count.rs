//! Numbers in sentences: separators, and nouns and verbs that agree.

use std::fmt::Display;

/// `1,000,000`.
#[must_use]
pub fn thousands(number: impl Display) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 error`, `3 errors`.
#[must_use]
pub fn plural(number: impl Display, word: &str) -> String {
    let number = thousands(number);
    let s = if number == "1" { "" } else { "s" };
    format!("{number} {word}{s}")
}

/// `1 resource stays`, `3 resources stay`: a number of them and the verb that agrees.
#[must_use]
pub fn agreed(number: impl Display, noun: (&str, &str), verb: (&str, &str)) -> String {
    let number = thousands(number);
    let (noun, verb) = if number == "1" {
        (noun.0, verb.0)
    } else {
        (noun.1, verb.1)
    };
    format!("{number} {noun} {verb}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_agree_with_their_nouns() {
        assert_eq!(plural(1, "row"), "1 row");
        assert_eq!(plural(0, "row"), "0 rows");
        assert_eq!(plural(1_234_567_u64, "row"), "1,234,567 rows");
        let stay = |number| agreed(number, ("resource", "resources"), ("stays", "stay"));
        assert_eq!(stay(1), "1 resource stays");
        assert_eq!(stay(1000), "1,000 resources stay");
    }
}
