//! The next lines of a file, looked up together as rows that may be known.

use crate::model::Digest;
use std::collections::VecDeque;

/// The next lines, which may be rows that were read before: the length of each with its end, and the
/// digest of its text.
#[derive(Default)]
pub(super) struct LinesAhead {
    pub lengths: VecDeque<usize>,
    pub digests: VecDeque<Digest>,
}

impl LinesAhead {
    pub fn push(&mut self, length: usize, digest: Digest) {
        self.lengths.push_back(length);
        self.digests.push_back(digest);
    }

    /// Takes some lines off the front; returns their length.
    pub fn take(&mut self, lines: usize) -> usize {
        self.digests.drain(..lines);
        self.lengths.drain(..lines).sum()
    }

    /// Takes off what a row has consumed that was read as usual. It may have several lines.
    pub fn consume(&mut self, mut bytes: usize) {
        while bytes > 0 && !self.lengths.is_empty() {
            bytes = bytes.saturating_sub(self.take(1));
        }
    }
}
