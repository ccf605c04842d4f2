//! Canonical values: both sides of a comparison are made of these, and equality is `==`.

use super::CompactText;

/// One value in canonical form.
///
/// Dates, countries, e-mails, enums, durations and references are text in their canonical
/// spelling; which text is allowed is the table's business.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Value {
    /// Any scalar that is written as text.
    Text(CompactText),
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A decimal number in its shortest spelling, at most 15 significant digits. Boxed, since only
    /// one of the variants may be a whole [`CompactText`] if all of them are to take no more room.
    Number(Box<str>),
    /// Members without attributes: sorted and without repeats, unless the field keeps its order.
    List(Box<[CompactText]>),
    /// Members that carry attributes, sorted by target, one a target.
    Links(Box<[Link]>),
}

/// A member of a link list: which resource, and the attributes of the link itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Link {
    /// External id of the linked resource.
    pub target: CompactText,
    /// One choice an attribute, in the order of the table: an index into its allowed values
    /// (`false` is 0 and `true` is 1). `None`: not said, the stored one stays (feeds only).
    pub attributes: [Option<u8>; 2],
}

impl Value {
    /// A text value.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(CompactText::new(text))
    }

    /// A set of members: sorted, repeats dropped.
    pub fn set(members: impl IntoIterator<Item = CompactText>) -> Self {
        let mut members: Vec<CompactText> = members.into_iter().collect();
        members.sort_unstable();
        members.dedup();
        Self::List(members.into())
    }

    /// A list of links, sorted by target; of two with one target the first stays.
    pub fn links(links: impl IntoIterator<Item = Link>) -> Self {
        let mut links: Vec<Link> = links.into_iter().collect();
        links.sort_by(|a, b| a.target.cmp(&b.target));
        links.dedup_by(|later, first| later.target == first.target);
        Self::Links(links.into())
    }

    /// The text, if it is a text value.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The members of a list or the targets of links; nothing for other values.
    pub fn members(&self) -> impl Iterator<Item = &CompactText> {
        let (list, links): (&[CompactText], &[Link]) = match self {
            Self::List(list) => (list, &[]),
            Self::Links(links) => (&[], links),
            _ => (&[], &[]),
        };
        list.iter().chain(links.iter().map(|link| &link.target))
    }

    /// The links, if it is a link list.
    pub fn as_links(&self) -> &[Link] {
        match self {
            Self::Links(links) => links,
            _ => &[],
        }
    }

    /// Whether this is a list or link list without members.
    pub fn is_empty_list(&self) -> bool {
        match self {
            Self::List(list) => list.is_empty(),
            Self::Links(links) => links.is_empty(),
            _ => false,
        }
    }
}
