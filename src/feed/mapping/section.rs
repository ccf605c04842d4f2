//! The parts of a mapping after parsing: sections, fields, address blocks and conditions. A section
//! says which records are resources of a kind, and from which columns their fields come.

use super::cell::CellMapping;
use super::column_reader::ColumnIndex;
use crate::kinds::Kind;
use crate::model::FieldRef;

/// How records become resources of one kind.
#[derive(Debug)]
pub struct MappingSection {
    pub kind: &'static Kind,
    /// Which records the section reads. All conditions must hold.
    pub when: Vec<ColumnCondition>,
    pub id: CellMapping,
    /// How a row without an external id finds its resource.
    pub matching: Option<RowMatching>,
    /// The fields, sorted. An attribute of a list follows the list.
    pub fields: Vec<FieldMapping>,
    /// The password of a user. Only its hash is kept.
    pub password: Option<CellMapping>,
    /// The login name of a user for the accounts of the row, which the user keeps.
    pub login: Option<CellMapping>,
    /// The prefix of columns that end with the id of a custom field.
    pub custom_prefix: Option<String>,
    /// The addresses of an account.
    pub blocks: Vec<AddressBlock>,
}

/// How a row without an external id finds the stored resource that it means.
#[derive(Debug)]
pub struct RowMatching {
    /// The fields that are compared. The first value that is stored decides.
    pub fields: Vec<FieldRef>,
    /// The external id of a new resource, if no stored one fits. `None` makes such a row an error.
    pub otherwise: Option<CellMapping>,
}

/// A field and its cell.
#[derive(Debug)]
pub struct FieldMapping {
    pub field: FieldRef,
    /// The attribute of a list's members, or `None` for the members themselves.
    pub attribute: Option<usize>,
    pub cell: CellMapping,
}

/// Addresses of an account, in its record or in a nested array.
#[derive(Debug)]
pub struct AddressBlock {
    /// Which records the block reads. All conditions must hold.
    pub when: Vec<ColumnCondition>,
    /// The columns of a numbered address alone. If all of them are blank, the address does not
    /// exist.
    pub own_columns: Vec<ColumnIndex>,
    /// The array that holds the addresses. `None` if they are in the record of the account.
    pub rows: Option<ColumnIndex>,
    pub id: CellMapping,
    pub fields: Vec<FieldMapping>,
    /// Whether the account uses it for shipping and for billing.
    pub flags: [Option<CellMapping>; 2],
    /// Whether it is removed from the account.
    pub unlink: Option<CellMapping>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ColumnCondition {
    pub column: ColumnIndex,
    /// The column holds one of these, in lower case.
    pub among: Vec<String>,
    /// The column is blank or absent.
    pub blank: Option<bool>,
    /// The column is true. Everything else, also a blank, is false.
    pub truth: Option<bool>,
}
