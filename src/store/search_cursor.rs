//! Where the next page of a search starts, as a text for the client. Of a search without words it is
//! the last external id; with words it also says which part of the search is under way.

use crate::model::CompactText;

const BEGINNINGS: &str = "b";
const OTHERS: &str = "o";
const ALL: &str = "all";

/// A place in a search.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum SearchCursor {
    /// Among the resources that an index finds for a word, by its position in the search.
    Beginnings { word: usize, after: CompactText },
    /// Among the others.
    Others { word: usize, after: CompactText },
    /// Among all.
    All { after: CompactText },
}

impl SearchCursor {
    /// Reads a cursor of a search with some words. Anything else is an external id.
    pub(super) fn parse(text: &str, words: usize) -> Self {
        let after = |rest: &str| CompactText::new(rest);
        let all = Self::All { after: after(text) };
        let Some((part, rest)) = text.split_once(':').filter(|_| words > 0) else {
            return all;
        };
        if part == ALL {
            return Self::All { after: after(rest) };
        }
        let Some((number, is_first)) = part
            .strip_prefix(BEGINNINGS)
            .map(|number| (number, true))
            .or_else(|| Some((part.strip_prefix(OTHERS)?, false)))
        else {
            return all;
        };
        let after = after(rest);
        match number.parse() {
            Ok(word) if word < words && is_first => Self::Beginnings { word, after },
            Ok(word) if word < words => Self::Others { word, after },
            _ => all,
        }
    }

    /// The same part of the search after an id.
    pub(super) fn at(&self, after: CompactText) -> Self {
        match *self {
            Self::Beginnings { word, .. } => Self::Beginnings { word, after },
            Self::Others { word, .. } => Self::Others { word, after },
            Self::All { .. } => Self::All { after },
        }
    }

    /// The text for the client, of a search with some words.
    pub(super) fn text(&self, words: usize) -> String {
        match self {
            Self::Beginnings { word, after } => format!("{BEGINNINGS}{word}:{after}"),
            Self::Others { word, after } => format!("{OTHERS}{word}:{after}"),
            Self::All { after } if words > 0 => format!("{ALL}:{after}"),
            Self::All { after } => after.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_whatever_the_id_looks_like() {
        for id in ["u-1", "b0:u-1", "all:x", "o9:", ""] {
            let after = CompactText::new(id);
            for cursor in [
                SearchCursor::Beginnings {
                    word: 1,
                    after: after.clone(),
                },
                SearchCursor::Others {
                    word: 0,
                    after: after.clone(),
                },
                SearchCursor::All {
                    after: after.clone(),
                },
            ] {
                assert_eq!(SearchCursor::parse(&cursor.text(2), 2), cursor);
            }
            let all = SearchCursor::All { after };
            assert_eq!(SearchCursor::parse(&all.text(0), 0), all);
        }
    }

    #[test]
    fn an_id_of_a_client_and_a_cursor_of_another_search_start_after_an_id() {
        for text in ["u-1", "b2:u-1", "x:y", "b:u-1", "b-1:u"] {
            let after = CompactText::new(text);
            assert_eq!(SearchCursor::parse(text, 2), SearchCursor::All { after });
        }
    }
}
