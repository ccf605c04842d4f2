//! Reads one YAML document: a single resource under `kind:`, or collections such as `users:`. Nodes
//! come in from the [`NodeReader`]; resources go out to `found`, and what could not be read is
//! recorded so that nothing is removed because of it. Start at `ManifestParser::part`.

use super::entries::MappingEntries;
use super::events::NodeReader;
use super::nodes::{DocumentError, MappingKey, NodeEvent, YamlScalar};
use super::sink::DiagnosticSink;
use super::split::DocumentSpan;
use super::syntax;
use super::walk::Tree;
use crate::diagnostic::{Diagnostic, codes, did_you_mean};
use crate::kinds::read::quoted;
use crate::kinds::{self, Kind};
use crate::model::{
    CompactText, DeclaredResource, FieldRef, Key, KindId, LineColumn, NamelessResource,
    SalvagedReferences, StatedField,
};
use memchr::memmem;
use std::sync::Arc;

const API_VERSION: &str = "roster/v1";
const SHAPES: &str = "Write `kind: User` and its fields, or a collection: `users: [..]`";

/// A resource that was read.
#[derive(Debug)]
pub(super) struct ParsedResource {
    pub kind: KindId,
    pub declared: Arc<DeclaredResource>,
    pub place: ResourcePlace,
}

/// Where a resource is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum ResourcePlace {
    /// As a document, or as an item of a collection.
    Document,
    /// In place of a link to it, where it may be repeated.
    Link,
    /// In a nested list, which gives it some of its fields.
    Nested,
}

/// The state of reading one file.
pub(super) struct ManifestParser<'a, 'f> {
    /// The text of the current document.
    pub text: &'a str,
    pub reader: NodeReader<'a>,
    pub sink: &'f mut DiagnosticSink,
    pub tree: &'f Tree,
    /// The moment at which dates are judged.
    pub as_of: &'f str,
    /// Cells of the resources being read, the innermost last.
    pub cells: Vec<StatedField>,
    /// Their list items with dates, each with a position.
    pub dated_items: Vec<(CompactText, LineColumn)>,
    /// The resources read so far.
    pub found: Vec<ParsedResource>,
    /// What could be read of the current list when one of its items is faulty.
    pub partial_list: PartialList,
    /// What could be read of the faulty fields of the resources being read, the innermost last.
    pub salvaged_fields: Vec<(FieldRef, SalvagedReferences)>,
    /// The same for the resources that are complete.
    pub salvaged: Vec<((Key, FieldRef), SalvagedReferences)>,
    /// The resources that were read except for their external ids.
    pub nameless: Vec<NamelessResource>,
}

/// The readable items of a list with a faulty one.
#[derive(Default)]
pub(super) struct PartialList {
    pub members: Vec<CompactText>,
    /// Whether it is unknown what one of the items refers to.
    pub lost: bool,
}

impl<'a> ManifestParser<'a, '_> {
    /// Reads the document in a part of the file.
    pub fn part(&mut self, part: &DocumentSpan) -> Result<(), DocumentError> {
        if self.reader.begin(part)? {
            self.document()?;
            self.reader.finish(part)?;
        }
        Ok(())
    }

    fn document(&mut self) -> Result<(), DocumentError> {
        let (node, at) = self.reader.next()?;
        match node {
            NodeEvent::Map => self.read_top_level(),
            NodeEvent::Eof => Ok(()),
            NodeEvent::Scalar(scalar) if scalar.is_blank() => Ok(()),
            other => {
                self.reader.skip(&other)?;
                // Anything may have been meant here, so no kind may lose a resource in this pass.
                self.sink.mark_all_unread(at);
                let message = "a document must be a mapping";
                let help = spaced(&other).unwrap_or_else(|| SHAPES.to_owned());
                self.sink.fault(codes::WRONG_TYPE, at, message, &help);
                Ok(())
            }
        }
    }

    fn read_top_level(&mut self) -> Result<(), DocumentError> {
        let mut entries = MappingEntries::of_fields();
        while let Some((name, at)) = entries.next(&mut self.reader, self.sink)? {
            match &*name {
                "apiVersion" => self.api_version()?,
                "kind" => {
                    let kind = self.kind()?;
                    return self.single(kind, at, entries);
                }
                _ => return self.read_without_leading_kind((name, at), entries),
            }
        }
        Ok(())
    }

    /// Reads a document whose first key is neither `kind` nor `apiVersion`. `kind` may come later,
    /// and until then `accounts` may be a collection or a field.
    fn read_without_leading_kind(
        &mut self,
        first: MappingKey<'a>,
        mut entries: MappingEntries<'a>,
    ) -> Result<(), DocumentError> {
        // A search through the bytes spares most documents from being recorded and read twice.
        if !mentions_kind(self.text) {
            return self.collections(first, entries);
        }
        // A fault in a resource depends on its kind, so the whole mapping is recorded and replayed
        // once the kind is known.
        let (text, at) = first.clone();
        let key = NodeEvent::Scalar(YamlScalar { text, plain: false });
        let rest = self.reader.record_open((key, at))?;
        let kind = rest
            .value_of("kind")
            .map(|(scalar, at)| (scalar.clone(), at));
        self.reader.replay(&rest);
        if let Some((scalar, kind_at)) = kind {
            // The first key is replayed too, and would count as written twice.
            entries.forget_key(&mut self.reader, &first.0);
            let kind = self.kind_named(&scalar, kind_at);
            return self.single(kind, at, entries);
        }
        self.reader.next()?;
        self.collections(first, entries)
    }

    fn single(
        &mut self,
        kind: Option<&'static Kind>,
        at: LineColumn,
        mut entries: MappingEntries<'a>,
    ) -> Result<(), DocumentError> {
        match kind {
            Some(kind) => self.resource(kind, at, entries, true),
            None => self.pass_over(&mut entries),
        }
    }

    fn pass_over(&mut self, entries: &mut MappingEntries<'a>) -> Result<(), DocumentError> {
        while entries.next(&mut self.reader, self.sink)?.is_some() {
            self.reader.skip_next()?;
        }
        // The document cannot be assigned to a kind, but its syntax is still checked.
        Ok(())
    }

    fn kind(&mut self) -> Result<Option<&'static Kind>, DocumentError> {
        let (node, at) = self.reader.next()?;
        if let NodeEvent::Scalar(scalar) = node {
            return Ok(self.kind_named(&scalar, at));
        }
        self.reader.skip(&node)?;
        self.sink.mark_all_unread(at);
        let message = "`kind` must be the name of a kind";
        self.sink
            .fault(codes::WRONG_TYPE, at, message, &one_of_kinds(""));
        Ok(None)
    }

    fn kind_named(&mut self, scalar: &YamlScalar<'a>, at: LineColumn) -> Option<&'static Kind> {
        let kind = kinds::by_name(&scalar.text);
        if kind.is_none() {
            let message = format!("{} is not a kind", quoted(&scalar.text));
            let help = one_of_kinds(&scalar.text);
            self.sink.mark_all_unread(at);
            self.sink.fault(codes::UNKNOWN_KIND, at, message, &help);
        }
        kind
    }

    pub(super) fn api_version(&mut self) -> Result<(), DocumentError> {
        let (node, at) = self.reader.next()?;
        match &node {
            NodeEvent::Scalar(scalar) if scalar.is_blank() || scalar.text == API_VERSION => {}
            other => {
                let found = match other {
                    NodeEvent::Scalar(scalar) => quoted(&scalar.text),
                    _ => "a list or mapping".to_owned(),
                };
                self.reader.skip(other)?;
                let message = format!("the apiVersion is `{API_VERSION}`, not {found}");
                let help = "Write `apiVersion: roster/v1`, or leave it out";
                self.sink.fault(codes::WRONG_TYPE, at, message, help);
            }
        }
        Ok(())
    }

    fn collections(
        &mut self,
        first: MappingKey<'a>,
        mut entries: MappingEntries<'a>,
    ) -> Result<(), DocumentError> {
        let collections = kinds::ALL.map(|kind| kind.collection);
        // A wrong first key is more likely a resource without `kind` than an unknown collection:
        // one clear message instead of one per key.
        if !collections.contains(&&*first.0) && did_you_mean(&first.0, collections).is_none() {
            self.report_missing_kind(&first);
            self.reader.skip_next()?;
            return self.pass_over(&mut entries);
        }
        let mut next = Some(first);
        while let Some((name, at)) = next {
            match kinds::by_collection(&name) {
                Some(kind) => self.collection(kind)?,
                None if name == "apiVersion" => self.api_version()?,
                None => {
                    self.reader.skip_next()?;
                    self.no_collection(&name, at, &collections);
                }
            }
            next = entries.next(&mut self.reader, self.sink)?;
        }
        Ok(())
    }

    fn report_missing_kind(&mut self, (name, at): &MappingKey<'a>) {
        self.sink.mark_all_unread(*at);
        let message = format!("the document starts with `{name}` and does not name a kind");
        let help = match did_you_mean(name, ["kind"]) {
            Some(_) => "Did you mean `kind`?",
            None => SHAPES,
        };
        self.sink.fault(codes::UNKNOWN_KIND, *at, message, help);
    }

    fn no_collection(&mut self, name: &str, at: LineColumn, collections: &[&'static str]) {
        self.sink.mark_all_unread(at);
        let message = format!("`{name}` is not a collection");
        let found = Diagnostic::new(codes::UNKNOWN_FIELD, message);
        let help = match did_you_mean(name, collections.iter().copied()) {
            Some(meant) => format!("Did you mean `{meant}`?"),
            None => format!("The collections are {}", collections.join(", ")),
        };
        self.sink.report(at, found.help(help));
    }

    fn collection(&mut self, kind: &'static Kind) -> Result<(), DocumentError> {
        let (node, at) = self.reader.next()?;
        match node {
            NodeEvent::Scalar(scalar) if scalar.is_blank() => Ok(()),
            NodeEvent::List => self.items(kind),
            NodeEvent::Map if kind.singleton.is_some() => {
                self.resource(kind, at, MappingEntries::of_fields(), false)
            }
            other => {
                self.reader.skip(&other)?;
                // Only this kind is affected: other collections of the file are read as usual.
                self.sink.hide_kind(kind, at);
                let message = format!("`{}` must be a list", kind.collection);
                let help = format!("Write each {} as `- externalId: ..`", kind.name);
                self.sink.fault(codes::WRONG_TYPE, at, message, &help);
                Ok(())
            }
        }
    }

    fn items(&mut self, kind: &'static Kind) -> Result<(), DocumentError> {
        loop {
            let (node, at) = self.reader.next()?;
            match node {
                NodeEvent::End | NodeEvent::Eof => return Ok(()),
                NodeEvent::Map => self.resource(kind, at, MappingEntries::of_fields(), false)?,
                other => {
                    self.reader.skip(&other)?;
                    self.sink.hide_kind(kind, at);
                    let message = format!("an item of `{}` must be a mapping", kind.collection);
                    let help = match other {
                        NodeEvent::List => {
                            "Write one `-` for each item: `- externalId: ..`".to_owned()
                        }
                        other => spaced(&other).unwrap_or_else(|| {
                            "Write `- externalId: ..` and its fields".to_owned()
                        }),
                    };
                    self.sink.fault(codes::WRONG_TYPE, at, message, &help);
                }
            }
        }
    }
}

/// Help for text that was meant as a key and its value, like `kind:Tag`.
fn spaced(node: &NodeEvent<'_>) -> Option<String> {
    match node {
        NodeEvent::Scalar(scalar) => {
            let first = scalar.text.split(' ').next()?;
            syntax::value_without_space(first).map(syntax::spaced)
        }
        _ => None,
    }
}

/// Whether the text may contain a key `kind`; a word like `mankind` does not count.
fn mentions_kind(text: &str) -> bool {
    let bytes = text.as_bytes();
    memmem::find_iter(bytes, b"kind").any(|at| {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let after = bytes.get(at + 4).copied();
        !before.is_some_and(|byte| byte.is_ascii_alphanumeric())
            && matches!(
                after,
                Some(b':' | b'"' | b'\'' | b' ' | b'\t' | b'\n' | b'\r')
            )
    })
}

fn one_of_kinds(name: &str) -> String {
    let names = kinds::ALL.map(|kind| kind.name);
    match did_you_mean(name, names) {
        Some(meant) => format!("Did you mean `{meant}`?"),
        None => format!("The kinds are {}", names.join(", ")),
    }
}
