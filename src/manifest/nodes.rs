//! The nodes of YAML documents, and the error that ends the reading of one.

use crate::diagnostic::{Code, codes};
use crate::model::LineColumn;
use granit_parser::{ScalarStyle, Tag};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

/// How many bytes one scalar may have. Longer ones are not data of a resource; the limit bounds
/// what a hostile file can put into one row.
const SCALAR: usize = 1 << 20;

/// The next event of the reader.
#[derive(Clone, Debug)]
pub(super) enum NodeEvent<'a> {
    Scalar(YamlScalar<'a>),
    /// A list begins; its items and [`NodeEvent::End`] follow.
    List,
    /// A mapping begins; keys and values in turn and [`NodeEvent::End`] follow.
    Map,
    /// The innermost list or mapping ends.
    End,
    /// The document ends.
    Eof,
}

/// A scalar as written.
#[derive(Clone, Debug)]
pub(super) struct YamlScalar<'a> {
    /// The text with quotes and escapes resolved.
    pub text: Cow<'a, str>,
    /// Whether it has no quotes, so that `~` and `null` mean null.
    pub plain: bool,
}

impl YamlScalar<'_> {
    /// Whether it has no value: null, empty or only white space.
    #[inline]
    pub fn is_blank(&self) -> bool {
        let text = self.text.as_ref();
        match text.as_bytes().first() {
            None => true,
            Some(b'~' | b'n' | b'N') if self.plain => {
                matches!(text, "~" | "null" | "Null" | "NULL")
            }
            Some(first) if first.is_ascii_graphic() => false,
            Some(_) => crate::kinds::read::is_blank(text),
        }
    }
}

/// Why the rest of a document cannot be read. Boxed, because the result of every node should be
/// small.
#[derive(Debug)]
pub(super) struct DocumentError(pub Box<DocumentErrorDetail>);

/// The contents of a [`DocumentError`].
#[derive(Debug)]
pub(super) struct DocumentErrorDetail {
    pub code: Code,
    pub message: String,
    pub help: Option<String>,
    pub at: LineColumn,
    /// The line from which on other diagnostics are only consequences.
    pub since: u32,
}

impl DocumentError {
    pub fn limit(message: impl Into<String>, help: &str, at: LineColumn) -> Self {
        Self(Box::new(DocumentErrorDetail {
            code: codes::YAML_LIMIT,
            message: message.into(),
            help: Some(help.to_owned()),
            at,
            since: u32::MAX,
        }))
    }
}

#[inline]
pub(super) fn scalar<'a>(
    text: Cow<'a, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
    at: LineColumn,
) -> Result<NodeEvent<'a>, DocumentError> {
    if text.len() > SCALAR {
        return Err(DocumentError::limit(
            "the text is longer than 1 MiB",
            "Shorten it. Put a long published text into the `file:` of a Terms",
            at,
        ));
    }
    let plain = style == ScalarStyle::Plain;
    let plain = match tag {
        None => plain,
        Some(tag) => plain && !is_text(tag, at)?,
    };
    Ok(NodeEvent::Scalar(YamlScalar { text, plain }))
}

/// A node that was recorded to be read later.
pub(super) struct RecordedNodes<'a> {
    pub nodes: Vec<(NodeEvent<'a>, LineColumn)>,
}

impl<'a> RecordedNodes<'a> {
    /// The scalar value of the key `name` in a recorded mapping that starts at its first key.
    pub fn value_of(&self, name: &str) -> Option<(&YamlScalar<'a>, LineColumn)> {
        let mut depth = 0;
        let mut is_key = true;
        let mut found = false;
        for (node, at) in &self.nodes {
            match node {
                NodeEvent::Scalar(scalar) if depth == 0 && is_key => found = scalar.text == name,
                NodeEvent::Scalar(scalar) if depth == 0 && found => return Some((scalar, *at)),
                NodeEvent::List | NodeEvent::Map => depth += 1,
                NodeEvent::End if depth == 0 => return None,
                NodeEvent::End => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                is_key = !is_key;
            }
        }
        None
    }
}

/// How many levels a node opens.
pub(super) fn opens(node: &NodeEvent<'_>) -> u32 {
    u32::from(matches!(node, NodeEvent::List | NodeEvent::Map))
}

/// Whether the tag makes the scalar a text; `!!int` and the like change nothing.
fn is_text(tag: &Tag, at: LineColumn) -> Result<bool, DocumentError> {
    if tag.original_parts() == ("!", "") || tag.is_yaml_core_schema_tag("str") {
        return Ok(true);
    }
    match tag.core_suffix() {
        Some("int" | "bool" | "float" | "null") => Ok(false),
        _ => Err(custom(tag, at)),
    }
}

/// Checks the tag of a list or mapping.
pub(super) fn check_collection_tag(
    tag: Option<&Tag>,
    own: &str,
    at: LineColumn,
) -> Result<(), DocumentError> {
    match tag {
        Some(tag) if tag.core_suffix() != Some(own) => Err(custom(tag, at)),
        _ => Ok(()),
    }
}

fn custom(tag: &Tag, at: LineColumn) -> DocumentError {
    DocumentError(Box::new(DocumentErrorDetail {
        code: codes::WRONG_TYPE,
        message: format!("the tag `{}` is not supported here", tag.original()),
        help: Some(format!(
            "Leave it out, or quote the value: `\"{}\"`",
            tag.original()
        )),
        at,
        since: u32::MAX,
    }))
}

/// The positions of anchored nodes, by the positions of the aliases that refer to them.
#[derive(Debug, Default)]
pub(super) struct AnchorPlaces(pub(super) RefCell<HashMap<LineColumn, LineColumn>>);

impl AnchorPlaces {
    /// The position of the node that the alias at `alias` refers to.
    pub fn anchor_of(&self, alias: LineColumn) -> Option<LineColumn> {
        self.0.borrow().get(&alias).copied()
    }
}

/// A key of a mapping and its position.
pub(super) type MappingKey<'a> = (Cow<'a, str>, LineColumn);
