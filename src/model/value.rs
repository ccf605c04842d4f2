//! Values in canonical form. Sources and database both become these, and `==` compares them.

use super::CompactText;

/// One value in canonical form.
///
/// Dates, countries, e-mails, enums, durations and references are text in their canonical
/// spelling. The table of kinds says which text is allowed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Value {
    /// A scalar that is written as text.
    Text(CompactText),
    Bool(bool),
    Int(i64),
    /// A decimal number in its shortest spelling, at most 15 significant digits. Boxed, because a
    /// second variant with a [`CompactText`] would make every value 32 bytes instead of 24.
    Number(Box<str>),
    /// Members without attributes, sorted and without repeats unless the field keeps its order.
    List(Box<[CompactText]>),
    /// Members with attributes, sorted by target, at most one for each target.
    Links(Box<[Link]>),
}

/// A member of a link list, such as a user's account with the user's level in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Link {
    /// External id of the linked resource.
    pub target: CompactText,
    /// The attributes in the order of the table, each an index into its allowed values (`false` is
    /// 0 and `true` is 1). `None` keeps the stored one, and only exports have it.
    pub attributes: [Option<u8>; 2],
}

impl Value {
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(CompactText::new(text))
    }

    /// Returns a list, sorted and without repeats.
    pub fn set(members: impl IntoIterator<Item = CompactText>) -> Self {
        let mut members: Vec<CompactText> = members.into_iter().collect();
        members.sort_unstable();
        members.dedup();
        Self::List(members.into())
    }

    /// Returns a list of links, sorted by target. Of two links with one target, the first stays.
    pub fn links(links: impl IntoIterator<Item = Link>) -> Self {
        let mut links: Vec<Link> = links.into_iter().collect();
        // Stable, so that the first of two with one target is still the first.
        links.sort_by(|a, b| a.target.cmp(&b.target));
        links.dedup_by(|later, first| later.target == first.target);
        Self::Links(links.into())
    }

    /// The text of a text or a decimal number.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The members of a list or the targets of links. Other values have none.
    pub fn members(&self) -> impl Iterator<Item = &CompactText> {
        let (list, links): (&[CompactText], &[Link]) = match self {
            Self::List(list) => (list, &[]),
            Self::Links(links) => (&[], links),
            _ => (&[], &[]),
        };
        list.iter().chain(links.iter().map(|link| &link.target))
    }

    /// The links of a link list. Other values have none.
    pub fn as_links(&self) -> &[Link] {
        match self {
            Self::Links(links) => links,
            _ => &[],
        }
    }

    /// Whether this is a list or link list without members. Other values are not lists.
    pub fn is_empty_list(&self) -> bool {
        match self {
            Self::List(list) => list.is_empty(),
            Self::Links(links) => links.is_empty(),
            _ => false,
        }
    }
}
