//! Walks the entries of one mapping: reports repeated keys, skips `x-` keys and adds the entries of
//! merge keys (`<<`) behind the mapping's own. Start at `MappingEntries::next`.

use super::events::NodeReader;
use super::nodes::{DocumentError, MappingKey, NodeEvent, RecordedNodes, YamlScalar};
use super::sink::DiagnosticSink;
use crate::diagnostic::{Diagnostic, codes};
use crate::model::LineColumn;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

/// From this many keys on they are found by hash. A hostile file with a huge mapping would
/// otherwise cost quadratic time.
const FEW: usize = 32;

/// Walks the entries of a mapping whose start has been read. The keys seen so far are on the
/// reader's stack, above those of the surrounding mappings, so that a mapping needs no allocation
/// of its own.
#[derive(Default)]
pub(super) struct MappingEntries<'a> {
    /// Where its keys begin on the stack; known after the first call.
    keys_start: Option<usize>,
    keys_by_hash: HashMap<Cow<'a, str>, LineColumn>,
    merges: VecDeque<RecordedNodes<'a>>,
    merged: bool,
    /// The position of `<<` in the current mapping.
    merge_at: Option<LineColumn>,
    ids: bool,
}

impl<'a> MappingEntries<'a> {
    /// For a mapping whose keys are fields.
    pub fn of_fields() -> Self {
        Self::default()
    }

    /// For a mapping whose keys are ids, where `x-` has no meaning.
    pub fn of_ids() -> Self {
        Self {
            ids: true,
            ..Self::default()
        }
    }

    /// Returns the next key, whose value must be read before the next call; `None` at the end of
    /// the mapping.
    pub fn next(
        &mut self,
        reader: &mut NodeReader<'a>,
        sink: &mut DiagnosticSink,
    ) -> Result<Option<MappingKey<'a>>, DocumentError> {
        let from = *self.keys_start.get_or_insert(reader.keys.len());
        loop {
            let (node, at) = reader.next()?;
            // Here, because every file with endless errors comes past this place.
            if sink.has_too_many() {
                return Err(DocumentError::limit(
                    "too many errors; the rest of the file was not read",
                    "",
                    at,
                ));
            }
            match node {
                NodeEvent::End | NodeEvent::Eof => {
                    // Merged mappings come last: a key of the mapping itself has been seen by then
                    // and wins.
                    let Some(merge) = self.merges.pop_front() else {
                        reader.keys.truncate(from);
                        return Ok(None);
                    };
                    self.merged = true;
                    self.merge_at = None;
                    reader.replay(&merge);
                    reader.next()?;
                }
                NodeEvent::Scalar(key) => {
                    if let Some(name) = self.key(key, at, reader, sink)? {
                        return Ok(Some(name));
                    }
                }
                complex => {
                    reader.skip(&complex)?;
                    sink.fault(codes::WRONG_TYPE, at, "a key must be text", "");
                    reader.skip_next()?;
                }
            }
        }
    }

    /// Returns the key, unless the entry does not count; its value is skipped then.
    fn key(
        &mut self,
        key: YamlScalar<'a>,
        at: LineColumn,
        reader: &mut NodeReader<'a>,
        sink: &mut DiagnosticSink,
    ) -> Result<Option<MappingKey<'a>>, DocumentError> {
        if key.plain && key.text == "<<" {
            let Some(first) = self.merge_at.replace(at) else {
                self.merge(reader, sink)?;
                return Ok(None);
            };
            let found = Diagnostic::new(codes::DUPLICATE_KEY, "`<<` appears twice in one mapping");
            let first = sink.origin(first);
            let help = "Write one list: `<<: [*a, *b]`";
            sink.report(at, found.help(help).related([first]));
            reader.skip_next()?;
            return Ok(None);
        }
        if let Some(first) = self.find(reader, &key.text) {
            // A merged key that exists already is overridden, which is what merge keys are for;
            // only a repeat in the same mapping is an error.
            if !self.merged {
                let message = format!("`{}` appears twice in one mapping", key.text);
                let first = sink.origin(first);
                let found = Diagnostic::new(codes::DUPLICATE_KEY, message);
                sink.report(at, found.help("Keep one of them").related([first]));
            }
            reader.skip_next()?;
            return Ok(None);
        }
        self.remember_key(reader, key.text.clone(), at);
        if !self.ids && key.text.starts_with("x-") {
            reader.skip_next()?;
            return Ok(None);
        }
        Ok(Some((key.text, at)))
    }

    /// Forgets a key that will be replayed.
    pub fn forget_key(&mut self, reader: &mut NodeReader<'a>, key: &str) {
        self.keys_by_hash.remove(key);
        let from = self.keys_start.unwrap_or_default();
        if let Some(at) = self
            .seen_keys(reader)
            .iter()
            .position(|(name, _)| name == key)
        {
            reader.keys.swap_remove(from + at);
        }
    }

    fn seen_keys<'r>(&self, reader: &'r NodeReader<'a>) -> &'r [MappingKey<'a>] {
        &reader.keys[self.keys_start.unwrap_or_default()..]
    }

    fn find(&self, reader: &NodeReader<'a>, key: &str) -> Option<LineColumn> {
        if !self.keys_by_hash.is_empty() {
            return self.keys_by_hash.get(key).copied();
        }
        let found = self.seen_keys(reader).iter().find(|(name, _)| name == key);
        found.map(|(_, at)| *at)
    }

    fn remember_key(&mut self, reader: &mut NodeReader<'a>, key: Cow<'a, str>, at: LineColumn) {
        if !self.keys_by_hash.is_empty() {
            self.keys_by_hash.insert(key, at);
            return;
        }
        reader.keys.push((key, at));
        if self.seen_keys(reader).len() > FEW {
            self.keys_by_hash = self.seen_keys(reader).iter().cloned().collect();
        }
    }

    /// Reads the value of `<<`: a mapping, or a list of mappings.
    fn merge(
        &mut self,
        reader: &mut NodeReader<'a>,
        sink: &mut DiagnosticSink,
    ) -> Result<(), DocumentError> {
        let (node, at) = reader.next()?;
        match node {
            // Recorded and replayed later, because the own keys that follow win.
            NodeEvent::Map => self.merges.push_back(reader.record((NodeEvent::Map, at))?),
            NodeEvent::List => loop {
                match reader.next()? {
                    (NodeEvent::Map, at) => {
                        self.merges.push_back(reader.record((NodeEvent::Map, at))?);
                    }
                    (NodeEvent::End | NodeEvent::Eof, _) => break,
                    (other, at) => {
                        reader.skip(&other)?;
                        no_mapping(sink, at);
                    }
                }
            },
            _ => no_mapping(sink, at),
        }
        Ok(())
    }
}

fn no_mapping(sink: &mut DiagnosticSink, at: LineColumn) {
    sink.fault(
        codes::WRONG_TYPE,
        at,
        "`<<` must be a mapping or a list of mappings",
        "Write `<<: *anchor`",
    );
}
