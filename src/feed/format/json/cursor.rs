//! The tokens of JSON. A cursor reads a piece of text that may end anywhere; each method either
//! takes a whole token or returns `JsonReadError::NeedsMore`, after which the caller starts again
//! with more text. It is stricter than many parsers, because leniency would guess at values.

use super::super::text_reader::advance;
use crate::model::LineColumn;
use memchr::memchr2;

/// Why reading stopped.
#[derive(Debug)]
pub(super) enum JsonReadError {
    /// The text ends here so far; more may come.
    NeedsMore,
    /// The text ends where it may not.
    Truncated(LineColumn),
    /// The text is not JSON.
    Invalid(JsonSyntaxError),
}

/// What is not JSON, and what to do about it.
#[derive(Debug)]
pub(super) struct JsonSyntaxError {
    pub at: LineColumn,
    pub what: String,
    pub help: &'static str,
}

/// A place in a text.
pub(super) struct JsonCursor<'t> {
    text: &'t str,
    ended: bool,
    at: usize,
    /// The byte up to which `here` has been computed. Lines are counted only when a place is
    /// needed.
    counted: usize,
    here: LineColumn,
}

/// A number, `true`, `false` or `null`, as spelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum JsonLiteral<'t> {
    Number(&'t str),
    Bool(&'t str),
    Null,
}

/// Two of these together encode one character; one alone encodes none.
const SURROGATES: std::ops::Range<u32> = 0xd800..0xe000;

impl<'t> JsonCursor<'t> {
    /// Starts at a text whose first byte is at `pos`. `ended` says that no more text will come.
    pub fn new(text: &'t str, ended: bool, pos: LineColumn) -> Self {
        Self {
            text,
            ended,
            at: 0,
            counted: 0,
            here: pos,
        }
    }

    pub fn consumed(&self) -> usize {
        self.at
    }

    pub fn pos(&mut self) -> LineColumn {
        self.here = advance(self.here, &self.text[self.counted..self.at]);
        self.counted = self.at;
        self.here
    }

    /// Returns the next byte that is not white space, without taking it.
    pub fn peek(&mut self) -> Result<u8, JsonReadError> {
        let rest = &self.text.as_bytes()[self.at..];
        let space = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += rest.iter().position(space).unwrap_or(rest.len());
        self.byte(self.at)
    }

    /// Returns whether only white space follows.
    pub fn is_done(&mut self) -> Result<bool, JsonReadError> {
        match self.peek() {
            Ok(_) => Ok(false),
            Err(JsonReadError::Truncated(_)) => Ok(true),
            Err(stop) => Err(stop),
        }
    }

    /// Takes the next byte that is not white space if it is `byte`.
    pub fn take(&mut self, byte: u8) -> Result<bool, JsonReadError> {
        let is = self.peek()? == byte;
        self.at += usize::from(is);
        Ok(is)
    }

    /// Takes the next byte that is not white space, which must be `byte`.
    pub fn expect(&mut self, byte: u8) -> Result<(), JsonReadError> {
        if self.take(byte)? {
            return Ok(());
        }
        let found = self.text[self.at..].chars().next().unwrap_or_default();
        Err(self.syntax_error(format!(
            "found {:?}; expected {:?}",
            found,
            char::from(byte)
        )))
    }

    /// Returns whether another member follows in a list or an object.
    pub fn next_member(&mut self, end: u8) -> Result<bool, JsonReadError> {
        if self.take(end)? {
            return Ok(false);
        }
        self.expect(b',')?;
        if self.peek()? == end {
            return Err(self.syntax_error("nothing follows a comma".to_owned()));
        }
        Ok(true)
    }

    pub fn syntax_error(&mut self, what: String) -> JsonReadError {
        self.syntax_error_with(what, "check the program that wrote it")
    }

    fn syntax_error_with(&mut self, what: String, help: &'static str) -> JsonReadError {
        let at = self.pos();
        JsonReadError::Invalid(JsonSyntaxError { at, what, help })
    }

    fn byte(&mut self, at: usize) -> Result<u8, JsonReadError> {
        match self.text.as_bytes().get(at) {
            Some(byte) => Ok(*byte),
            None if self.ended => Err(JsonReadError::Truncated(self.pos())),
            None => Err(JsonReadError::NeedsMore),
        }
    }

    /// Appends a string to `out`. Returns whether it has half a surrogate pair, which is replaced.
    pub fn string(&mut self, out: &mut String) -> Result<bool, JsonReadError> {
        self.expect(b'"')?;
        let mut broken = false;
        loop {
            let rest = &self.text[self.at..];
            let Some(end) = memchr2(b'"', b'\\', rest.as_bytes()) else {
                // All of it is inside the string, so a file that ends here is cut at its very end.
                self.at = self.text.len();
                return Err(self
                    .byte(self.at)
                    .map_or_else(|stop| stop, |_| JsonReadError::NeedsMore));
            };
            let plain = &rest[..end];
            // A raw line break in a text often means that a closing quote is missing.
            if let Some(control) = plain.bytes().position(|byte| byte < b' ') {
                self.at += control;
                return Err(self.syntax_error_with(
                    "a text contains a control character".to_owned(),
                    "write line breaks and tabs in a text as `\\n` and `\\t`",
                ));
            }
            out.push_str(plain);
            self.at += end + 1;
            if rest.as_bytes()[end] == b'"' {
                return Ok(broken);
            }
            broken |= self.escape(out)?;
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<bool, JsonReadError> {
        let byte = self.byte(self.at)?;
        self.at += 1;
        let c = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.escaped_code(out),
            _ => {
                self.at -= 1;
                return Err(self.syntax_error("an unknown escape".to_owned()));
            }
        };
        out.push(c);
        Ok(false)
    }

    fn escaped_code(&mut self, out: &mut String) -> Result<bool, JsonReadError> {
        let mut code = self.hex()?;
        // Characters outside the basic plane, such as emoji, are escaped as two surrogates.
        if (0xd800..0xdc00).contains(&code) && self.byte(self.at)? == b'\\' {
            // The second escape is taken only if it is the other half.
            let back = self.at;
            let other = self.byte(self.at + 1)? == b'u';
            if other {
                self.at += 2;
                let low = self.hex()?;
                if (0xdc00..0xe000).contains(&low) {
                    code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                } else {
                    self.at = back;
                }
            }
        }
        // A lone half encodes nothing; the caller reports it, and the row is held.
        out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
        Ok(SURROGATES.contains(&code))
    }

    fn hex(&mut self) -> Result<u32, JsonReadError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = char::from(self.byte(self.at)?).to_digit(16);
            let Some(digit) = digit else {
                return Err(self.syntax_error("`\\u` without four hexadecimal digits".to_owned()));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    pub fn literal(&mut self) -> Result<JsonLiteral<'t>, JsonReadError> {
        self.peek()?;
        let rest = &self.text[self.at..];
        // All letters, not only those of the known words, so that `NaN` or `None` is reported as a
        // whole.
        let within = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let end = rest.bytes().position(|byte| !within(&byte));
        let word = match end {
            Some(end) => &rest[..end],
            None if self.ended => rest,
            // `12` at the end of a piece may be the beginning of `123`.
            None => return Err(JsonReadError::NeedsMore),
        };
        let found = match word {
            "true" | "false" => JsonLiteral::Bool(word),
            "null" => JsonLiteral::Null,
            number if is_number(number) => JsonLiteral::Number(number),
            other => return Err(self.invalid_literal(other, end.is_none())),
        };
        self.at += word.len();
        Ok(found)
    }

    fn invalid_literal(&mut self, word: &str, last: bool) -> JsonReadError {
        // At the end of the file, `tru` is a cut `true`.
        let begun = ["true", "false", "null"];
        if last && begun.iter().any(|whole| whole.starts_with(word)) {
            return JsonReadError::Truncated(self.pos());
        }
        let shown = crate::kinds::read::quoted(word);
        let digits = word.trim_start_matches('-');
        match word {
            "" => {
                let found = self.text[self.at..].chars().next().unwrap_or_default();
                self.syntax_error(format!("found {found:?}; expected a value"))
            }
            "NaN" | "Infinity" | "-Infinity" => {
                self.syntax_error_with(format!("{shown} is not a number"), "write `null`")
            }
            // Leading zeros mean an id that was written as a number. JSON does not allow them, and
            // dropping them would name another customer.
            _ if digits.len() > 1 && digits.starts_with('0') => self.syntax_error_with(
                format!("the number {shown} has a leading zero"),
                "write it as text in quotes",
            ),
            _ => self.syntax_error(format!("{shown} is not a value")),
        }
    }
}

/// Returns whether JSON allows this spelling of a number.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let signless = |text: &str| digits(text.strip_prefix(['+', '-']).unwrap_or(text));
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(signless)
}
