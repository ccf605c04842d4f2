//! A section of a mapping: which records are resources of a kind, and which columns their fields.

use super::cell::{CellMapping, ColumnIndex};
use crate::kinds::Kind;
use crate::model::FieldRef;

/// What of a record is a resource of one kind.
#[derive(Debug)]
pub struct MappingSection {
    pub kind: &'static Kind,
    /// Which records: those that all of these mean.
    pub when: Vec<ColumnCondition>,
    /// Its external id.
    pub id: CellMapping,
    /// Its fields, sorted, an attribute of the members after the members.
    pub fields: Vec<FieldMapping>,
    /// What columns begin with whose names end with the id of a custom field.
    pub custom_prefix: Option<String>,
    /// The addresses of an account.
    pub blocks: Vec<AddressBlock>,
}

/// A field and what it is made of.
#[derive(Debug)]
pub struct FieldMapping {
    pub field: FieldRef,
    /// Of a list with attributes: which attribute of the members; `None`: the members.
    pub attribute: Option<usize>,
    /// What it is made of.
    pub cell: CellMapping,
}

/// Addresses of an account, in its record or in an array of it.
#[derive(Debug)]
pub struct AddressBlock {
    /// Which records: those that all of these mean.
    pub when: Vec<ColumnCondition>,
    /// Of a numbered address: its own columns. A record without a value in any of them has no such address.
    pub own_columns: Vec<ColumnIndex>,
    /// The array that holds them; without it they stand in the record of the account.
    pub rows: Option<ColumnIndex>,
    /// The external id of the address.
    pub id: CellMapping,
    /// The fields of the address.
    pub fields: Vec<FieldMapping>,
    /// What the account uses it for: shipping, billing.
    pub flags: [Option<CellMapping>; 2],
    /// Whether it is taken from the account.
    pub unlink: Option<CellMapping>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ColumnCondition {
    pub column: ColumnIndex,
    /// What it holds, one of these, in lower case.
    pub among: Vec<String>,
    /// Whether it is blank or absent.
    pub blank: Option<bool>,
    /// Whether it is true; everything else is false, a blank too.
    pub truth: Option<bool>,
}
