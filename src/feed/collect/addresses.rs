//! Reads the addresses of an account, from its row or from a list nested in it. In go the address
//! blocks of a mapping section and a row; out come one amendment of the account's `addresses` and
//! one resource per address. Start reading at `ResourceCollector::addresses`.

use super::ResourceCollector;
use super::mangled_text;
use super::row::RecordView;
use crate::diagnostic::{Diagnostic, codes};
use crate::feed::format::{CellShape, ExportRecord};
use crate::feed::mapping::{
    AddressBlock, CellContent, CellMapping as From, CellSource, ColumnIndex, ColumnReader,
    MappingSection, trimmed,
};
use crate::kinds::read::ValueProblem;
use crate::kinds::{self, ACCOUNT, ADDRESS};
use crate::model::{Cell, CompactText, Key, LineColumn, Link, ListAmendment, StatedField, Value};

impl<'m> ResourceCollector<'m> {
    /// Returns the addresses that a row adds to its account or unlinks from it.
    pub(super) fn addresses(
        &mut self,
        section: &'m MappingSection,
        account: &Key,
        row: &RecordView<'_>,
    ) -> Option<StatedField> {
        let mut add: Vec<Link> = Vec::new();
        let mut remove: Vec<CompactText> = Vec::new();
        let mut at = None;
        // DJUST accepts addresses as a nested list and as flat columns, so the mapping may have
        // blocks for both. One object may use only one of the two.
        let nested = section
            .blocks
            .iter()
            .any(|block| list(block, row).is_some());
        for block in &section.blocks {
            match (block.rows, list(block, row)) {
                (Some(column), None) => self.report_not_list(column, account, row),
                (Some(_), Some(list)) => {
                    for record in list {
                        let row = RecordView { record, ..*row };
                        at = self
                            .address(block, account, &row, &mut add, &mut remove)
                            .or(at);
                    }
                }
                (None, _) if nested && section.blocks.iter().any(|block| block.rows.is_some()) => {
                    self.report_mixed_addresses(block, account, row);
                }
                (None, _) => {
                    at = self
                        .address(block, account, row, &mut add, &mut remove)
                        .or(at);
                }
            }
        }
        // A row that names no address says nothing about the account's addresses.
        let at = at?;
        remove.sort_unstable();
        Some(StatedField {
            field: kinds::own_field(kinds::get(ACCOUNT).expect_index("addresses")),
            // An amendment and not a value: an export that lacks an address must not unlink it.
            // Only `unlinkAddress` does.
            cell: Cell::Amend(Box::new(ListAmendment {
                add: Value::links(add),
                remove,
                partial: false,
            })),
            position: at,
        })
    }

    /// Reports an object where a list of addresses belongs.
    fn report_not_list(&mut self, column: ColumnIndex, account: &Key, row: &RecordView<'_>) {
        let entry = row.places[column.0].and_then(|place| row.record.cell(place));
        // Text or null in place of the list is read as no addresses; only an object shows that the
        // export has addresses in a form that the mapping does not expect.
        let Some(entry) = entry.filter(|entry| matches!(entry.shape, CellShape::Object)) else {
            return;
        };
        let name = row.name(column);
        let message = format!("{account}: `{name}` is an object; expected a list of objects");
        let found = Diagnostic::new(codes::JSON_SHAPE, message)
            .help(format!("write `\"{name}\": [{{..}}]`"))
            .for_resource(account);
        let origin = self.origin(entry.at);
        self.collected.diagnostics.push(found.at(origin));
    }

    /// Reports an object that has addresses both in a list and beside it.
    fn report_mixed_addresses(
        &mut self,
        block: &AddressBlock,
        account: &Key,
        row: &RecordView<'_>,
    ) {
        if let Ok(CellContent::Text(id, at)) = block.id.read(row, &self.mapping.words) {
            let message =
                format!("{account} has its addresses in a list and also `{id}` outside the list");
            let found = Diagnostic::new(codes::JSON_MIXED, message)
                .help("send either the list or the flat form")
                .for_resource(account);
            let origin = self.origin(at);
            self.collected.diagnostics.push(found.at(origin));
        }
    }

    /// Reads one address and returns its place, or `None` if the row has none.
    fn address(
        &mut self,
        block: &'m AddressBlock,
        account: &Key,
        row: &RecordView<'_>,
        add: &mut Vec<Link>,
        remove: &mut Vec<CompactText>,
    ) -> Option<LineColumn> {
        if !row.meets_conditions(&block.when) || is_blank(block, row) {
            return None;
        }
        let kind = kinds::get(ADDRESS);
        let words = &self.mapping.words;
        // Checked before `self.key`, which would hide the whole kind: an address without an id is a
        // problem of its account only.
        if let Ok(CellContent::Absent | CellContent::Blank(_)) = block.id.read(row, words) {
            self.report_missing_id(block, account, row);
            return None;
        }
        let (key, at) = self.key(kind, &block.id, row, Some(account))?;
        // No fields are read for an unlinked address: the row says that it is gone, and its
        // remaining cells are often blank or stale.
        if self.flag(block.unlink.as_ref(), account, row) == Some(1) {
            remove.push(key.id.clone());
            return Some(at);
        }
        let mut attributes = [None; 2];
        for (attribute, flag) in attributes.iter_mut().zip(&block.flags) {
            *attribute = self.flag(flag.as_ref(), account, row);
        }
        add.push(Link {
            target: key.id.clone(),
            attributes,
        });
        let said = self.fields(kind, &key, &block.fields, row);
        self.put(&key, Some(account), at, said);
        // The first account is remembered, so that a conflict between two accounts can be told from
        // one between the rows of one account.
        self.owners.entry(key).or_insert_with(|| account.clone());
        Some(at)
    }

    /// Reports an address without an id, unless the row says nothing else about it either.
    fn report_missing_id(&mut self, block: &AddressBlock, account: &Key, row: &RecordView<'_>) {
        let words = &self.mapping.words;
        let own = block.fields.iter().find_map(|field| {
            // Constants do not count: `constant: GB` would make an address out of every blank
            // block.
            let column = matches!(field.cell.take, CellSource::Column(_));
            match field.cell.read(row, words) {
                Ok(CellContent::Text(_, at)) if column => Some(at),
                _ => None,
            }
        });
        if let Some((fault, at)) = mangled_text::covered_id(&block.id, row) {
            self.report(&fault, Some(account), "addresses", at);
        } else if let Some(at) = own {
            let fault = ValueProblem::new(
                codes::REQUIRED,
                format!("an address of {account} has no externalId"),
            )
            .help("add an externalId to the address");
            self.report(&fault, Some(account), "addresses", at);
        }
    }

    /// Returns what a boolean of a link says: `Some(0)` for false, `Some(1)` for true.
    fn flag(&mut self, flag: Option<&From>, account: &Key, row: &RecordView<'_>) -> Option<u8> {
        match flag?.read(row, &self.mapping.words) {
            Ok(CellContent::Text(text, _)) => Some(u8::from(text == "true")),
            Ok(_) => None,
            Err((fault, at)) => {
                self.report(&fault, Some(account), "addresses", at);
                None
            }
        }
    }
}

/// Returns whether a numbered address has no value in any of its own columns.
fn is_blank(block: &AddressBlock, row: &RecordView<'_>) -> bool {
    let is_said = |column: &ColumnIndex| match row.content(*column) {
        Ok(CellContent::Text(text, _)) => !trimmed(&text).is_empty(),
        Ok(CellContent::List(members, _)) => !members.is_empty(),
        Ok(CellContent::Absent | CellContent::Blank(_)) => false,
        // An unreadable cell counts as a value, so that the address is read and the error reported
        // there.
        Err(_) => true,
    };
    !block.own_columns.is_empty() && !block.own_columns.iter().any(is_said)
}

/// Returns the nested objects that a block reads, if the record has them.
fn list<'r>(block: &AddressBlock, row: &RecordView<'r>) -> Option<&'r [ExportRecord]> {
    let place = row.places[block.rows?.0]?;
    row.record.list(place)
}
