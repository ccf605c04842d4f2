//! Reads countries, e-mail addresses, phone numbers, URLs, VAT numbers and postal codes. What
//! cannot be right is an error, with the reason; an unusual VAT number is only a warning.

use super::{ParsedValue, ValueProblem, quoted, text};
use crate::diagnostic::codes;
use crate::kinds::country as countries;
use crate::model::{CompactText, Value};

pub(super) fn country(text: &str) -> Result<Value, ValueProblem> {
    if countries::is_code(text) {
        return Ok(Value::text(text));
    }
    let fault = ValueProblem::new(
        codes::COUNTRY,
        format!("{} is not a country code of ISO 3166-1", quoted(text)),
    );
    Err(match countries::guess_code(text) {
        Some(code) => fault.help(format!("Did you mean `{code}`?")),
        None => fault.help("Write two capital letters, such as `SE`"),
    })
}

pub(super) fn email(text: &str) -> Result<Value, ValueProblem> {
    match email_fault(text) {
        None => Ok(Value::text(text)),
        Some(why) => Err(ValueProblem::new(
            codes::EMAIL,
            format!("{} is not an e-mail address: {why}", quoted(text)),
        )
        .help("Write one address, such as `karin@example.com`")),
    }
}

fn email_fault(text: &str) -> Option<&'static str> {
    let mut halves = text.split('@');
    let (local, domain) = (halves.next().unwrap_or_default(), halves.next());
    let Some(domain) = domain else {
        return Some("`@` is missing");
    };
    // Exports put several addresses into one cell, separated by a comma or a semicolon.
    if halves.next().is_some() || text.bytes().any(|byte| matches!(byte, b',' | b';')) {
        return Some("it contains more than one address");
    }
    let odd = |c: char| c.is_whitespace() || c.is_control() || super::is_invisible(c);
    if !is_graphic(text) && text.chars().any(odd) {
        return Some("it contains a space or an invisible character");
    }
    // The limits of RFC 5321.
    if text.len() > 254 || local.len() > 64 {
        return Some("it is too long");
    }
    local_fault(local).or_else(|| domain_fault(domain))
}

/// Returns whether all characters are visible ASCII. Almost every address is, and checking bytes is
/// much faster than checking characters.
fn is_graphic(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn local_fault(local: &str) -> Option<&'static str> {
    let odd = |byte| {
        matches!(
            byte,
            b'<' | b'>' | b'(' | b')' | b'[' | b']' | b'\\' | b'"' | b':'
        )
    };
    if local.is_empty() {
        return Some("the part before `@` is empty");
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Some("a dot is misplaced before `@`");
    }
    local
        .bytes()
        .any(odd)
        .then_some("a character before `@` is not allowed")
}

fn domain_fault(domain: &str) -> Option<&'static str> {
    // `karin@acme.example.` reaches the same mailbox as without the dot, but would be a second
    // login.
    if domain.ends_with('.') {
        return Some("it ends with a dot");
    }
    if !domain.contains('.') {
        return Some("its domain has no dot");
    }
    domain
        .split('.')
        .any(|label| !is_label(label))
        .then_some("its domain is not valid")
}

fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    // Domains with letters outside ASCII are accepted as written.
    let inner = |c: char| c.is_alphanumeric() || c == '-' || (!c.is_ascii() && !c.is_control());
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && (label.bytes().all(plain) || label.chars().all(inner))
}

pub(super) fn phone(text: &str) -> Result<Value, ValueProblem> {
    if super::looks_scientific(text) {
        return Err(text::scientific_problem(text));
    }
    // The common case needs no new string.
    let plain = text.strip_prefix('+').unwrap_or(text);
    if (3..=15).contains(&plain.len()) && plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Value::text(text));
    }
    let mut number = CompactText::default();
    for (at, c) in text.char_indices() {
        match c {
            '0'..='9' => number.push(c),
            '+' if at == 0 => number.push(c),
            // Separators that people and systems use; without them two spellings of a number
            // compare equal.
            ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' | '\u{202f}' => {}
            // An extension or a second number cannot be stored in one phone number.
            other => {
                return Err(not_a_phone(
                    text,
                    &format!("it contains {}", display_char(other)),
                ));
            }
        }
    }
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    match digits {
        3..=15 => Ok(Value::Text(number)),
        _ => Err(not_a_phone(
            text,
            &format!("it has {digits} digits; 3 to 15 are allowed"),
        )),
    }
}

fn display_char(c: char) -> String {
    if c.is_control() || super::is_invisible(c) {
        return format!("U+{:04X}", u32::from(c));
    }
    format!("`{c}`")
}

fn not_a_phone(text: &str, why: &str) -> ValueProblem {
    ValueProblem::new(
        codes::PHONE,
        format!("{} is not a phone number: {why}", quoted(text)),
    )
    .help("Write one number without an extension, such as `+46 63 12 34 56`")
}

pub(super) fn url(text: &str) -> Result<Value, ValueProblem> {
    text::check_length(text, MAX_URL_CHARS)?;
    match url_fault(text) {
        None => Ok(Value::text(text)),
        Some(why) => Err(ValueProblem::new(
            codes::URL,
            format!("{} is not a URL: {why}", quoted(text)),
        )
        .help("Write the full address, such as `https://www.example.com`")),
    }
}

const MAX_URL_CHARS: usize = 2048;

fn url_fault(text: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Some("it does not start with https:// or http://");
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Some("only http and https are allowed");
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some("it contains a space");
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A password in a URL would be shown to everybody who sees the account.
    if authority.contains('@') {
        return Some("it contains a user name or password");
    }
    (!is_host(authority)).then_some("it has no host")
}

fn is_host(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an IPv6 address are not followed by a port.
        Some((host, port)) if !authority.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return false;
    }
    if let Some(v6) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return v6.parse::<std::net::Ipv6Addr>().is_ok();
    }
    host.split('.').all(is_label)
}

/// Reads a VAT number: in capitals, without spaces, dots and dashes. An unusual shape is a warning,
/// since countries change theirs.
pub(super) fn vat(text: &str) -> Result<ParsedValue, ValueProblem> {
    if super::looks_scientific(text) {
        return Err(text::scientific_problem(text));
    }
    let number: CompactText = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '.' | '-' | '\u{a0}' | '\u{202f}'))
        .flat_map(char::to_uppercase)
        .collect();
    text::line(&number, 32)?;
    let warning = vat_fault(&number);
    Ok(ParsedValue {
        value: Value::Text(number),
        warning,
    })
}

fn vat_fault(number: &str) -> Option<ValueProblem> {
    let fault = |why: String| {
        Some(ValueProblem::new(
            codes::VAT_FORMAT,
            format!("`{number}` {why}"),
        ))
    };
    if countries::vat_country(number).is_none() {
        return fault("does not start with the letters of its country".to_owned());
    }
    let shapes = countries::vat_shapes(number.get(..2)?)?;
    if countries::matches_any_shape(number, shapes) {
        return None;
    }
    let country = &number[..2];
    fault(format!("is not a valid VAT number of {country}")).map(|fault| {
        fault.help(format!(
            "Write it as {}, with digits in place of 9",
            shapes.join(" or ")
        ))
    })
}

pub(super) fn zip(text: &str) -> Result<Value, ValueProblem> {
    if super::looks_scientific(text) {
        return Err(text::scientific_problem(text));
    }
    text::line(text, 16)
}

#[cfg(test)]
mod tests {
    use crate::kinds::FieldType;
    use crate::model::Value;

    fn code(ty: &FieldType, text: &str) -> &'static str {
        match ty.read(text) {
            Ok(reading) => reading.warning.map_or("", |fault| fault.code.name()),
            Err(fault) => fault.code.name(),
        }
    }

    #[test]
    fn each_type_refuses_what_is_not_one() {
        let cases: &[(&FieldType, &str, &str)] = &[
            (&FieldType::Email, "Karin.Aslund+x@Fjällbyggen.example", ""),
            (&FieldType::Email, "a@xn--fjllbyggen-q5a.example", ""),
            (&FieldType::Email, "karin@example.com.", "email"),
            (&FieldType::Email, "a@b.example, c@d.example", "email"),
            (&FieldType::Email, "a@b.example;c@d.example", "email"),
            (&FieldType::Email, "karin example@x.example", "email"),
            (&FieldType::Email, "karin", "email"),
            (&FieldType::Email, "@x.example", "email"),
            (&FieldType::Email, "a@localhost", "email"),
            (&FieldType::Email, "a..b@x.example", "email"),
            (&FieldType::Email, "a@-x.example", "email"),
            (&FieldType::Email, "a\u{200b}@x.example", "email"),
            (&FieldType::Phone, "+46 (0)63-12 34.56", ""),
            (&FieldType::Phone, "12", "phone"),
            (&FieldType::Phone, "1234567890123456", "phone"),
            (&FieldType::Phone, "+46 63 x12", "phone"),
            (&FieldType::Phone, "46+63123", "phone"),
            (&FieldType::Phone, "6,12E+08", "scientific-notation"),
            (&FieldType::Url, "https://www.example.com/a?b#c", ""),
            (&FieldType::Url, "HTTP://example.com:8080", ""),
            (&FieldType::Url, "www.example.com", "url"),
            (&FieldType::Url, "ftp://example.com", "url"),
            (&FieldType::Url, "https://", "url"),
            (&FieldType::Url, "https://a b.example", "url"),
            (&FieldType::Url, "javascript:alert(1)", "url"),
            (&FieldType::Vat, "SE556012345601", ""),
            (&FieldType::Vat, "SE5560123456", "vat-format"),
            (&FieldType::Vat, "556012345601", "vat-format"),
            (&FieldType::Vat, "US123", ""),
            (&FieldType::Zip, " 831 30 ", ""),
            (&FieldType::Zip, "12345678901234567", "length"),
            (&FieldType::Zip, "1.2E+05", "scientific-notation"),
            (&FieldType::Country, "SE", ""),
            (&FieldType::Country, "se", "country"),
            (&FieldType::Country, "SWE", "country"),
            (&FieldType::Country, "Sverige", "country"),
            (&FieldType::Country, "UK", "country"),
        ];
        for (ty, text, expected) in cases {
            assert_eq!(code(ty, text), *expected, "{text}");
        }
    }

    #[test]
    fn canonical_forms() {
        let value = |ty: &FieldType, text: &str| ty.read(text).expect("reads").value;
        assert_eq!(
            value(&FieldType::Phone, "+46 (0)63-12 34.56"),
            Value::text("+46063123456")
        );
        assert_eq!(
            value(&FieldType::Vat, "se 5560.1234-5601"),
            Value::text("SE556012345601")
        );
        assert_eq!(value(&FieldType::Zip, " 831 30 "), Value::text("831 30"));
        let help = FieldType::Country.read("UK").expect_err("alias").help;
        assert_eq!(help.as_deref(), Some("Did you mean `GB`?"));
    }
}
