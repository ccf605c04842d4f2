//! One YAML document: one resource under `kind:`, or collections.

use super::entries::{Entries, Name};
use super::events::Reader;
use super::nodes::{Fatal, Node, Scalar};
use super::resource::Found;
use super::sink::Sink;
use super::split::Part;
use super::syntax;
use super::walk::Tree;
use crate::diagnostic::{Diagnostic, codes, did_you_mean};
use crate::kinds::read::quoted;
use crate::kinds::{self, Kind};
use crate::model::{FieldRef, Key, Nameless, Pos, Salvaged, Stated, Text};
use memchr::memmem;

const API_VERSION: &str = "roster/v1";
const SHAPES: &str = "write `kind: User` and its fields, or a collection as `users: [..]`";

/// The reading of one file.
pub(super) struct Parsing<'a, 'f> {
    /// The document that is being read.
    pub text: &'a str,
    pub reader: Reader<'a>,
    pub sink: &'f mut Sink,
    pub tree: &'f Tree,
    /// Cells of the resources that are being read, the innermost last.
    pub cells: Vec<Stated>,
    /// The resources that were read.
    pub found: Vec<Found>,
    /// What could be read of the list that is being read, when one of its items is faulty.
    pub loose: PartialList,
    /// What could be read of faulty fields of the resources that are being read, the innermost last.
    pub torn: Vec<(FieldRef, Salvaged)>,
    /// The same of the resources that were read.
    pub salvaged: Vec<((Key, FieldRef), Salvaged)>,
    /// The resources that were read but for their external ids.
    pub nameless: Vec<Nameless>,
}

/// The items of a list with a faulty one.
#[derive(Default)]
pub(super) struct PartialList {
    pub members: Vec<Text>,
    /// Whether it cannot be said what one of them names.
    pub lost: bool,
}

impl<'a> Parsing<'a, '_> {
    /// Reads the document of a part of the file.
    pub fn part(&mut self, part: &Part) -> Result<(), Fatal> {
        if self.reader.begin(part)? {
            self.document()?;
            self.reader.finish(part)?;
        }
        Ok(())
    }

    fn document(&mut self) -> Result<(), Fatal> {
        let (node, at) = self.reader.next()?;
        match node {
            Node::Map => self.top(),
            Node::Eof => Ok(()),
            Node::Scalar(scalar) if scalar.is_blank() => Ok(()),
            other => {
                self.reader.skip(&other)?;
                self.sink.hide_all(at);
                let message = "a document must be a mapping";
                let help = spaced(&other).unwrap_or_else(|| SHAPES.to_owned());
                self.sink.fault(codes::WRONG_TYPE, at, message, &help);
                Ok(())
            }
        }
    }

    fn top(&mut self) -> Result<(), Fatal> {
        let mut entries = Entries::of_fields();
        while let Some((name, at)) = entries.next(&mut self.reader, self.sink)? {
            match &*name {
                "apiVersion" => self.api_version()?,
                "kind" => {
                    let kind = self.kind()?;
                    return self.single(kind, at, entries);
                }
                _ => return self.headless((name, at), entries),
            }
        }
        Ok(())
    }

    /// A document whose first key is neither `kind` nor `apiVersion`: `kind` may still come, and
    /// until then `accounts` may be a collection or a field.
    fn headless(&mut self, first: Name<'a>, mut entries: Entries<'a>) -> Result<(), Fatal> {
        if !mentions_kind(self.text) {
            return self.collections(first, entries);
        }
        let (text, at) = first.clone();
        let key = Node::Scalar(Scalar { text, plain: false });
        let rest = self.reader.record_open((key, at))?;
        let kind = rest
            .value_of("kind")
            .map(|(scalar, at)| (scalar.clone(), at));
        self.reader.replay(&rest);
        if let Some((scalar, kind_at)) = kind {
            entries.unsee(&mut self.reader, &first.0);
            let kind = self.kind_named(&scalar, kind_at);
            return self.single(kind, at, entries);
        }
        self.reader.next()?;
        self.collections(first, entries)
    }

    fn single(
        &mut self,
        kind: Option<&'static Kind>,
        at: Pos,
        mut entries: Entries<'a>,
    ) -> Result<(), Fatal> {
        match kind {
            Some(kind) => self.resource(kind, at, entries, true),
            None => self.pass_over(&mut entries),
        }
    }

    fn pass_over(&mut self, entries: &mut Entries<'a>) -> Result<(), Fatal> {
        while entries.next(&mut self.reader, self.sink)?.is_some() {
            self.reader.skip_next()?;
        }
        Ok(())
    }

    fn kind(&mut self) -> Result<Option<&'static Kind>, Fatal> {
        let (node, at) = self.reader.next()?;
        if let Node::Scalar(scalar) = node {
            return Ok(self.kind_named(&scalar, at));
        }
        self.reader.skip(&node)?;
        self.sink.hide_all(at);
        let message = "`kind` must be the name of a kind";
        self.sink
            .fault(codes::WRONG_TYPE, at, message, &one_of_kinds(""));
        Ok(None)
    }

    fn kind_named(&mut self, scalar: &Scalar<'a>, at: Pos) -> Option<&'static Kind> {
        let kind = kinds::by_name(&scalar.text);
        if kind.is_none() {
            let message = format!("{} is not a kind", quoted(&scalar.text));
            let help = one_of_kinds(&scalar.text);
            self.sink.hide_all(at);
            self.sink.fault(codes::UNKNOWN_KIND, at, message, &help);
        }
        kind
    }

    pub(super) fn api_version(&mut self) -> Result<(), Fatal> {
        let (node, at) = self.reader.next()?;
        match &node {
            Node::Scalar(scalar) if scalar.is_blank() || scalar.text == API_VERSION => {}
            other => {
                let found = match other {
                    Node::Scalar(scalar) => quoted(&scalar.text),
                    _ => "a list or mapping".to_owned(),
                };
                self.reader.skip(other)?;
                let message = format!("the apiVersion is `{API_VERSION}`, not {found}");
                let help = "write `apiVersion: roster/v1` or leave it out";
                self.sink.fault(codes::WRONG_TYPE, at, message, help);
            }
        }
        Ok(())
    }

    fn collections(&mut self, first: Name<'a>, mut entries: Entries<'a>) -> Result<(), Fatal> {
        let collections = kinds::ALL.map(|kind| kind.collection);
        if !collections.contains(&&*first.0) && did_you_mean(&first.0, collections).is_none() {
            self.no_kind(&first);
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

    fn no_kind(&mut self, (name, at): &Name<'a>) {
        self.sink.hide_all(*at);
        let message = format!("the document starts with `{name}` and names no kind");
        let help = match did_you_mean(name, ["kind"]) {
            Some(_) => "did you mean `kind`?",
            None => SHAPES,
        };
        self.sink.fault(codes::UNKNOWN_KIND, *at, message, help);
    }

    fn no_collection(&mut self, name: &str, at: Pos, collections: &[&'static str]) {
        self.sink.hide_all(at);
        let message = format!("`{name}` is not a collection");
        let found = Diagnostic::new(codes::UNKNOWN_FIELD, message);
        let help = match did_you_mean(name, collections.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("collections are {}", collections.join(", ")),
        };
        self.sink.report(at, found.help(help));
    }

    fn collection(&mut self, kind: &'static Kind) -> Result<(), Fatal> {
        let (node, at) = self.reader.next()?;
        match node {
            Node::Scalar(scalar) if scalar.is_blank() => Ok(()),
            Node::List => self.items(kind),
            Node::Map if kind.singleton.is_some() => {
                self.resource(kind, at, Entries::of_fields(), false)
            }
            other => {
                self.reader.skip(&other)?;
                self.sink.hide_kind(kind, at);
                let message = format!("`{}` must be a list", kind.collection);
                let help = format!("write each {} as `- externalId: ..`", kind.name);
                self.sink.fault(codes::WRONG_TYPE, at, message, &help);
                Ok(())
            }
        }
    }

    fn items(&mut self, kind: &'static Kind) -> Result<(), Fatal> {
        loop {
            let (node, at) = self.reader.next()?;
            match node {
                Node::End | Node::Eof => return Ok(()),
                Node::Map => self.resource(kind, at, Entries::of_fields(), false)?,
                other => {
                    self.reader.skip(&other)?;
                    self.sink.hide_kind(kind, at);
                    let message = format!("an item of `{}` must be a mapping", kind.collection);
                    let help = match other {
                        Node::List => "write one `-` for each item: `- externalId: ..`".to_owned(),
                        other => spaced(&other).unwrap_or_else(|| {
                            "write `- externalId: ..` and its fields".to_owned()
                        }),
                    };
                    self.sink.fault(codes::WRONG_TYPE, at, message, &help);
                }
            }
        }
    }
}

/// The way out of a text that was meant as a key and its value: `kind:Tag`.
fn spaced(node: &Node<'_>) -> Option<String> {
    match node {
        Node::Scalar(scalar) => {
            let first = scalar.text.split(' ').next()?;
            syntax::glued(first).map(syntax::spaced)
        }
        _ => None,
    }
}

/// Whether the text may have a key `kind`; a word like `mankind` does not count.
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
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("kinds are {}", names.join(", ")),
    }
}
