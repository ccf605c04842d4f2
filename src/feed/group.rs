//! Merges what several rows say of one resource. In ERP exports a customer often has a row per
//! address or per tag, so rows add to each other; where two rows contradict each other, Roster
//! reports both and chooses neither, because the order of rows means nothing. Start reading at
//! `RowGroup::take`.

use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::kinds::{self, Field, read::quoted};
use crate::model::{
    Cell, CompactText, DeclaredResource, FieldRef, Key, LineColumn, Link, ListAmendment,
    StatedField, Value,
};
use std::sync::Arc;

/// What the rows so far say of one resource.
#[derive(Debug)]
pub(super) struct RowGroup {
    /// The place of the first row.
    pub at: LineColumn,
    /// The cells, sorted by field.
    cells: Vec<StatedField>,
    /// The number of rows.
    rows: u32,
    /// Custom fields that are not blank in every row, and so are not cleared.
    uncleared: Vec<FieldRef>,
}

impl RowGroup {
    pub(super) fn new(at: LineColumn) -> Self {
        Self {
            at,
            cells: Vec::new(),
            rows: 0,
            uncleared: Vec::new(),
        }
    }

    /// Adds what one more row says, sorted by field. Returns the pairs of cells that contradict
    /// each other.
    pub(super) fn take(&mut self, said: Vec<StatedField>) -> Vec<(StatedField, StatedField)> {
        self.rows += 1;
        if self.rows == 1 {
            self.cells = said;
            return Vec::new();
        }
        // A custom field is cleared only when it is blank in every row.
        let silent = self.cells.iter().filter(|old| {
            old.cell == Cell::Blank && !said.iter().any(|new| new.field == old.field)
        });
        let silent: Vec<FieldRef> = silent.map(|old| old.field.clone()).collect();
        self.uncleared.extend(silent);
        let mut against = Vec::new();
        // Fields that only an earlier row has are handled above; those that only this one has, in
        // the `Err` arm.
        for new in said {
            match self.cells.binary_search_by(|old| old.field.cmp(&new.field)) {
                Err(place) => {
                    if new.cell == Cell::Blank {
                        self.uncleared.push(new.field.clone());
                    }
                    self.cells.insert(place, new);
                }
                Ok(place) => {
                    let old = &mut self.cells[place];
                    if let Some(merged) = merge_cells(&old.cell, &new.cell) {
                        // The position follows the value: a diagnostic about it must point at the
                        // row that gave it, not at the one that was blank.
                        if old.cell != merged {
                            old.position = new.position;
                        }
                        old.cell = merged;
                    } else {
                        // The first value stays, so that further rows are compared with one and the
                        // same value. The diagnostic holds the resource back anyway.
                        against.push((old.clone(), new));
                    }
                }
            }
        }
        against
    }

    /// Finishes a list of which every row gave a part: as a whole, or as incomplete.
    pub(super) fn conclude_list(&mut self, field: &FieldRef, is_whole: bool) {
        let of_field = self.cells.iter_mut().filter(|cell| cell.field == *field);
        for stated in of_field {
            if let Cell::Amend(amend) = &mut stated.cell {
                amend.partial = !is_whole;
                // Only a whole list may replace the stored one and so remove members.
                if is_whole {
                    stated.cell = Cell::Value(amend.add.clone());
                }
            }
        }
    }

    /// Returns the resource that the rows describe.
    pub(super) fn finish(mut self, key: Key, path: &Arc<str>) -> DeclaredResource {
        let open = &self.uncleared;
        self.cells
            .retain(|stated| stated.cell != Cell::Blank || !open.contains(&stated.field));
        DeclaredResource {
            key,
            path: path.clone(),
            position: self.at,
            cells: self.cells,
        }
    }
}

/// Returns what two rows say together, or `None` if they contradict each other.
fn merge_cells(old: &Cell, new: &Cell) -> Option<Cell> {
    match (old, new) {
        (old, new) if old == new => Some(old.clone()),
        // A blank says nothing about a standard field: many exports fill only the first row of a
        // customer.
        (Cell::Blank, other) | (other, Cell::Blank) => Some(other.clone()),
        (Cell::Amend(old), Cell::Amend(new)) => {
            merge_amends(old, new).map(Box::new).map(Cell::Amend)
        }
        _ => None,
    }
}

fn merge_amends(old: &ListAmendment, new: &ListAmendment) -> Option<ListAmendment> {
    let mut remove = [&old.remove[..], &new.remove].concat();
    remove.sort_unstable();
    remove.dedup();
    let add = match (&old.add, &new.add) {
        (Value::Links(old), Value::Links(new)) => {
            let mut links: Vec<Link> = old.to_vec();
            for link in new {
                match links.iter_mut().find(|known| known.target == link.target) {
                    None => links.push(link.clone()),
                    Some(known) => {
                        for (said, more) in known.attributes.iter_mut().zip(link.attributes) {
                            // An attribute that one row leaves open is filled in by the other; two
                            // different ones are a contradiction (`admin` in one row and `user` in
                            // the next).
                            if said.is_some() && more.is_some() && *said != more {
                                return None;
                            }
                            *said = said.or(more);
                        }
                    }
                }
            }
            Value::links(links)
        }
        (old, new) => Value::set(old.members().chain(new.members()).cloned()),
    };
    // One row adds the member and another one removes it.
    let both = add.members().any(|member| remove.contains(member));
    (!both).then_some(ListAmendment {
        add,
        remove,
        partial: old.partial || new.partial,
    })
}

/// Builds the diagnostic for two rows that contradict each other.
pub(super) fn conflict(
    key: &Key,
    owner: Option<&Key>,
    path: &Arc<str>,
    (old, new): &(StatedField, StatedField),
) -> Diagnostic {
    let kind = kinds::get(key.kind);
    let name = kind.field_name(&old.field);
    let code = match owner {
        // The same address in the rows of two accounts.
        Some(_) => codes::ADDRESS_CONFLICT,
        None => codes::ROW_CONFLICT,
    };
    let field = kind.field(&old.field);
    let (what, one, other) = field
        .and_then(|field| disagreement(field, &old.cell, &new.cell))
        .unwrap_or_else(|| {
            (
                String::new(),
                display_cell(&old.cell),
                display_cell(&new.cell),
            )
        });
    let message = format!(
        "{key}: {what}`{name}` is {one} in line {} but {other} in line {}",
        old.position.line, new.position.line
    );
    let place = |at| Origin {
        path: path.clone(),
        at,
    };
    Diagnostic::new(code, message)
        .help("the rows of one resource must have the same value or a blank cell; Roster does not choose between them")
        .for_resource(key)
        .field(name)
        .at(place(new.position))
        .related([place(old.position)])
}

/// Names the list member about which two rows disagree, and what each says.
fn disagreement(field: &Field, old: &Cell, new: &Cell) -> Option<(String, String, String)> {
    let (Cell::Amend(old), Cell::Amend(new)) = (old, new) else {
        return None;
    };
    // Compared member by member, because printing two whole lists would leave it to the reader to
    // find the one that differs.
    let quoted = |text: &str| format!("`{text}`");
    for link in old.add.as_links() {
        let other = new.add.as_links().iter();
        let Some(other) = other.into_iter().find(|other| other.target == link.target) else {
            continue;
        };
        let both = link.attributes.iter().zip(other.attributes);
        for (attribute, (one, other)) in field.ty.attributes().iter().zip(both) {
            if let (Some(one), Some(other)) = (*one, other)
                && one != other
            {
                let word = |choice: u8| quoted(attribute.choices[usize::from(choice)]);
                let what = format!("the {} of `{}` in ", attribute.name, link.target);
                return Some((what, word(one), word(other)));
            }
        }
    }
    let takes = |one: &ListAmendment, other: &ListAmendment| {
        let mut members = one.add.members();
        members
            .find(|member| other.remove.contains(member))
            .cloned()
    };
    let (added, removed) = ("listed".to_owned(), "taken away".to_owned());
    if let Some(member) = takes(old, new) {
        return Some((format!("`{member}` of "), added, removed));
    }
    let member = takes(new, old)?;
    Some((format!("`{member}` of "), removed, added))
}

fn display_cell(cell: &Cell) -> String {
    match cell.value() {
        Some(value) => match value.as_text() {
            Some(text) => quoted(text),
            None => match value {
                Value::Bool(value) => format!("`{value}`"),
                value => {
                    let members: Vec<&CompactText> = value.members().collect();
                    format!("{members:?}")
                }
            },
        },
        None => "blank".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: u32, field: u8, cell: Cell) -> StatedField {
        StatedField {
            field: FieldRef::Own(field),
            cell,
            position: LineColumn { line, column: 1 },
        }
    }

    fn text(text: &str) -> Cell {
        Cell::Value(Value::text(text))
    }

    fn custom(line: u32, cell: Cell) -> StatedField {
        StatedField {
            field: FieldRef::Custom("badge".into()),
            ..said(line, 0, cell)
        }
    }

    fn cells(rows: &[&[StatedField]]) -> (Vec<StatedField>, usize) {
        let mut group = RowGroup::new(LineColumn { line: 2, column: 1 });
        let against = rows.iter().map(|row| group.take(row.to_vec()).len()).sum();
        let key = Key::new(kinds::ACCOUNT, "acme");
        (group.finish(key, &"feed.csv".into()).cells, against)
    }

    #[test]
    fn rows_add_to_each_other_and_a_blank_says_nothing() {
        let (found, against) = cells(&[
            &[said(2, 0, text("A")), said(2, 1, Cell::Blank)],
            &[said(3, 1, text("B"))],
        ]);
        assert_eq!(against, 0);
        assert_eq!(found, [said(2, 0, text("A")), said(3, 1, text("B"))]);
    }

    #[test]
    fn rows_that_contradict_each_other_are_never_decided_by_the_last() {
        let (found, against) = cells(&[&[said(2, 0, text("A"))], &[said(3, 0, text("B"))]]);
        assert_eq!((against, &found[0].cell), (1, &text("A")));
    }

    #[test]
    fn a_custom_field_is_cleared_when_it_is_blank_in_every_row() {
        let blank = |line| custom(line, Cell::Blank);
        assert_eq!(cells(&[&[blank(2)], &[blank(3)]]).0, [blank(2)]);
        assert_eq!(cells(&[&[blank(2)], &[]]).0, []);
        assert_eq!(cells(&[&[], &[blank(3)]]).0, []);
        assert_eq!(
            cells(&[&[blank(2)], &[custom(3, text("A"))]]).0,
            [custom(3, text("A"))]
        );
    }

    #[test]
    fn links_come_together_and_flags_must_agree() {
        let link = |target: &str, flag: Option<u8>| Link {
            target: target.into(),
            attributes: [flag, None],
        };
        let add = |links: Vec<Link>, remove: &[&str]| {
            Cell::Amend(Box::new(ListAmendment {
                add: Value::links(links),
                remove: remove.iter().map(CompactText::new).collect(),
                partial: false,
            }))
        };
        let row = |line, cell| vec![said(line, 8, cell)];
        let (found, against) = cells(&[
            &row(2, add(vec![link("a", None)], &[])),
            &row(3, add(vec![link("b", Some(1)), link("a", Some(0))], &["c"])),
        ]);
        assert_eq!(against, 0);
        assert_eq!(
            found[0].cell,
            add(vec![link("a", Some(0)), link("b", Some(1))], &["c"])
        );
        let twice = [
            row(2, add(vec![link("a", Some(1))], &[])),
            row(3, add(vec![link("a", Some(0))], &[])),
        ];
        assert_eq!(cells(&[&twice[0], &twice[1]]).1, 1);
        let user = kinds::get(kinds::USER);
        let accounts = kinds::own_field(user.expect_index("accounts"));
        let levels = [(2, Some(0)), (3, Some(1))].map(|(line, level)| StatedField {
            field: accounts.clone(),
            ..said(line, 0, add(vec![link("acme", level)], &[]))
        });
        let [one, other] = levels;
        let key = Key::new(kinds::USER, "u-1");
        let found = conflict(&key, None, &"feed.csv".into(), &(one, other));
        assert_eq!(
            found.message,
            "User/u-1: the level of `acme` in `accounts` is `user` in line 2 but `administrator` in line 3"
        );
        let gone = [
            row(2, add(vec![link("a", None)], &[])),
            row(3, add(vec![], &["a"])),
        ];
        assert_eq!(cells(&[&gone[0], &gone[1]]).1, 1);
    }
}
