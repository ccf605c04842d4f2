//! Drafts the status field of a guessed mapping. Every column that may show who is inactive is part
//! of it. A column whose meaning is unclear is written without `values:`, which makes the mapping
//! invalid until somebody adds them.

use super::field_names::{FieldTarget, fields_for_name};
use super::mapping::ColumnGuess;
use super::mapping_draft::quoted;
use super::status::{self, StatusPolarity};
use crate::feed::mapping::ExportLocale;
use crate::kinds::ADDRESS;

impl ColumnGuess<'_> {
    /// Returns whether a column may show who is inactive. In an address, `State` is a region.
    pub(super) fn is_status(&self, at: usize) -> bool {
        let name = self.look.columns.name(at);
        if status::polarity_of(self.look, at).is_none() || self.list == Some(at) || self.in_list(at)
        {
            return false;
        }
        let means_region = fields_for_name(name).contains(&(ADDRESS, "state"));
        !means_region || self.says_status(at) || !self.has_places()
    }

    /// Returns whether a column holds only yes and no, in any language.
    pub(super) fn is_yes_or_no(&self, at: usize) -> bool {
        let words = ExportLocale::default();
        let known = |text: &str| words.boolean(text).is_some();
        self.texts(at).next().is_some() && self.texts(at).all(known)
    }

    /// Returns whether there are columns of places, so that `State` is a region.
    fn has_places(&self) -> bool {
        let is_place =
            |(kind, field): &FieldTarget| *kind == ADDRESS && ["city", "zipCode"].contains(field);
        let place = |name: &str| fields_for_name(name).iter().any(is_place);
        self.look.columns.names().any(place)
    }

    /// Returns whether a column holds only known status words.
    fn says_status(&self, at: usize) -> bool {
        let known = |text: &str| status::parse_status_word(text).is_some();
        self.texts(at).next().is_some() && self.texts(at).all(known)
    }

    /// Writes the cell of a status whose meaning is clear. `None` if somebody has to decide.
    fn pinned_status(&self, at: usize, last: bool) -> Option<String> {
        let column = self.look.columns.name(at);
        let (name, words) = (quoted(column), ExportLocale::default());
        // `first:` takes the first column that is not blank. Only the last may say `active`; the
        // others say nothing then, so that a later `inactive` still counts.
        let active = if last { "active" } else { "null" };
        let polarity = status::polarity_of(self.look, at)?;
        if self.texts(at).all(|text| words.boolean(text).is_some()) {
            let (on, off) = match polarity {
                StatusPolarity::TrueIsActive => (active, "inactive"),
                StatusPolarity::TrueIsInactive => ("inactive", active),
                StatusPolarity::Unclear => return None,
            };
            return Some(format!(
                "{{column: {name}, values: {{true: {on}, false: {off}}}}}"
            ));
        }
        // A column named `blocked` with words other than yes and no may mean anything.
        if polarity == StatusPolarity::TrueIsInactive || !self.says_status(at) {
            return None;
        }
        let mut values: Vec<String> = Vec::new();
        for text in self.texts(at) {
            let stands = match status::parse_status_word(text) {
                Some(true) => active,
                _ => "inactive",
            };
            let value = format!("{}: {stands}", quoted(text.trim()));
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let values = values.join(", ");
        Some(format!(
            "{{column: {name}, values: {{{values}}}, otherwise: error}}"
        ))
    }

    /// Writes the status. Of several columns, one that says inactive wins.
    pub(super) fn status(&self, indent: &str) -> String {
        // The inactive flags come first, for the same reason.
        let rank = |at: &usize| match status::polarity_of(self.look, *at) {
            Some(StatusPolarity::TrueIsInactive) => 0,
            Some(StatusPolarity::Unclear) | None => 1,
            Some(StatusPolarity::TrueIsActive) => 2,
        };
        let mut columns = self.statuses.clone();
        columns.sort_by_key(rank);
        let count = columns.len();
        let cells = columns.iter().enumerate().map(|(nth, at)| {
            let (cell, note) = if let Some(cell) = self.pinned_status(*at, nth + 1 == count) {
                (cell, "check what TRUE means".to_owned())
            } else {
                let name = quoted(self.look.columns.name(*at));
                (format!("{{column: {name}}}"), self.question(*at))
            };
            format!("{cell}   # {note}\n")
        });
        let cells: Vec<String> = cells.collect();
        match &cells[..] {
            [] => String::new(),
            [cell] => format!("{indent}  status: {cell}"),
            cells => {
                let line = |cell: &String| format!("{indent}    - {cell}");
                let lines: String = cells.iter().map(line).collect();
                format!("{indent}  status:   # the first that is not blank\n{lines}")
            }
        }
    }

    /// Asks what the values of a column mean, and shows some of them.
    fn question(&self, at: usize) -> String {
        let mut seen: Vec<String> = Vec::new();
        for text in self.texts(at) {
            // Short, printable and few, because this goes into a YAML comment.
            let shown: String = text.chars().filter(|c| !c.is_control()).take(20).collect();
            if !seen.contains(&shown) && seen.len() < 5 {
                seen.push(shown);
            }
        }
        let seen = if seen.is_empty() {
            "nothing".to_owned()
        } else {
            seen.join(", ")
        };
        format!("set who is inactive: `values: {{..: inactive, ..: active}}`; it contains {seen}")
    }
}
