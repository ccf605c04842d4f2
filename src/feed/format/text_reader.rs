//! Decodes an export while it is read. In go bytes; out comes text a piece at a time
//! (`TextReader::rest`), with the digest of all bytes and the places of undecodable ones. The
//! encoding is decided at the first byte that is not ASCII, because most of an export may be ASCII.
//! Start reading at `TextReader::read_more`.

use super::encoding::{self, WINDOW};
use crate::model::{Digest, LineColumn};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};
use std::collections::VecDeque;
use std::io::{self, Read};

const CHUNK: usize = 256 * 1024;

/// A byte that cannot be in a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct InvalidByte {
    /// The place of its replacement, in bytes of the whole decoded text.
    at: u64,
    /// The place in the file.
    pub offset: u64,
    pub what: InvalidByteKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum InvalidByteKind {
    /// It is not valid in the encoding.
    Undecodable,
    /// The file ends within a character.
    Truncated,
    Nul,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum EncodingSource {
    Declared,
    ByteOrderMark,
    Guessed,
    /// Another encoding is declared, but cannot be right.
    Refuted,
}

/// A text that is decoded while it is read.
pub(super) struct TextReader<'i> {
    input: &'i mut dyn Read,
    hasher: blake3::Hasher,
    /// Bytes that were read and not decoded yet.
    raw: Vec<u8>,
    /// The place of `raw` in the file.
    decoded: u64,
    declared: Option<&'static Encoding>,
    decoder: Option<Decoder>,
    found: EncodingSource,
    text: String,
    start: usize,
    /// The number of bytes of text dropped in front of `text`.
    dropped: u64,
    flaws: VecDeque<InvalidByte>,
    input_ended: bool,
    ended: bool,
    failure: Option<io::Error>,
    /// The place at which the rest begins.
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
        // Some files have a second mark, from a program that added one to a file that had one. It
        // would become part of the first column name.
        let marks = source.rest().chars().take_while(|c| *c == '\u{feff}');
        source.start += marks.map(char::len_utf8).sum::<usize>();
        source
    }

    /// The text that is decoded and not consumed.
    pub fn rest(&self) -> &str {
        &self.text[self.start..]
    }

    /// Returns whether no text follows the rest.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Extends the rest. Returns false at the end.
    pub fn read_more(&mut self) -> bool {
        if self.ended {
            return false;
        }
        // Text is dropped here and not when it is consumed: moving the remainder once per piece is
        // cheap, once per row is not.
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

    /// Consumes part of the rest, which ends at `pos`.
    pub fn consume(&mut self, bytes: usize, pos: LineColumn) {
        self.start += bytes;
        self.pos = pos;
    }

    /// Returns whether an undecodable byte is within the first `bytes` of the rest.
    pub fn is_flawed(&self, bytes: usize) -> bool {
        let end = self.dropped + (self.start + bytes) as u64;
        self.flaws.front().is_some_and(|flaw| flaw.at < end)
    }

    /// Takes the next undecodable byte within the first `bytes` of the rest, with its place there.
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
            // All supported encodings agree on ASCII.
            None => (self.declared.unwrap_or(UTF_8), self.found),
        }
    }

    /// Why the input could not be read to its end.
    pub fn failure(&self) -> Option<&io::Error> {
        self.failure.as_ref()
    }

    pub fn digest(&self) -> Digest {
        Digest::from_hasher(&self.hasher)
    }

    /// Reads until `bytes` bytes wait to be decoded.
    fn fill(&mut self, bytes: usize) {
        let before = self.raw.len();
        let wanted = bytes.saturating_sub(before) as u64;
        match Read::take(&mut *self.input, wanted).read_to_end(&mut self.raw) {
            Ok(read) => self.input_ended = (read as u64) < wanted,
            // A failure ends the text like an end of file; `failure` tells the two apart.
            Err(error) => {
                self.failure = Some(error);
                self.input_ended = true;
            }
        }
        // The digest covers the raw bytes, so that a change of the decoder does not make every
        // export look new.
        self.hasher.update(&self.raw[before..]);
    }

    fn detect_byte_order_mark(&mut self) {
        if let Some((encoding, length)) = Encoding::for_bom(&self.raw) {
            self.raw.drain(..length);
            self.decoded += length as u64;
            // A mark is believed more than the configuration, because the program that wrote the
            // bytes set it.
            let declared = self.declared.replace(encoding);
            let said = declared.is_none_or(|declared| declared == encoding);
            self.found = if said {
                EncodingSource::Declared
            } else {
                EncodingSource::ByteOrderMark
            };
            self.decoder = Some(encoding.new_decoder_without_bom_handling());
        } else if let Some(encoding) = self.declared {
            // Multi-byte encodings such as UTF-16 have zero bytes in ASCII text and need their
            // decoder from the first byte. A single-byte one is checked against UTF-8 first.
            if !encoding.is_single_byte() {
                self.decoder = Some(encoding.new_decoder_without_bom_handling());
            }
        } else if let Some(encoding) = encoding::utf16_without_mark(&self.raw) {
            self.found = EncodingSource::Guessed;
            self.decoder = Some(encoding.new_decoder_without_bom_handling());
        }
    }

    /// Chooses the encoding once there is a byte that is not ASCII.
    fn choose_encoding(&mut self) {
        let Some(first) = self.raw.iter().position(|byte| !byte.is_ascii()) else {
            return;
        };
        if self.decoder.is_some() {
            return;
        }
        // Decide on a whole window, since one accented letter alone fits many encodings.
        if !self.input_ended {
            self.fill(first + WINDOW);
        }
        let window = &self.raw[first..];
        let encoding = if let Some(declared) = self.declared {
            // A file declared as Windows-1252 that is UTF-8 would turn each accented letter into
            // two characters, in every name.
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

    fn decode(&mut self) {
        let (before, flaws) = (self.text.len(), self.flaws.len());
        let last = self.input_ended;
        match &mut self.decoder {
            // Only ASCII so far.
            None => self
                .text
                .push_str(str::from_utf8(&self.raw).unwrap_or_default()),
            Some(decoder) => {
                let mut from = 0;
                while let Some(back) =
                    decode_until_misfit(decoder, &self.raw, &mut from, &mut self.text, last)
                {
                    let end = self.decoded + from as u64;
                    // A character that is incomplete at the very end was cut off; the same bytes
                    // elsewhere are damage.
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

    /// Records the zero bytes in what was decoded, one per run.
    fn record_nul_bytes(&mut self, from: usize, flaws: usize) {
        let new = &self.text.as_bytes()[from..];
        for at in memchr::memchr_iter(0, new) {
            if at == 0 || new[at - 1] != 0 {
                self.flaws.push_back(InvalidByte {
                    at: self.dropped + (from + at) as u64,
                    // Exact in single-byte encodings, and close enough in others.
                    offset: self.decoded + at as u64,
                    what: InvalidByteKind::Nul,
                });
            }
        }
        // Parsers take the places in order, and the zero bytes were found after the others.
        self.flaws.make_contiguous()[flaws..].sort_by_key(|flaw| flaw.at);
    }
}

/// Decodes up to and including the next invalid bytes, and returns how many bytes ago they began.
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
        // A growing buffer would return `OutputFull` again and again.
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

/// Returns where a text ends that begins at `from`.
pub(super) fn advance(from: LineColumn, text: &str) -> LineColumn {
    let mut pos = from;
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest.as_bytes()) {
        // CR, LF and CRLF each end one line, as in editors.
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

/// The number of characters in a text.
pub(super) fn width(text: &str) -> u32 {
    // Every byte that does not continue a character begins one. Counting them is faster than
    // decoding.
    let begins = |byte: &&u8| **byte & 0xc0 != 0x80;
    let count = text.as_bytes().iter().filter(begins).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
