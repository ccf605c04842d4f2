//! The addresses of an account, in its row or in a list of it.

use super::Collector;
use super::row::Row;
use super::spelled;
use crate::diagnostic::{Diagnostic, codes};
use crate::feed::format::{Record, Shape};
use crate::feed::mapping::{Block, Cell as From, Column, Said, Section, Source, Take, trimmed};
use crate::kinds::read::Fault;
use crate::kinds::{self, ACCOUNT, ADDRESS};
use crate::model::{Amend, Cell, Key, Link, Pos, Stated, Text, Value};

impl<'m> Collector<'m> {
    /// The addresses that a row gives its account or takes from it.
    pub(super) fn addresses(
        &mut self,
        section: &'m Section,
        account: &Key,
        row: &Row<'_>,
    ) -> Option<Stated> {
        let mut add: Vec<Link> = Vec::new();
        let mut remove: Vec<Text> = Vec::new();
        let mut at = None;
        let nested = section
            .blocks
            .iter()
            .any(|block| list(block, row).is_some());
        for block in &section.blocks {
            match (block.rows, list(block, row)) {
                (Some(column), None) => self.shapeless(column, account, row),
                (Some(_), Some(list)) => {
                    for record in list {
                        let row = Row { record, ..*row };
                        at = self
                            .address(block, account, &row, &mut add, &mut remove)
                            .or(at);
                    }
                }
                (None, _) if nested && section.blocks.iter().any(|block| block.rows.is_some()) => {
                    self.mixed(block, account, row);
                }
                (None, _) => {
                    at = self
                        .address(block, account, row, &mut add, &mut remove)
                        .or(at);
                }
            }
        }
        let at = at?;
        remove.sort_unstable();
        Some(Stated {
            field: kinds::own(kinds::get(ACCOUNT).at("addresses")),
            cell: Cell::Amend(Box::new(Amend {
                add: Value::links(add),
                remove,
                partial: false,
            })),
            at,
        })
    }

    /// Something else where a list of addresses belongs.
    fn shapeless(&mut self, column: Column, account: &Key, row: &Row<'_>) {
        let entry = row.places[column.0].and_then(|place| row.record.cell(place));
        let Some(entry) = entry.filter(|entry| matches!(entry.shape, Shape::Object)) else {
            return;
        };
        let name = row.name(column);
        let message =
            format!("{account}: `{name}` is an object, and a list of objects belongs there");
        let found = Diagnostic::new(codes::JSON_SHAPE, message)
            .help(format!("write `\"{name}\": [{{..}}]`"))
            .of(account);
        let origin = self.origin(entry.at);
        self.collected.diagnostics.push(found.at(origin));
    }

    /// An object that has its addresses in a list and one beside the list.
    fn mixed(&mut self, block: &Block, account: &Key, row: &Row<'_>) {
        if let Ok(Said::Text(id, at)) = block.id.said(row, &self.mapping.words) {
            let message =
                format!("{account} has its addresses in a list and `{id}` beside the list");
            let found = Diagnostic::new(codes::JSON_MIXED, message)
                .help("send either the list or the flat form")
                .of(account);
            let origin = self.origin(at);
            self.collected.diagnostics.push(found.at(origin));
        }
    }

    /// One address; where it stands, if there is one.
    fn address(
        &mut self,
        block: &'m Block,
        account: &Key,
        row: &Row<'_>,
        add: &mut Vec<Link>,
        remove: &mut Vec<Text>,
    ) -> Option<Pos> {
        if !row.fits(&block.when) || is_blank(block, row) {
            return None;
        }
        let kind = kinds::get(ADDRESS);
        let words = &self.mapping.words;
        if let Ok(Said::Absent | Said::Blank(_)) = block.id.said(row, words) {
            self.nameless(block, account, row);
            return None;
        }
        let (key, at) = self.key(kind, &block.id, row, Some(account))?;
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
        self.owners.entry(key).or_insert_with(|| account.clone());
        Some(at)
    }

    /// An address without an id: fine where nothing is said of it.
    fn nameless(&mut self, block: &Block, account: &Key, row: &Row<'_>) {
        let words = &self.mapping.words;
        let own = block.fields.iter().find_map(|field| {
            let column = matches!(field.cell.take, Take::Column(_));
            match field.cell.said(row, words) {
                Ok(Said::Text(_, at)) if column => Some(at),
                _ => None,
            }
        });
        if let Some((fault, at)) = spelled::covered(&block.id, row) {
            self.report(&fault, Some(account), "addresses", at);
        } else if let Some(at) = own {
            let fault = Fault::new(
                codes::REQUIRED,
                format!("an address of {account} has no externalId"),
            )
            .help("give it one: without it nobody knows which address is meant");
            self.report(&fault, Some(account), "addresses", at);
        }
    }

    /// What a boolean of a link says: `Some(0)` false, `Some(1)` true.
    fn flag(&mut self, flag: Option<&From>, account: &Key, row: &Row<'_>) -> Option<u8> {
        match flag?.said(row, &self.mapping.words) {
            Ok(Said::Text(text, _)) => Some(u8::from(text == "true")),
            Ok(_) => None,
            Err((fault, at)) => {
                self.report(&fault, Some(account), "addresses", at);
                None
            }
        }
    }
}

/// Whether a numbered address has no value in any of its own columns.
fn is_blank(block: &Block, row: &Row<'_>) -> bool {
    let is_said = |column: &Column| match row.said(*column) {
        Ok(Said::Text(text, _)) => !trimmed(&text).is_empty(),
        Ok(Said::List(members, _)) => !members.is_empty(),
        Ok(Said::Absent | Said::Blank(_)) => false,
        // What cannot be read is reported where the address is.
        Err(_) => true,
    };
    !block.own.is_empty() && !block.own.iter().any(is_said)
}

/// The objects that a block of addresses is, in a record that has them.
fn list<'r>(block: &Block, row: &Row<'r>) -> Option<&'r [Record]> {
    let place = row.places[block.rows?.0]?;
    row.record.list(place)
}
