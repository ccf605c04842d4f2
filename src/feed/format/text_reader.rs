//! The bytes of an export as text, a piece at a time.

use super::encoding::{self, WINDOW};
use crate::model::{Digest, LineColumn};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};
use std::collections::VecDeque;
use std::io::{self, Read};

/// How many bytes are read at once.
const CHUNK: usize = 256 * 1024;

/// A byte that no text has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct InvalidByte {
    /// Where its replacement stands, in bytes of the whole decoded text.
    at: u64,
    /// Where it stands in the file.
    pub offset: u64,
    pub what: InvalidByteKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum InvalidByteKind {
    /// It does not fit the encoding.
    Undecodable,
    /// The file ends within a character.
    Truncated,
    /// A zero byte.
    Nul,
}

/// How the encoding was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum EncodingSource {
    Declared,
    ByteOrderMark,
    Guessed,
    /// It is declared as something else, and cannot be.
    Refuted,
}

/// A text that is decoded as it is read: what is there and not consumed is [`TextReader::rest`].
pub(super) struct TextReader<'i> {
    input: &'i mut dyn Read,
    hasher: blake3::Hasher,
    /// Read and not decoded.
    raw: Vec<u8>,
    /// Where in the file `raw` begins.
    decoded: u64,
    declared: Option<&'static Encoding>,
    decoder: Option<Decoder>,
    found: EncodingSource,
    text: String,
    start: usize,
    /// How many bytes of text there were before `text`.
    dropped: u64,
    flaws: VecDeque<InvalidByte>,
    input_ended: bool,
    ended: bool,
    failure: Option<io::Error>,
    /// Where the rest begins.
    pub pos: LineColumn,
}

impl<'i> TextReader<'i> {
    /// Opens an export and reads its first piece.
    pub fn open(input: &'i mut dyn Read, declared: Option<&'static Encoding>) -> Self {
        let mut source = Self {
            input,
            hasher: blake3::Hasher::new(),
            raw: Vec::with_capacity(CHUNK),
            decoded: 0,
            declared,
            decoder: None,
            found: EncodingSource::Declared,
            text: String::new(),
            start: 0,
            dropped: 0,
            flaws: VecDeque::new(),
            input_ended: false,
            ended: false,
            failure: None,
            pos: LineColumn { line: 1, column: 1 },
        };
        source.fill(CHUNK);
        source.detect_byte_order_mark();
        source.read_more();
        let marks = source.rest().chars().take_while(|c| *c == '\u{feff}');
        source.start += marks.map(char::len_utf8).sum::<usize>();
        source
    }

    /// What was decoded and is not consumed.
    pub fn rest(&self) -> &str {
        &self.text[self.start..]
    }

    /// Whether the rest is all there is.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Adds to the rest; false when there is no more.
    pub fn read_more(&mut self) -> bool {
        if self.ended {
            return false;
        }
        self.dropped += self.start as u64;
        self.text.drain(..self.start);
        self.start = 0;
        if self.raw.is_empty() {
            self.fill(CHUNK);
        }
        self.choose_encoding();
        self.decode();
        self.ended = self.input_ended && self.raw.is_empty();
        true
    }

    /// Consumes some of the rest that begins where the source stands and ends at `pos`.
    pub fn consume(&mut self, bytes: usize, pos: LineColumn) {
        self.start += bytes;
        self.pos = pos;
    }

    /// Whether a flaw is within the first `bytes` of the rest.
    pub fn is_flawed(&self, bytes: usize) -> bool {
        let end = self.dropped + (self.start + bytes) as u64;
        self.flaws.front().is_some_and(|flaw| flaw.at < end)
    }

    /// The next flaw within the first `bytes` of the rest, and where there.
    pub fn next_flaw(&mut self, bytes: usize) -> Option<(usize, InvalidByte)> {
        if !self.is_flawed(bytes) {
            return None;
        }
        let flaw = self.flaws.pop_front()?;
        let at = flaw.at.saturating_sub(self.dropped + self.start as u64);
        Some((usize::try_from(at).unwrap_or_default(), flaw))
    }

    /// The encoding, and how it was found.
    pub fn encoding(&self) -> (&'static Encoding, EncodingSource) {
        match &self.decoder {
            Some(decoder) => (decoder.encoding(), self.found),
            // Nothing but ASCII so far, which is all of these.
            None => (self.declared.unwrap_or(UTF_8), self.found),
        }
    }

    /// Why the input could not be read to its end.
    pub fn failure(&self) -> Option<&io::Error> {
        self.failure.as_ref()
    }

    /// The digest of the bytes that were read.
    pub fn digest(&self) -> Digest {
        Digest::from_hasher(&self.hasher)
    }

    /// Reads until so many bytes wait to be decoded.
    fn fill(&mut self, bytes: usize) {
        let before = self.raw.len();
        let wanted = bytes.saturating_sub(before) as u64;
        match Read::take(&mut *self.input, wanted).read_to_end(&mut self.raw) {
            Ok(read) => self.input_ended = (read as u64) < wanted,
            Err(error) => {
                self.failure = Some(error);
                self.input_ended = true;
            }
        }
        self.hasher.update(&self.raw[before..]);
    }

    fn detect_byte_order_mark(&mut self) {
        if let Some((encoding, length)) = Encoding::for_bom(&self.raw) {
            self.raw.drain(..length);
            self.decoded += length as u64;
            let declared = self.declared.replace(encoding);
            let said = declared.is_none_or(|declared| declared == encoding);
            self.found = if said {
                EncodingSource::Declared
            } else {
                EncodingSource::ByteOrderMark
            };
            self.decoder = Some(encoding.new_decoder_without_bom_handling());
        } else if let Some(encoding) = self.declared {
            if !encoding.is_single_byte() {
                self.decoder = Some(encoding.new_decoder_without_bom_handling());
            }
        } else if let Some(encoding) = encoding::utf16_without_mark(&self.raw) {
            self.found = EncodingSource::Guessed;
            self.decoder = Some(encoding.new_decoder_without_bom_handling());
        }
    }

    /// Decides on the encoding, once there is a byte that is not ASCII.
    fn choose_encoding(&mut self) {
        let Some(first) = self.raw.iter().position(|byte| !byte.is_ascii()) else {
            return;
        };
        if self.decoder.is_some() {
            return;
        }
        if !self.input_ended {
            self.fill(first + WINDOW);
        }
        let window = &self.raw[first..];
        let encoding = if let Some(declared) = self.declared {
            if encoding::is_surely_utf8(window, self.input_ended) {
                self.found = EncodingSource::Refuted;
            }
            declared
        } else {
            self.found = EncodingSource::Guessed;
            encoding::guess(&self.raw, self.input_ended)
        };
        self.decoder = Some(encoding.new_decoder_without_bom_handling());
    }

    /// Decodes what was read.
    fn decode(&mut self) {
        let (before, flaws) = (self.text.len(), self.flaws.len());
        let last = self.input_ended;
        match &mut self.decoder {
            // Nothing but ASCII yet.
            None => self
                .text
                .push_str(str::from_utf8(&self.raw).unwrap_or_default()),
            Some(decoder) => {
                let mut from = 0;
                while let Some(back) =
                    decode_until_misfit(decoder, &self.raw, &mut from, &mut self.text, last)
                {
                    let end = self.decoded + from as u64;
                    let cut = last && from == self.raw.len();
                    let what = if cut && !decoder.encoding().is_single_byte() {
                        InvalidByteKind::Truncated
                    } else {
                        InvalidByteKind::Undecodable
                    };
                    let offset = end.saturating_sub(back);
                    self.flaws.push_back(InvalidByte {
                        at: self.dropped + self.text.len() as u64,
                        offset,
                        what,
                    });
                    self.text.push('\u{fffd}');
                }
            }
        }
        self.record_nul_bytes(before, flaws);
        self.decoded += self.raw.len() as u64;
        self.raw.clear();
    }

    /// Records the zero bytes of what was decoded, the first of each run.
    fn record_nul_bytes(&mut self, from: usize, flaws: usize) {
        let new = &self.text.as_bytes()[from..];
        for at in memchr::memchr_iter(0, new) {
            if at == 0 || new[at - 1] != 0 {
                self.flaws.push_back(InvalidByte {
                    at: self.dropped + (from + at) as u64,
                    // Exact where a character is a byte, near enough elsewhere.
                    offset: self.decoded + at as u64,
                    what: InvalidByteKind::Nul,
                });
            }
        }
        self.flaws.make_contiguous()[flaws..].sort_by_key(|flaw| flaw.at);
    }
}

/// Decodes past the next bytes that do not fit, and says how many bytes ago they began.
fn decode_until_misfit(
    decoder: &mut Decoder,
    raw: &[u8],
    from: &mut usize,
    text: &mut String,
    last: bool,
) -> Option<u64> {
    loop {
        let left = raw.len() - *from;
        let room = decoder.max_utf8_buffer_length_without_replacement(left);
        text.reserve(room.unwrap_or(left));
        let (result, read) =
            decoder.decode_to_string_without_replacement(&raw[*from..], text, last);
        *from += read;
        match result {
            DecoderResult::InputEmpty => return None,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(bad, after) => {
                return Some(u64::from(bad) + u64::from(after));
            }
        }
    }
}

/// Where a text ends that begins at `from`.
pub(super) fn advance(from: LineColumn, text: &str) -> LineColumn {
    let mut pos = from;
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest.as_bytes()) {
        let pair = rest[at..].starts_with("\r\n");
        rest = &rest[at + 1 + usize::from(pair)..];
        pos = LineColumn {
            line: pos.line.saturating_add(1),
            column: 1,
        };
    }
    pos.column = pos.column.saturating_add(width(rest));
    pos
}

/// How many characters a text has.
pub(super) fn width(text: &str) -> u32 {
    // Every byte that does not continue a character begins one.
    let begins = |byte: &&u8| **byte & 0xc0 != 0x80;
    let count = text.as_bytes().iter().filter(begins).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
