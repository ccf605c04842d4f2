//! A section of a mapping: which records are resources of a kind, and which columns their fields.

use super::cell::{Cell, Column};
use crate::kinds::Kind;
use crate::model::FieldRef;

/// What of a record is a resource of one kind.
#[derive(Debug)]
pub struct Section {
    /// The kind.
    pub kind: &'static Kind,
    /// Which records: those that all of these mean.
    pub when: Vec<When>,
    /// Its external id.
    pub id: Cell,
    /// Its fields, sorted, an attribute of the members after the members.
    pub fields: Vec<Field>,
    /// What columns begin with whose names end with the id of a custom field.
    pub every: Option<String>,
    /// The addresses of an account.
    pub blocks: Vec<Block>,
}

/// A field and what it is made of.
#[derive(Debug)]
pub struct Field {
    /// Which.
    pub field: FieldRef,
    /// Of a list with attributes: which attribute of the members; `None`: the members.
    pub attribute: Option<usize>,
    /// What it is made of.
    pub cell: Cell,
}

/// Addresses of an account, in its record or in an array of it.
#[derive(Debug)]
pub struct Block {
    /// Which records: those that all of these mean.
    pub when: Vec<When>,
    /// Of a numbered address: its own columns. A record without a value in any of them has no such address.
    pub own: Vec<Column>,
    /// The array that holds them; without it they stand in the record of the account.
    pub rows: Option<Column>,
    /// The external id of the address.
    pub id: Cell,
    /// The fields of the address.
    pub fields: Vec<Field>,
    /// What the account uses it for: shipping, billing.
    pub flags: [Option<Cell>; 2],
    /// Whether it is taken from the account.
    pub unlink: Option<Cell>,
}

/// A condition on a column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct When {
    /// The column.
    pub column: Column,
    /// What it holds, one of these, in lower case.
    pub among: Vec<String>,
    /// Whether it is blank or absent.
    pub blank: Option<bool>,
    /// Whether it is true; everything else is false, a blank too.
    pub truth: Option<bool>,
}
