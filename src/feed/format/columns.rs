//! The columns of an export by name. Records refer to a column by its position here, so that a name
//! is looked up once and not for every cell.

use std::collections::HashMap;

/// The columns of an export, by name as written. They are also found in another case or with other
/// spaces.
#[derive(Clone, Default, Debug)]
pub struct ExportColumns {
    names: Vec<String>,
    exact: HashMap<String, usize>,
    folded: HashMap<String, usize>,
}

impl ExportColumns {
    /// Returns the column called exactly `name`, and adds it if there is none.
    pub fn intern(&mut self, name: &str) -> usize {
        if let Some(at) = self.exact.get(name) {
            return *at;
        }
        let at = self.names.len();
        self.names.push(name.to_owned());
        self.exact.insert(name.to_owned(), at);
        // `or_insert`: of two names that differ in case only, the first one keeps the loose match.
        // The exact one still finds the second.
        self.folded.entry(fold(name)).or_insert(at);
        at
    }

    /// The same, but tries the probable column first: JSON objects mostly repeat the order of the
    /// first one, which saves hashing each name.
    pub(super) fn intern_near(&mut self, name: &str, near: usize) -> usize {
        match self.names.get(near) {
            Some(known) if known == name => near,
            _ => self.intern(name),
        }
    }

    pub(super) fn exact(&self, name: &str) -> Option<usize> {
        self.exact.get(name).copied()
    }

    /// Finds the column called `name`, or else the first whose name differs only in case and
    /// spaces.
    pub fn find(&self, name: &str) -> Option<usize> {
        let exact = self.exact.get(name);
        exact.or_else(|| self.folded.get(&fold(name))).copied()
    }

    pub fn name(&self, at: usize) -> &str {
        self.names.get(at).map_or("", String::as_str)
    }

    /// The names of all columns, as written, in the order of first appearance.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// Removes case and all spaces from a name, including no-break ones.
pub(super) fn fold(name: &str) -> String {
    let kept = name
        .chars()
        // Neither a byte order mark nor a zero-width space is whitespace to Rust. A second mark in
        // front of the first header is what some exports have.
        .filter(|c| !c.is_whitespace() && *c != '\u{feff}' && *c != '\u{200b}');
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_whatever_its_case_and_spaces() {
        let mut columns = ExportColumns::default();
        let id = columns.intern("Account External Id");
        let other = columns.intern("account_name");
        for name in ["accountExternalId", "ACCOUNT\u{a0}EXTERNAL  ID "] {
            assert_eq!(columns.find(name), Some(id), "{name}");
        }
        assert_eq!(columns.find("accountName"), None);
        assert_eq!(columns.find("Account_Name"), Some(other));
        assert_eq!(columns.name(id), "Account External Id");
    }

    #[test]
    fn names_as_written_go_before_those_that_are_alike() {
        let mut columns = ExportColumns::default();
        let (upper, lower) = (columns.intern("ID"), columns.intern("id"));
        assert_ne!(upper, lower);
        assert_eq!(columns.find("id"), Some(lower));
        assert_eq!(columns.find("Id"), Some(upper));
        assert_eq!(columns.len(), 2);
    }
}
