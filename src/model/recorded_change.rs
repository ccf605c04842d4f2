//! A committed change of a resource, read back from the history into values. What was erased, and
//! what is never recorded, such as passwords, is unknown.

use super::{FieldRef, Key, Value};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordedChange {
    pub key: Key,
    /// What happened to the resource.
    pub verb: RecordedVerb,
    /// The changed fields, sorted.
    pub fields: Vec<RecordedField>,
}

/// What a committed change did to its resource as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordedVerb {
    Create,
    Delete,
    /// It changed fields, or nothing but runtime facts.
    Change,
}

/// A field of a committed change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordedField {
    pub field: FieldRef,
    pub values: RecordedValues,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordedValues {
    /// The values before and after. A create has none before. Of lists that are sets, only the
    /// members that differ.
    Known {
        before: Option<Value>,
        after: Option<Value>,
    },
    Unknown,
}
