//! What the documents of a file are made of, and why one cannot be read on.

use crate::diagnostic::{Code, codes};
use crate::model::Pos;
use granit_parser::{ScalarStyle, Tag};
use std::borrow::Cow;

/// How many bytes one scalar may have.
const SCALAR: usize = 1 << 20;

/// What the reader meets next.
#[derive(Clone, Debug)]
pub(super) enum Node<'a> {
    /// A scalar.
    Scalar(Scalar<'a>),
    /// A list begins; its items and [`Node::End`] follow.
    List,
    /// A mapping begins; keys and values in turn and [`Node::End`] follow.
    Map,
    /// The innermost list or mapping ends.
    End,
    /// The document ends.
    Eof,
}

/// A scalar as written.
#[derive(Clone, Debug)]
pub(super) struct Scalar<'a> {
    /// The text after quotes and escapes are resolved.
    pub text: Cow<'a, str>,
    /// Whether it stands without quotes, so that `~` and `null` are null.
    pub plain: bool,
}

impl Scalar<'_> {
    /// Whether it says nothing: null, empty or only white space.
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

/// Why a document cannot be read on; boxed, because what is returned for every node should be small.
#[derive(Debug)]
pub(super) struct Fatal(pub Box<Problem>);

/// What a [`Fatal`] says.
#[derive(Debug)]
pub(super) struct Problem {
    pub code: Code,
    pub message: String,
    pub help: Option<String>,
    pub at: Pos,
    /// The line from which on whatever else was found comes of it.
    pub since: u32,
}

impl Fatal {
    pub fn limit(message: impl Into<String>, help: &str, at: Pos) -> Self {
        Self(Box::new(Problem {
            code: codes::YAML_LIMIT,
            message: message.into(),
            help: Some(help.to_owned()),
            at,
            since: u32::MAX,
        }))
    }
}

/// The node of a scalar event.
#[inline]
pub(super) fn scalar<'a>(
    text: Cow<'a, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
    at: Pos,
) -> Result<Node<'a>, Fatal> {
    if text.len() > SCALAR {
        return Err(Fatal::limit(
            "a text of more than 1 MiB",
            "shorten it; what is long and published belongs in the `file:` of a Terms",
            at,
        ));
    }
    let plain = style == ScalarStyle::Plain;
    let plain = match tag {
        None => plain,
        Some(tag) => plain && !is_text(tag, at)?,
    };
    Ok(Node::Scalar(Scalar { text, plain }))
}

/// A node that was taken whole, to be read later.
pub(super) struct Recorded<'a> {
    pub nodes: Vec<(Node<'a>, Pos)>,
}

impl<'a> Recorded<'a> {
    /// The scalar that the key `name` of a recorded mapping, begun at its first key, has.
    pub fn value_of(&self, name: &str) -> Option<(&Scalar<'a>, Pos)> {
        let mut depth = 0;
        let mut is_key = true;
        let mut found = false;
        for (node, at) in &self.nodes {
            match node {
                Node::Scalar(scalar) if depth == 0 && is_key => found = scalar.text == name,
                Node::Scalar(scalar) if depth == 0 && found => return Some((scalar, *at)),
                Node::List | Node::Map => depth += 1,
                Node::End if depth == 0 => return None,
                Node::End => depth -= 1,
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
pub(super) fn opens(node: &Node<'_>) -> u32 {
    u32::from(matches!(node, Node::List | Node::Map))
}

/// Whether the tag makes the scalar a text; `!!int` and the like leave it as it reads.
fn is_text(tag: &Tag, at: Pos) -> Result<bool, Fatal> {
    if tag.original_parts() == ("!", "") || tag.is_yaml_core_schema_tag("str") {
        return Ok(true);
    }
    match tag.core_suffix() {
        Some("int" | "bool" | "float" | "null") => Ok(false),
        _ => Err(custom(tag, at)),
    }
}

/// Checks the tag of a list or mapping.
pub(super) fn collection(tag: Option<&Tag>, own: &str, at: Pos) -> Result<(), Fatal> {
    match tag {
        Some(tag) if tag.core_suffix() != Some(own) => Err(custom(tag, at)),
        _ => Ok(()),
    }
}

fn custom(tag: &Tag, at: Pos) -> Fatal {
    Fatal(Box::new(Problem {
        code: codes::WRONG_TYPE,
        message: format!("the tag `{}` means nothing here", tag.original()),
        help: Some(format!(
            "Leave it out, or quote the value: `\"{}\"`",
            tag.original()
        )),
        at,
        since: u32::MAX,
    }))
}
